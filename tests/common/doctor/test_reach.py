"""Whether the doctor tells servers that answer from those that do not, with real ones."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.database import Database
from common.doctor.examine import Subject, examine
from common.doctor.finding import Finding
from common.doctor.plans import PLANS
from common.doctor.reach import (
    check_database,
    check_own_disk,
    check_queues,
    check_redis,
    check_share,
    why_silent,
    within,
)
from common.migrations import head
from common.settings import DatabaseSettings, JobSettings, RedisSettings, SecuritySettings, Settings, StorageSettings
from tests.common.migrations.releases import ADDS, release, step
from tests.support import backends
from tests.support.redis_server import redis_server
from tests.support.servers import free_port

PLANTED = "planted-password"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def database(url: str, timeout_s: float = 20.0) -> Finding:
    (found,) = check_database(Settings(database=DatabaseSettings(url=url)), timeout_s)
    return found


def redis(url: str, timeout_s: float = 20.0) -> Finding:
    (found,) = check_redis(Settings(redis=RedisSettings(url=url)), timeout_s)
    return found


def queues(storage: str, timeout_s: float = 60.0) -> Finding:
    (found,) = check_queues(Settings(jobs=JobSettings(storage=storage, worker_classes=("cpu",))), timeout_s)
    return found


def test_a_database_that_was_never_used_is_empty_and_stays_so() -> None:
    with backends.postgresql() as server:
        url = f"{server}/postgres"
        assert database(url).level == "ok"
        found = database(url)
    assert "empty: the first start makes its tables" in found.what


def test_a_database_of_this_version_is_current(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'atoll.db'}"
    made = Database(url)
    made.migrate()
    made.close()
    found = database(url)
    assert (found.level, found.what.rpartition("; ")[2]) == ("ok", "schema is current")


def test_a_database_of_a_newer_version_is_an_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'atoll.db'}"
    made = Database(url)
    made.migrate()
    with made.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    made.close()
    found = database(url)
    assert found.level == "error"
    assert "start a release that knows 9999 or later" in found.what


def test_a_database_of_a_later_release_that_lets_this_one_run_is_well(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'atoll.db'}"
    made = Database(url)
    made.migrate()
    with release(tmp_path / "later", step(ADDS, head())):
        made.migrate()
    made.close()
    found = database(url)
    assert (found.level, "of a later release" in found.what) == ("ok", True)


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "state" / "atoll.db"
    assert database(f"sqlite:///{file}").level == "ok"
    assert not file.parent.exists()


def test_a_database_that_is_not_there_is_an_error_without_its_password() -> None:
    found = database(f"postgresql://atoll:{PLANTED}@127.0.0.1:{free_port()}/atoll")
    assert found.level == "error"
    assert "DATABASE_URL" in found.todo
    assert PLANTED not in repr(found)


def test_a_server_that_never_answers_is_given_up(silent_port: int) -> None:
    found = database(f"postgresql://atoll@127.0.0.1:{silent_port}/atoll", 0.2)
    assert (found.level, found.what) == ("error", "no answer within 0.2 s")


def test_a_redis_that_answers_is_told_with_its_version() -> None:
    with redis_server() as server:
        found = redis(server.url)
    assert found.level == "ok"
    assert "answers in" in found.what


def test_a_redis_that_is_away_is_a_warning_because_requests_go_on() -> None:
    found = redis(f"redis://:{PLANTED}@127.0.0.1:{free_port()}/0")
    assert found.level == "warning"
    assert PLANTED not in repr(found)


def test_a_storage_account_is_told_with_what_waits(azurite_server: str) -> None:
    found = queues(azurite_server)
    assert found.level == "ok"
    assert "prediction-cpu 0" in found.what


def test_a_storage_account_whose_name_is_wrong_is_an_error() -> None:
    found = queues("AccountName=nobody")
    assert (found.level, found.what) == (
        "error",
        "AzureWebJobsStorage is not a connection string of a storage account",
    )


def test_a_storage_account_that_is_away_is_told_with_its_address_though_the_library_goes_on_trying() -> None:
    port = free_port()
    found = queues(f"AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:{port}/a", 0.5)
    assert (found.level, found.what) == ("error", f"no answer within 0.5 s: 127.0.0.1:{port}: Connection refused")
    assert "Azurite" in found.todo


def test_a_server_that_takes_connections_and_is_silent_is_told_from_one_that_is_away(silent_port: int) -> None:
    assert "takes connections, but does not answer" in why_silent(("127.0.0.1", silent_port))
    assert "Connection refused" in why_silent(("127.0.0.1", free_port()))
    assert why_silent(None) == ""


def test_under_the_functions_host_queues_need_a_storage_account() -> None:
    azure = SecuritySettings(functions_runtime="python")
    assert [item.level for item in check_queues(Settings(), 1.0)] == ["ok"]
    assert [item.level for item in check_queues(Settings(security=azure), 1.0)] == ["error"]


def test_a_share_that_is_a_folder_has_to_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    there, wrong = (StorageSettings(file_share=str(tmp_path / name)) for name in ("new", "file"))
    assert [item.level for item in check_share(Settings(storage=there), 1.0)] == ["ok"]
    assert [item.level for item in check_share(Settings(storage=wrong), 1.0)] == ["error"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("environment", "told"), [({"WEBSITE_SKU": "FlexConsumption"}, ["database", "share"]), ({"HOME": "/root"}, [])]
)
def test_state_on_the_disk_of_one_of_many_instances_is_a_warning(
    environment: dict[str, str], told: list[str], tmp_path: Path
) -> None:
    settings = Settings(storage=StorageSettings(state_dir=tmp_path))
    found = list(examine(Subject(tmp_path, environment, PLANS["flex"]), lambda: settings, ["database", "share"]))
    warned = [item.check for item in found if item.level == "warning" and "several instances" in item.what]
    assert warned == told


def test_state_that_instances_share_is_no_matter(tmp_path: Path) -> None:
    shared = Settings(
        database=DatabaseSettings(url="postgresql://atoll@database/atoll"),
        storage=StorageSettings(state_dir=tmp_path, file_share=str(tmp_path / "mounted")),
    )
    assert list(check_own_disk(shared)) == []


def test_a_share_by_a_protocol_that_nobody_knows_is_an_error() -> None:
    storage = StorageSettings(file_share="gopher://share/folder")
    assert [item.level for item in check_share(Settings(storage=storage), 10.0)] == ["error"]


def test_what_the_work_raises_is_raised_and_what_hangs_is_left_behind() -> None:
    assert within(5.0, lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: str(1 / 0))
    free = threading.Event()
    started = time.monotonic()
    with pytest.raises(Exception, match="no answer within"):
        within(0.05, lambda: str(free.wait(60)))
    free.set()
    assert time.monotonic() - started < 60
