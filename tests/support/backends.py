"""Backends for tests: real PostgreSQL and Azurite, each started on a free port and ended with the test session.

Where one is not installed, tests skip and say so; under CI=true they fail instead.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from tests.support.servers import free_port

AZURITE = "azurite@3.35.0"
_START_S = 60.0
# Azurite's account and key, the same for everybody: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def missing(message: str) -> NoReturn:
    """Skip, or fail where everything must be there."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A new PostgreSQL server; the URL without a database's name."""
    binaries = _postgresql_binaries()
    if binaries is None:
        missing("PostgreSQL is not installed: neither on PATH nor in /usr/lib/postgresql")
    # Not pytest's folder, which only its own user may enter; PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="atoll-pg-"))
    prefix: list[str] = []
    if os.getuid() == 0:
        user = _other_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        prefix = ["setpriv", *ids] if shutil.which("setpriv") else ["su", "-s", "/bin/sh", user.pw_name, "--"]
    port = free_port()
    data = folder / "data"
    init = [str(binaries / "initdb"), "-D", str(data), "-U", "atoll", "--auth=trust", "-N", "-E", "UTF8", "--locale=C"]
    # Tests need no durability: this halves their time.
    fast = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB"]
    where = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with (folder / "log").open("wb") as log:
        try:
            subprocess.run([*prefix, *init], cwd=folder, check=True, stdout=log, stderr=log)
            command = [*prefix, str(binaries / "postgres"), "-D", str(data), *where, *fast]
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            try:
                url = f"postgresql://atoll@127.0.0.1:{port}"
                _wait_for_postgresql(url, process, folder / "log")
                yield url
            finally:
                process.terminate()
                process.wait(20)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def azurite() -> Iterator[str]:
    """A new Azurite that serves queues; its connection string."""
    command = _azurite_command()
    folder = Path(tempfile.mkdtemp(prefix="atoll-azurite-"))
    port = free_port()
    options = ["--queueHost", "127.0.0.1", "--queuePort", str(port), "--location", str(folder)]
    options += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *options], cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for_port(port, process, folder / "log")
            endpoint = f"http://127.0.0.1:{port}/{_ACCOUNT}"
            yield f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};QueueEndpoint={endpoint};"
        finally:
            process.terminate()
            process.wait(20)
            shutil.rmtree(folder, ignore_errors=True)


def _postgresql_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    on_path = shutil.which("postgres")
    candidates = ([Path(on_path).resolve()] if on_path else []) + found
    return next((path.parent for path in candidates if (path.parent / "initdb").exists()), None)


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    missing("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _wait_for_postgresql(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)


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
                missing("Azurite is not installed: no azurite-queue on PATH, and no npm to install it with")
            install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(cache), AZURITE]
            done = subprocess.run(install, capture_output=True, text=True, timeout=240, check=False)
            if done.returncode:
                missing(f"Azurite cannot be installed: {done.stderr[-500:]}")
    return [str(command)]


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"Azurite did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
