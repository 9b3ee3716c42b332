"""The first key of an installation."""

import io
import re
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.clock import FakeClock
from common.database import Database
from common.runtime import Runtime
from common.security.keys.first import Outcome, ensure_first, make_first
from common.security.keys.held import needs_first, told_under_functions
from common.security.keys.service import KeyService
from common.security.keys.store import KeyStore
from common.security.keys.verifier import KeyVerifier
from common.security.scopes import Scope
from common.settings import (
    DatabaseSettings,
    HttpSettings,
    OidcSettings,
    PluginSettings,
    SecuritySettings,
    Settings,
    StorageSettings,
)
from tests.common.security.keys.conftest import ADMIN, ask
from tests.support.servers import Server, free_port, wait_for

KEY = re.compile(r"atl_[0-9a-z]{12}_[A-Za-z0-9_-]{43}")
EVERYWHERE = HttpSettings(host="0.0.0.0")  # noqa: S104


@pytest.mark.parametrize(
    ("given", "is_needed"),
    [
        ({"http": EVERYWHERE}, True),
        ({"http": EVERYWHERE, "security": SecuritySettings(anonymous_scopes=frozenset({Scope.PREDICT}))}, True),
        ({"security": SecuritySettings(anonymous_scopes=frozenset())}, True),
        ({}, False),
        ({"http": EVERYWHERE, "security": SecuritySettings(anonymous_scopes=frozenset({Scope.ADMIN}))}, False),
        ({"http": EVERYWHERE, "security": SecuritySettings(admin_key="k" * 32)}, False),
        ({"http": EVERYWHERE, "oidc": OidcSettings(issuer="https://issuer.example", audience="atoll")}, False),
        ({"http": EVERYWHERE, "security": SecuritySettings(functions_runtime="python")}, False),
    ],
)
def test_it_is_needed_where_nobody_could_call_without_it(given: dict[str, Any], is_needed: bool) -> None:
    assert needs_first(Settings(**given)) is is_needed


def test_under_functions_the_log_says_how_to_get_one_and_no_key_is_made() -> None:
    told = told_under_functions(Settings(security=SecuritySettings(functions_runtime="python"))) or ""
    assert "ATOLL_ADMIN_KEY" in told
    assert "atoll keys create" in told
    assert KEY.search(told) is None
    closed = SecuritySettings(functions_runtime="python", admin_key="k" * 32)
    assert told_under_functions(Settings(security=closed)) is None
    assert told_under_functions(Settings(http=EVERYWHERE)) is None


def test_a_process_under_functions_logs_at_its_start_how_to_get_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr("common.runtime.log", SimpleNamespace(info=lambda event, **_: logged.append(event)))
    security = SecuritySettings(functions_runtime="python")
    storage = StorageSettings(state_dir=tmp_path)
    runtime = Runtime.build(
        Settings(plugins=PluginSettings(service_model=("sample",)), storage=storage, security=security)
    )
    runtime.start()
    wait_for(lambda: "models" in logged, "the models to load", lambda: None)
    assert any("set ATOLL_ADMIN_KEY" in event for event in logged)


def test_it_is_an_admin_key_and_made_once(database: Database, store: KeyStore, clock: FakeClock) -> None:
    outcome, made = make_first(database, clock)
    assert outcome is Outcome.MADE
    assert make_first(database, clock)[0] is Outcome.THERE_IS_ONE
    found = ask(KeyVerifier(lambda: store, clock, gap_s=0), made.text)
    assert (found.id, found.scopes) == (f"key:{made.id}", frozenset({Scope.ADMIN}))
    assert [record.created_by for record in store.all()] == ["first start"]


def test_none_is_made_where_there_is_an_admin_key(
    database: Database, clock: FakeClock, make_key: Callable[..., str]
) -> None:
    make_key(scopes=["admin"])
    assert make_first(database, clock)[0] is Outcome.THERE_IS_ONE


def test_one_that_was_revoked_is_not_made_again(
    database: Database, clock: FakeClock, make_service: Callable[..., KeyService]
) -> None:
    _, made = make_first(database, clock)
    make_service(has_other_way_in=True).revoke(made.id, ADMIN)
    assert make_first(database, clock)[0] is Outcome.LOST


def test_of_many_that_start_at_once_one_makes_it(database_url: str, clock: FakeClock) -> None:
    together, outcomes = threading.Barrier(6), []

    def start() -> None:
        mine = Database(database_url)
        together.wait()
        outcomes.append(make_first(mine, clock)[0])
        mine.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.name for outcome in outcomes) == ["MADE"] + ["THERE_IS_ONE"] * 5


def test_it_is_printed_once(tmp_path: Path) -> None:
    settings = Settings(http=EVERYWHERE, storage=StorageSettings(state_dir=tmp_path))
    first, second = io.StringIO(), io.StringIO()
    ensure_first(settings, first)
    ensure_first(settings, second)
    assert len(KEY.findall(first.getvalue())) == 1
    assert second.getvalue() == ""


def test_whoever_starts_a_server_that_has_lost_its_admin_key_is_told_what_to_do(tmp_path: Path) -> None:
    settings = Settings(http=EVERYWHERE, storage=StorageSettings(state_dir=tmp_path))
    database = Database.build(settings)
    database.migrate()
    _, made = make_first(database, FakeClock())
    KeyService(KeyStore(database), FakeClock(), models=list, has_other_way_in=True).revoke(made.id, ADMIN)
    database.close()
    out = io.StringIO()
    ensure_first(settings, out)
    assert "atoll keys create NAME --scope admin --local" in out.getvalue()
    assert KEY.search(out.getvalue()) is None


def test_a_database_that_is_away_does_not_keep_a_server_from_starting() -> None:
    url = f"postgresql://atoll@127.0.0.1:{free_port()}/atoll"
    out = io.StringIO()
    ensure_first(Settings(http=EVERYWHERE, database=DatabaseSettings(url=url)), out)
    assert "the database cannot be used" in out.getvalue()
    assert "atoll keys create NAME --scope admin --local" in out.getvalue()


def test_a_server_that_others_can_reach_prints_one_key_that_stands_in_no_file(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    env = {"HOST": "0.0.0.0", "SERVICE_MODEL": "sample", "LOG_FORMAT": "json"}  # noqa: S104
    server = start_server(env=env, ready=False)
    [key] = KEY.findall(server.log)
    assert server.get("/models").status_code == 401
    assert server.get("/keys/self", headers={"Authorization": f"Bearer {key}"}).json()["scopes"] == ["admin"]
    assert not any(key[17:] in line for line in server.log.splitlines() if line.startswith("{"))
    state = server.log_file.parent
    written = {path.name for path in state.rglob("*") if path.is_file() and key[17:].encode() in path.read_bytes()}
    assert written == {"server.log"}
