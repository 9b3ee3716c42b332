"""Backends for tests: real PostgreSQL and Azurite, each started on a free port and ended with the test session.

Where one is not installed, tests skip and say so; under CI=true they fail instead. `PostgresServer` and
`AzuriteServer` can also be stopped and started again over the same data, for tests of what happens then.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from common.orphans import make_folder
from tests.support.servers import free_port

AZURITE = "azurite@3.35.0"
_START_S = 60.0
# Azurite's account and key, the same for everybody: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# Tests need no durability: this halves their time.
_FAST = ("-c", "fsync=off", "-c", "full_page_writes=off")


class Missing(Exception):
    """A program is not installed; the message says which."""


class Stop(Enum):
    """How a server is stopped. PostgreSQL: `FAST` ends its clients and writes all; `CRASH` leaves at once."""

    FAST = signal.SIGINT
    CRASH = signal.SIGQUIT
    KILL = signal.SIGKILL


def missing(message: str) -> NoReturn:
    """Skip, or fail where everything must be there."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


class PostgresServer:
    """A PostgreSQL server with data of its own. `start` after `stop` finds them again.

    Parameters
    ----------
    options : more of the server's command line.

    Attributes
    ----------
    url : without a database's name.
    """

    def __init__(self, options: Sequence[str] = _FAST) -> None:
        binaries = _postgresql_binaries()
        if binaries is None:
            raise Missing("PostgreSQL is not installed: neither on PATH nor in /usr/lib/postgresql")
        # Not pytest's folder, which only its own user may enter; PostgreSQL refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="atoll-pg-"))
        prefix: list[str] = []
        if os.getuid() == 0:
            user = _other_user()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            prefix = ["setpriv", *ids] if shutil.which("setpriv") else ["su", "-s", "/bin/sh", user.pw_name, "--"]
        self.port = free_port()
        self.url = f"postgresql://atoll@127.0.0.1:{self.port}"
        self._log = self.folder / "log"
        data = str(self.folder / "data")
        made = ["-U", "atoll", "--auth=trust", "-N", "-E", "UTF8", "--locale=C"]
        with self._log.open("wb") as log:
            init = [*prefix, str(binaries / "initdb"), "-D", data, *made]
            subprocess.run(init, cwd=self.folder, check=True, stdout=log, stderr=log)
        where = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        size = ["-c", "max_connections=200", "-c", "shared_buffers=32MB"]
        self._command = [*prefix, str(binaries / "postgres"), "-D", data, *where, *size, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self.folder, stdout=log, stderr=log)
        _wait_for_postgresql(self.url, self._process, self._log)

    def stop(self, how: Stop = Stop.FAST) -> None:
        _stop(self._process, how)

    def close(self) -> None:
        """Stop it, and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class AzuriteServer:
    """An Azurite that serves queues. `start` after `stop` finds the messages that it had written to its file.

    Attributes
    ----------
    connection_string : names the port of this server; `connection_string_at` another one.
    """

    def __init__(self) -> None:
        command = _azurite_command()
        self.folder = make_folder("atoll-azurite-")
        self.port = free_port()
        options = ["--queueHost", "127.0.0.1", "--queuePort", str(self.port), "--location", str(self.folder)]
        self._command = [*command, *options, "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.connection_string = self.connection_string_at(self.port)

    @staticmethod
    def connection_string_at(port: int) -> str:
        endpoint = f"http://127.0.0.1:{port}/{_ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};QueueEndpoint={endpoint};"

    def start(self) -> None:
        """Start it and wait until its port is open."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self.folder, stdout=log, stderr=log)
        _wait_for_port(self.port, self._process, self._log)

    def stop(self, how: Stop = Stop.FAST) -> None:
        _stop(self._process, how)

    def close(self) -> None:
        """Stop it, and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A new PostgreSQL server; the URL without a database's name."""
    try:
        server = PostgresServer()
    except Missing as exc:
        missing(str(exc))
    try:
        server.start()
        yield server.url
    finally:
        server.close()


@contextlib.contextmanager
def azurite() -> Iterator[str]:
    """A new Azurite that serves queues; its connection string."""
    try:
        server = AzuriteServer()
    except Missing as exc:
        missing(str(exc))
    try:
        server.start()
        yield server.connection_string
    finally:
        server.close()


def _stop(process: "subprocess.Popen[bytes] | None", how: Stop) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how.value)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _postgresql_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    on_path = shutil.which("postgres")
    candidates = ([Path(on_path).resolve()] if on_path else []) + found
    return next((path.parent for path in candidates if (path.parent / "initdb").exists()), None)


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Missing("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _wait_for_postgresql(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)


def azurite_program(name: str) -> str:
    """One of Azurite's programs, e.g. `azurite-blob`; raises Missing where there is none."""
    return str(Path(_azurite_command()[0]).with_name(name))


def _azurite_command() -> list[str]:
    on_path = shutil.which("azurite-queue")
    if on_path:
        return [on_path]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "atoll" / AZURITE.replace("@", "-")
    command = cache / "node_modules" / ".bin" / "azurite-queue"
    cache.mkdir(parents=True, exist_ok=True)
    # Test processes that run in parallel install it once.
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not command.exists():
            npm = shutil.which("npm")
            if npm is None:
                raise Missing("Azurite is not installed: no azurite-queue on PATH, and no npm to install it with")
            install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(cache), AZURITE]
            done = subprocess.run(install, capture_output=True, text=True, timeout=240, check=False)
            if done.returncode:
                raise Missing(f"Azurite cannot be installed: {done.stderr[-500:]}")
    return [str(command)]


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Azurite did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
