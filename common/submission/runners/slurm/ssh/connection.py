"""One SSH connection to a login node, kept, and opened anew when it broke. Everything here runs on the shared loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import asyncssh

from common.submission.config import SecretMissing, read_secret
from common.submission.errors import ClusterDown
from common.submission.runners.slurm.ssh.config import Identity, SlurmSshConfig

_SHOWN = 300
# Beyond a remote command's own limit: then it is the connection that hangs.
_SPARE_S = 5.0
_SESSION_RETRY_S = 0.2


class Answer(NamedTuple):
    """What a remote command left. `exit_code` is -1 where a signal ended it."""

    exit_code: int
    stdout: bytes
    stderr: str


class Connection:
    """To one login node, as one identity.

    Raises
    ------
    ClusterDown
        From every method: the node cannot be reached, is not the one that is known, does not let this identity in, or
        the connection broke. A command that had been sent may have been carried out.
    """

    def __init__(self, config: SlurmSshConfig, identity: Identity) -> None:
        self._config = config
        self._identity = identity
        self._where = f"{identity.user}@{config.host}:{config.port}"
        self._known_hosts = Path(config.known_hosts).expanduser()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._opening = asyncio.Lock()
        self._channels = asyncio.Semaphore(config.channels)
        # Transfers of files may take long: some channels are left for what is quick.
        self._transfers = asyncio.Semaphore(max(1, config.channels - 2))

    async def run(
        self, command: str, parts: AsyncIterator[bytes] | None = None, *, head: bytes = b"", limit_s: float
    ) -> Answer:
        """Have one command carried out.

        Parameters
        ----------
        head, parts : its stdin; parts may take as long as they move.
        limit_s : for what comes after stdin; the command keeps to it by itself.
        """
        async with self._transfers if parts is not None else contextlib.nullcontext(), self._channels:
            process = await self._begin(command)
            try:
                await self._send(process, head, parts)
                done = await asyncio.wait_for(process.wait(), limit_s + _SPARE_S)
            except TimeoutError as exc:
                # The command ends in time by itself: what does not answer is the way to it.
                self.drop()
                raise ClusterDown(f"{self._where} did not answer in time; the connection was given up") from exc
            except (asyncssh.Error, OSError) as exc:
                raise self._broken(exc) from exc
            finally:
                process.close()
        if done.exit_status is None or not isinstance(done.stdout, bytes) or not isinstance(done.stderr, bytes):
            raise self._broken(None)
        return Answer(done.exit_status, done.stdout, done.stderr.decode(errors="replace"))

    @contextlib.asynccontextmanager
    async def stream(self, command: str, *, head: bytes = b"") -> AsyncIterator[asyncssh.SSHClientProcess[bytes]]:
        """One command whose output is read as it comes, by `read`, and then asked how it ended, by `ended`."""
        async with self._transfers, self._channels:
            process = await self._begin(command)
            try:
                await self._send(process, head, None)
                yield process
            finally:
                process.close()

    async def read(self, process: asyncssh.SSHClientProcess[bytes], size: int) -> bytes:
        """The next bytes of its output, at most `size`; none at its end."""
        try:
            return await asyncio.wait_for(process.stdout.read(size), self._config.stall_s)
        except TimeoutError as exc:
            self.drop()
            raise ClusterDown(f"{self._where} sent nothing for {self._config.stall_s:g} s") from exc
        except (asyncssh.Error, OSError) as exc:
            raise self._broken(exc) from exc

    async def ended(self, process: asyncssh.SSHClientProcess[bytes]) -> Answer:
        """How it ended, after its output was read."""
        try:
            done = await asyncio.wait_for(process.wait(), self._config.stall_s)
        except TimeoutError as exc:
            self.drop()
            raise ClusterDown(f"{self._where} did not say how it ended") from exc
        except (asyncssh.Error, OSError) as exc:
            raise self._broken(exc) from exc
        if done.exit_status is None:
            raise self._broken(None)
        return Answer(done.exit_status, b"", _text(done.stderr))

    def drop(self) -> None:
        """Let go of the connection at once; the next command opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    async def _send(
        self, process: asyncssh.SSHClientProcess[bytes], head: bytes, parts: AsyncIterator[bytes] | None
    ) -> None:
        # Whoever ends before it has read everything says why: that is read, not this.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(head)
            if parts is not None:
                async for part in parts:
                    process.stdin.write(part)
                    await asyncio.wait_for(process.stdin.drain(), self._config.stall_s)
            process.stdin.write_eof()

    async def _begin(self, command: str) -> asyncssh.SSHClientProcess[bytes]:
        """A channel with this command. The kept connection may have gone meanwhile: then another is tried, once."""
        clock = asyncio.get_running_loop()
        until_s = clock.time() + self._config.connect_timeout_s
        anew = False
        while True:
            connection = await self._open()
            try:
                return await asyncio.wait_for(
                    connection.create_process(command, encoding=None), self._config.connect_timeout_s
                )
            except TimeoutError as exc:
                self._forget(connection)
                if anew:
                    raise ClusterDown(f"{self._where} opens no session in time") from exc
                anew = True
            except (asyncssh.Error, OSError) as exc:
                if isinstance(exc, asyncssh.ChannelOpenError) and not connection.is_closed():
                    # As many as it allows are open: one of them will end.
                    if clock.time() > until_s:
                        raise ClusterDown(f"{self._where} opens no more sessions; lower `channels`") from exc
                    await asyncio.sleep(_SESSION_RETRY_S)
                    continue
                self._forget(connection)
                if anew:
                    raise self._broken(exc) from exc
                anew = True

    async def _open(self) -> asyncssh.SSHClientConnection:
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> asyncssh.SSHClientConnection:
        config = self._config
        known_hosts = self._known_hosts
        try:
            # Read anew each time: keys are renewed.
            secret = read_secret(self._identity.key)
            passphrase = read_secret(self._identity.passphrase) if self._identity.passphrase else None
            key = asyncssh.import_private_key(secret, passphrase)
            known = known_hosts.read_bytes()
        except SecretMissing as exc:
            raise ClusterDown(f"no key to log in as {self._where}: {exc}") from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as exc:
            raise ClusterDown(f"the key to log in as {self._where} cannot be used: {exc}") from None
        except OSError as exc:
            raise ClusterDown(
                f"no file of known hosts, {known_hosts} ({exc.strerror}); make it by `ssh-keyscan -p {config.port} "
                f"{config.host}` and compare the key with what the cluster's operators say"
            ) from None
        try:
            return await asyncssh.connect(
                config.host,
                config.port,
                # Nothing of whoever runs this: no ssh_config, no agent, no other keys.
                config=None,
                agent_path=None,
                username=self._identity.user,
                client_keys=[key],
                known_hosts=known,
                connect_timeout=config.connect_timeout_s,
                login_timeout=config.connect_timeout_s,
                keepalive_interval=config.keepalive_s,
                keepalive_count_max=3,
            )
        except asyncssh.HostKeyNotVerifiable as exc:
            raise ClusterDown(
                f"{config.host}:{config.port} shows a host key that is not in {known_hosts}: not connected. If the "
                "cluster's operators have changed it, put their new key there"
            ) from exc
        except asyncssh.PermissionDenied as exc:
            raise ClusterDown(
                f"{config.host}:{config.port} does not let {self._identity.user} in with its key"
            ) from exc
        except TimeoutError as exc:
            raise ClusterDown(f"{self._where} does not answer within {config.connect_timeout_s:g} s") from exc
        except (asyncssh.Error, OSError) as exc:
            raise ClusterDown(f"cannot connect to {self._where}: {_words(exc)}") from exc

    def _broken(self, exc: BaseException | None) -> ClusterDown:
        return ClusterDown(f"the connection to {self._where} broke: {_words(exc) if exc else 'no answer'}")

    def _forget(self, connection: asyncssh.SSHClientConnection) -> None:
        """Another command may have opened a new one already: that one stays."""
        if self._connection is connection:
            self._connection = None
        connection.abort()


def _words(exc: BaseException) -> str:
    return (str(exc) or type(exc).__name__)[:_SHOWN]


def _text(value: bytes | str | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
