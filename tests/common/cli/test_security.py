"""`atoll audit`, from a server and from the database itself."""

import json
from pathlib import Path

import pytest

from tests.support.servers import Server, run_python

KEY = "an admin key of this test alone".replace(" ", "-") + "-0123"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """One that has made a key, and refused another call; it has ended, and its database stays."""
    env = {"SERVICE_MODEL": "sample", "ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": KEY}
    made = Server(tmp_path_factory.mktemp("audit"), env=env, ready=False)
    try:
        admin = {"Authorization": f"Bearer {KEY}"}
        key = made.post("/keys", json={"name": "eve", "scopes": ["predict"]}, headers=admin).json()["key"]
        assert made.get("/keys", headers={"X-API-Key": key}).status_code == 403
        run = run_python(["-m", "common.cli", "--url", made.url, "audit"], made.log_file.parent, {"ATOLL_KEY": KEY})
        (made.log_file.parent / "asked.json").write_text(run.stdout)
    finally:
        made.stop()
    return made


def told(state: Path, *options: str) -> list[dict[str, object]]:
    run = run_python(["-m", "common.cli", "audit", "--local", *options], state)
    found: list[dict[str, object]] = json.loads(run.stdout)
    return found


def test_a_server_and_its_database_tell_the_same(server: Server) -> None:
    state = server.log_file.parent
    asked = json.loads((state / "asked.json").read_text())
    assert [item["action"] for item in asked] == ["access.refused", "key.created"]
    assert told(state) == asked


def test_records_are_chosen_by_what_and_when(server: Server) -> None:
    state = server.log_file.parent
    assert [item["action"] for item in told(state, "--action", "key")] == ["key.created"]
    assert [item["action"] for item in told(state, "--limit", "1")] == ["access.refused"]
    assert told(state, "--before", "2020-01-01") == []


def test_what_is_no_time_is_wrong_usage(tmp_path: Path) -> None:
    run = run_python(["-m", "common.cli", "audit", "--local", "--after", "yesterday"], tmp_path)
    assert run.returncode == 2
    assert "is no time" in run.stderr
