"""What gets into the audit log by using the API, and how it is read."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from common.security.scopes import Scope
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.plugins import write_plugin
from tests.support.problems import assert_problem

TRAINED = """
    from fastapi import APIRouter
    from pydantic import BaseModel
    from common.plugins import Plugin

    class Wanted(BaseModel):
        size: int = 1

    router = APIRouter(prefix="/trained")

    def train(request, context):
        return {}

    @router.post("/predict")
    async def predict(body: Wanted) -> int:
        return body.size

    plugin = Plugin(title="Trained", train=train, train_request=Wanted)
"""


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    path = write_plugin(tmp_path / "plugins", "trained", TRAINED)
    return closed_app(tmp_path / "state", path=(path,), serve=("trained",))


@pytest.fixture
def admin(app: FastAPI) -> dict[str, str]:
    return bearer(make_key(app, Scope.ADMIN, name="root"))


def records(app: FastAPI, admin: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    answer = Client(app).get(f"/audit{query}", headers=admin)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["records"]
    return found


def test_what_is_done_to_jobs_keys_and_data_sets_is_recorded(app: FastAPI, admin: dict[str, str]) -> None:
    client = Client(app)
    made = client.post("/keys", json={"name": "Eve", "scopes": ["train"]}, headers=admin)
    key = bearer(made.json()["key"])
    job = client.post("/trained/train", json={"size": 2}, headers=key).json()["id"]
    client.post("/trained/predict", json={}, headers={**admin, "Prefer": "respond-async"})
    client.request("DELETE", f"/jobs/{job}", headers={**admin, "X-Request-ID": "mine"})
    client.request("PUT", "/datasets/set/a.csv", content=b"1,2\n", headers=admin)
    client.request("DELETE", "/datasets/set/a.csv", headers=admin)
    client.request("DELETE", "/datasets/set/a.csv", headers=admin)
    client.request("DELETE", f"/keys/{made.json()['id']}", headers=admin)
    found = [item for item in reversed(records(app, admin)) if item["by"]["kind"] != "system"]
    assert [(item["action"], item["by"]["name"]) for item in found] == [
        ("key.created", "root"),
        ("training.submitted", "Eve"),
        ("job.cancelled", "root"),
        ("dataset.written", "root"),
        ("dataset.deleted", "root"),
        ("key.revoked", "root"),
    ]
    cancelled = found[2]
    assert (cancelled["target"], cancelled["request_id"]) == (job, "mine")
    assert cancelled["details"]["owner"].startswith("key:")
    assert found[3]["details"]["size_bytes"] == 4


def test_a_job_that_is_not_accepted_anew_is_not_recorded_anew(app: FastAPI, admin: dict[str, str]) -> None:
    for _ in range(2):
        Client(app).post("/trained/train", json={}, headers={**admin, "Idempotency-Key": "one"})
    assert len(records(app, admin, "?action=training.submitted")) == 1


def test_an_attempt_at_what_is_for_admin_is_recorded_with_who_made_it(app: FastAPI, admin: dict[str, str]) -> None:
    weak = bearer(make_key(app, Scope.PREDICT, name="Mallory"))
    for _ in range(3):
        assert_problem(Client(app).get("/settings", headers=weak), 403)
    (refused,) = records(app, admin, "?outcome=refused")
    assert (refused["action"], refused["target"], refused["by"]["name"]) == (
        "access.refused",
        "GET /settings",
        "Mallory",
    )


def test_no_record_holds_a_key(app: FastAPI, admin: dict[str, str]) -> None:
    made = Client(app).post("/keys", json={"name": "Eve", "scopes": ["predict"]}, headers=admin).json()["key"]
    text = Client(app).get("/audit", headers=admin).text
    assert made not in text
    assert made.rpartition("_")[2] not in text


def test_it_is_read_page_by_page_and_by_filters(app: FastAPI, admin: dict[str, str]) -> None:
    for number in range(3):
        Client(app).request("PUT", f"/datasets/set/{number}.csv", content=b"1\n", headers=admin)
    first = Client(app).get("/audit?limit=2&action=dataset", headers=admin).json()
    second = Client(app).get(f"/audit?limit=2&action=dataset&cursor={first['next']}", headers=admin).json()
    assert [item["target"] for item in first["records"] + second["records"]] == [f"set/{n}.csv" for n in (2, 1, 0)]
    assert second["next"] is None
    assert records(app, admin, "?who=nobody") == []
    assert records(app, admin, "?after=2999-01-01T00:00:00Z") == []
    assert_problem(Client(app).get("/audit?after=yesterday", headers=admin), 422)
    assert_problem(Client(app).get("/audit?limit=0", headers=admin), 422)
