"""A real Redis for tests, on a free port, which can be stopped, frozen and started again."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

from common.orphans import make_folder
from tests.support.backends import Missing, missing
from tests.support.servers import free_port

_START_S = 30.0


class RedisServer:
    """Keeps nothing on disk. `start` after `stop` is an empty one on the same port.

    Attributes
    ----------
    url : of its database 0.
    """

    def __init__(self) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            raise Missing("Redis is not installed: no redis-server on PATH; `apt install redis-server` brings it")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = make_folder("atoll-redis-")
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._command = [binary, *where, "--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + _START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Redis did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it: connections end at once."""
        if self._process is not None and self._process.poll() is None:
            # Not SIGTERM: a frozen one would not hear it.
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Let it keep its connections and answer nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A new Redis; skips where it is not installed."""
    try:
        server = RedisServer()
    except Missing as exc:
        missing(str(exc))
    try:
        server.start()
        yield server
    finally:
        server.close()
