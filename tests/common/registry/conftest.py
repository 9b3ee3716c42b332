import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from common.clock import FakeClock
from common.database import Database
from common.registry.service import Registry
from common.registry.tables import metadata
from common.security.audit.tables import metadata as audit
from common.storage import Blobs
from common.storage.directory import DirectoryShare


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real server of this test session's own; skips where PostgreSQL is not installed."""
    initdb, postgres = shutil.which("initdb"), shutil.which("postgres")
    if initdb is None or postgres is None:
        message = "PostgreSQL's initdb and postgres are not on PATH"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(message)
        pytest.skip(message)
    # Not pytest's own folder: a socket's path is at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    options = ["-D", str(folder / "data"), "-U", "atoll", "--auth=trust", "--no-sync", "-E", "UTF8"]
    subprocess.run([initdb, *options], check=True, capture_output=True, user=user, cwd=folder)
    server = subprocess.Popen(
        [postgres, "-D", str(folder / "data"), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
        cwd=folder,
    )
    try:
        url = f"postgresql+psycopg://atoll@/postgres?host={folder}"
        _wait(url, server)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    while True:
        assert server.poll() is None, "the server ended at its start"
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            continue
        return


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty registry in each kind of database in turn."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path}/registry.db")
    else:
        url, name = request.getfixturevalue("postgresql"), f"test_{uuid.uuid4().hex}"
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        made = Database(url.replace("/postgres?", f"/{name}?"))
    with made.transaction() as connection:
        metadata.create_all(connection)
        audit.create_all(connection)
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(DirectoryShare(tmp_path / "share"), tmp_path / "cache")


@pytest.fixture
def registry(database: Database, blobs: Blobs, clock: FakeClock) -> Registry:
    return Registry(database, blobs, clock=clock)
