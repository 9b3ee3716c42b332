"""The servers that the contestants need: PostgreSQL as it is installed (it syncs), Redis with its defaults."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import redis

from benchmarks.report import NotMeasured
from tests.support.backends import Missing, PostgresServer
from tests.support.servers import free_port

_START_S = 20.0


class Postgresql:
    """A server; `database` makes a new database in it."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._count = 0

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._count += 1
        name = f"bench_{self._count}"
        with psycopg.connect(f"{self._server.url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{self._server.url}/{name}"

    def processes(self) -> list[psutil.Process]:
        folder = str(self._server.folder)
        found = [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "postgres" and folder in " ".join(process.info["cmdline"] or [])
        ]
        return [member for root in found for member in (root, *root.children(recursive=True))]


@contextlib.contextmanager
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server. Raises `NotMeasured` where it is not installed."""
    try:
        server = PostgresServer(options=("-c", "shared_buffers=128MB"))
    except Missing as exc:
        raise NotMeasured(str(exc)) from None
    try:
        server.start()
        yield Postgresql(server)
    finally:
        server.close()


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """A Redis server: its URL and its processes. Raises `NotMeasured` where it is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        raise NotMeasured("redis-server is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen([program, *where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield f"redis://127.0.0.1:{port}/0", [psutil.Process(process.pid)]
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int) -> None:
    until = time.monotonic() + _START_S
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError as exc:
                if time.monotonic() > until:
                    raise NotMeasured("Redis did not start") from exc
                time.sleep(0.05)
