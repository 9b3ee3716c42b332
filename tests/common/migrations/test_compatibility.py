"""A release is taken back after it changed the database: what the release before does then."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from common.app import create_app
from common.database import Database
from common.errors import SettingsError
from common.jobs.states import State
from common.migrations import config, find, head
from common.migrations.compatibility import Found, oldest_code
from common.settings import CHECKOUT, DatabaseSettings, PluginSettings, Settings, StorageSettings
from tests.common.migrations.releases import ADDS, GROWS_TOO_STRICT, TAKES, narrowed, release, shape, step
from tests.jobs.conftest import (  # noqa: F401  # fixtures
    clock,
    database,
    database_url,
    make_kernel,
    postgresql_server,
    postgresql_template,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
from tests.jobs.kernel import Kernel, wait_until
from tests.support.clients import Client
from tests.support.problems import assert_problem

OURS = head()
# The first whose file has to say which code may run on.
_SAYS_SO = 10


@pytest.fixture
def upgrade(database: Database, tmp_path: Path) -> Callable[..., None]:  # noqa: F811 - a fixture
    """Does what the start of a later release does to the database."""

    def make(does: str, oldest: str | None = None, **more: Any) -> None:
        with release(tmp_path / "later", step(does, oldest, **more)):
            database.migrate()

    return make


def test_older_code_works_on_a_schema_that_only_grew(
    upgrade: Callable[..., None],
    make_kernel: Callable[..., Kernel],  # noqa: F811 - a fixture
    database: Database,  # noqa: F811 - a fixture
) -> None:
    upgrade(ADDS, OURS)
    database.migrate()
    kernel = make_kernel()
    assert kernel.run(kernel.submit()).state is State.SUCCEEDED
    # And it left the schema as it was.
    with database.reading() as connection:
        assert find(connection) == Found("9998", OURS)


def test_older_code_says_once_in_the_log_that_the_schema_is_a_later_one(
    upgrade: Callable[..., None],
    database: Database,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests are of the same process.
    monkeypatch.setattr("common.database.database._told", set())
    upgrade(ADDS, OURS)
    with capture_logs() as logged:
        database.migrate()
        database.migrate()
    ((level, schema, known),) = [(line["log_level"], line["schema"], line["known"]) for line in logged]
    assert (level, schema, known) == ("warning", "9998", OURS)


@pytest.mark.parametrize("said", [None, "9998"])
def test_older_code_refuses_a_schema_that_it_may_not_use_and_leaves_it_alone(
    said: str | None,
    upgrade: Callable[..., None],
    database: Database,  # noqa: F811 - a fixture
) -> None:
    upgrade(TAKES, said)
    with pytest.raises(SettingsError, match="start a release that knows 9998 or later"):
        database.migrate()
    with database.reading() as connection:
        assert find(connection) == Found("9998", "9998")


def test_what_was_said_of_an_earlier_step_does_not_hold_for_a_later_one(
    upgrade: Callable[..., None],
    database: Database,  # noqa: F811 - a fixture
) -> None:
    upgrade(ADDS, OURS)
    with database.transaction() as connection:
        # As by a step that was made by hand.
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match="9999"):
        database.migrate()


def test_the_release_that_was_taken_back_starts_again_on_its_own_schema(
    upgrade: Callable[..., None],
    database: Database,  # noqa: F811 - a fixture
) -> None:
    upgrade(ADDS, OURS)
    database.migrate()
    upgrade(ADDS, OURS)
    with database.reading() as connection:
        assert find(connection) == Found("9998", OURS)


def test_a_step_that_takes_something_away_counts_for_all_later_ones(
    database: Database,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    takes = step(TAKES, "9998")
    adds = step('op.create_table("more", sa.Column("id", sa.Integer(), primary_key=True))', OURS, "9999", "9998")
    with release(tmp_path / "later", takes | adds):
        database.migrate()
    with pytest.raises(SettingsError, match="knows 9998 or later"):
        database.migrate()


def test_a_database_of_another_program_is_refused_and_named(database: Database) -> None:  # noqa: F811 - a fixture
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ae1027a6acf'")
    with pytest.raises(SettingsError, match="'ae1027a6acf', which is none of Atoll's"):
        database.migrate()


def test_a_worker_that_may_not_use_the_schema_ends_and_says_why_in_one_line(
    upgrade: Callable[..., None],
    database_url: str,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    upgrade(TAKES)
    given = {"DATABASE_URL": database_url, "ATOLL_STATE": str(tmp_path / "state"), "SERVICE_MODEL": "sample"}
    command = [sys.executable, "-m", "common.jobs", "worker", "--once", "--queue", "prediction-cpu"]
    done = subprocess.run(command, cwd=CHECKOUT, env=given, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("atoll: the database has schema 9998, and this release knows")


def test_a_server_that_may_not_use_the_schema_predicts_but_takes_no_job_and_is_not_ready(
    upgrade: Callable[..., None],
    database_url: str,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    upgrade(TAKES)
    settings = Settings(
        plugins=PluginSettings(service_model=("sample",)),
        storage=StorageSettings(state_dir=tmp_path / "state"),
        database=DatabaseSettings(url=database_url),
    )
    client = Client(create_app(settings))
    body = {"requiredField": "Atoll"}
    refused = client.post("/sample_model/predict", json=body, headers={"Prefer": "respond-async"})
    assert_problem(refused, 424, told="schema 9998")
    assert client.post("/sample_model/predict", json=body).status_code == 200
    assert_problem(client.get("/health/ready"), 503, told="schema 9998")


def test_a_server_that_shares_its_database_finds_out_before_anybody_asks_for_a_job(
    postgresql_url: str,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    later = Database(postgresql_url)
    with release(tmp_path / "later", step(TAKES)):
        later.migrate()
    later.close()
    settings = Settings(
        plugins=PluginSettings(service_model=("sample",), roles=frozenset({"http"})),
        storage=StorageSettings(state_dir=tmp_path / "state"),
        database=DatabaseSettings(url=postgresql_url),
    )
    app = create_app(settings)
    app.state.runtime.start(background=True)
    wait_until(lambda: app.state.runtime.refusal, "the refusal")
    assert_problem(Client(app).get("/health/ready"), 503, told="schema 9998")
    app.state.runtime.stop()


@given(
    revision=st.one_of(st.none(), st.integers(1, 30).map(lambda number: f"{number:04}")),
    oldest=st.one_of(st.none(), st.integers(1, 30).map(lambda number: f"{number:04}")),
    ours=st.integers(1, 30).map(lambda number: f"{number:04}"),
)
def test_only_what_is_said_lets_older_code_run(revision: str | None, oldest: str | None, ours: str) -> None:
    standing = Found(revision, oldest).standing(ours)
    if revision is None:
        assert standing == "empty"
    elif revision <= ours:
        assert standing == ("current" if revision == ours else "older")
    else:
        assert standing == ("newer" if oldest is not None and oldest <= ours else "too new")


@pytest.mark.parametrize("revision", ["", "10", "00010", "ae1027a6acf", "00x9", "\u0660\u0660\u0661\u0660"])
def test_a_revision_that_is_no_number_of_ours_is_foreign(revision: str) -> None:
    assert Found(revision, "0001").standing("0009") == "foreign"


def test_a_step_that_says_nothing_lets_only_its_own_code_run() -> None:
    assert oldest_code([("0009", None), ("0010", "0009")]) == "0009"
    assert oldest_code([("0010", None), ("0011", "0009")]) == "0010"


def test_from_the_tenth_on_each_step_says_which_code_may_run_on() -> None:
    steps = ScriptDirectory.from_config(config()).walk_revisions()
    silent = [step.revision for step in steps if not hasattr(step.module, "oldest_code")]
    assert silent == [number for number in reversed([f"{n:04}" for n in range(1, _SAYS_SO)]) if number <= OURS]


def test_steps_that_let_older_code_run_take_nothing_away(tmp_path: Path) -> None:
    """Those up to the ninth say nothing, and took nothing away either."""
    assert _narrowings(tmp_path) == {}


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (TAKES, "column jobs.path is gone"),
        (GROWS_TOO_STRICT, "column jobs.colour has to be given"),
        ('op.create_index("one_a_day", "jobs", ["created_at"], unique=True)', "jobs has to be unique by one_a_day"),
        ('op.drop_table("task_keys")', "table task_keys is gone"),
    ],
)
def test_a_step_that_says_so_wrongly_is_seen(does: str, told: str, tmp_path: Path) -> None:
    with release(tmp_path / "later", step(does, OURS)):
        assert _narrowings(tmp_path) == {"9998": [told]}


def _narrowings(folder: Path) -> dict[str, list[str]]:
    """What each step takes away that says, or before the tenth did not have to say, that older code may run on."""
    folder.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{folder / 'steps.db'}")  # noqa: F811 - one of its own
    made, found = config(), {}
    steps = list(ScriptDirectory.from_config(made).walk_revisions())[::-1]
    with database.transaction() as connection:
        made.attributes["connection"] = connection
        before = shape(connection)
        for item in steps:
            command.upgrade(made, item.revision)
            after = shape(connection)
            said = getattr(item.module, "oldest_code", "0001")
            if said < item.revision and (wrong := narrowed(before, after)):
                found[item.revision] = wrong
            before = after
    database.close()
    return found
