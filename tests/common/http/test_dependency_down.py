"""The database goes away and comes back: what callers are told meanwhile."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from common.app import create_app
from common.http.dependencies import dependency_down
from common.settings import DatabaseSettings, PluginSettings, Settings, StorageSettings
from tests.support import backends
from tests.support.clients import Client
from tests.support.problems import assert_problem

REQUEST = {"requiredField": "Ada"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/jobs", {}),
    ("GET", "/jobs/0123456789abcdefghjkmnpqrst", {}),
    ("DELETE", "/jobs/0123456789abcdefghjkmnpqrst", {}),
    ("GET", "/registry", {}),
    ("POST", "/sample_model/predict", {"json": REQUEST, "headers": {"Prefer": "respond-async"}}),
    ("POST", "/sample_model/train", {"json": {"x": [0, 1], "y": [0, 1]}}),
]


@pytest.fixture(scope="module")
def server() -> Iterator[backends.PostgresServer]:
    try:
        made = backends.PostgresServer()
    except backends.Missing as exc:
        backends.missing(str(exc))
    made.start()
    yield made
    made.close()


class Asking(Client):
    """A client that knows its app."""

    app: FastAPI


def client_of(url: str, state: Path) -> Asking:
    settings = Settings(
        plugins=PluginSettings(service_model=("sample",)),
        storage=StorageSettings(state_dir=state),
        database=DatabaseSettings(url=url),
    )
    return Asking(create_app(settings))


def test_a_database_that_is_down_is_said_to_be_and_found_when_it_is_back(
    server: backends.PostgresServer, tmp_path: Path
) -> None:
    client = client_of(f"{server.url}/postgres", tmp_path)
    assert client.get("/jobs").status_code == 200
    server.stop()
    for method, path, more in CALLS:
        answer = client.request(method, path, **more)
        assert_problem(answer, 424, kind="dependency-failed", told="the database cannot be used at the moment")
        assert int(answer.headers["retry-after"]) >= 1
        assert str(server.port) not in answer.text
    assert client.post("/sample_model/predict", json=REQUEST).status_code == 200
    server.start()
    assert client.get("/jobs").status_code == 200
    client.app.state.runtime.jobs.stop(0)


def test_a_database_that_was_never_there_is_said_to_be_down(tmp_path: Path) -> None:
    client = client_of("postgresql://nobody:hunter22@127.0.0.1:1/none", tmp_path)
    answer = client.get("/jobs")
    assert_problem(answer, 424, kind="dependency-failed")
    assert "hunter22" not in answer.text


def test_a_mistake_in_a_statement_is_no_dependency_that_is_down() -> None:
    with sa.create_engine("sqlite://").connect() as connection, pytest.raises(OperationalError) as caught:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert dependency_down(caught.value) is None
    assert dependency_down(ValueError()) is None


def test_an_error_while_another_thread_imports_the_database_is_no_dependency_that_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As `sys.modules` has a module while it is executed.
    monkeypatch.setitem(sys.modules, "sqlalchemy.exc", ModuleType("sqlalchemy.exc"))
    assert dependency_down(ValueError()) is None


def test_a_file_that_cannot_be_opened_is_a_database_that_is_down(tmp_path: Path) -> None:
    with pytest.raises(OperationalError) as caught:
        sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder.db").connect()
    down = dependency_down(caught.value)
    assert down is not None
    assert down.status == 424
