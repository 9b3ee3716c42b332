"""`/keys`, as callers see it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from common.app import create_app
from common.clock import SystemClock
from common.security.keys import store
from common.security.keys.record import KeyRecord
from common.security.keys.secret import new_key
from common.security.scopes import Scope
from common.settings import DatabaseSettings, PluginSettings, SecuritySettings, Settings, StorageSettings
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.servers import free_port

BODY = {"requiredField": "Ada"}
ADMIN_KEY = "an-admin-key-of-more-than-32-characters"


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return closed_app(tmp_path / "state")


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture
def admin(app: FastAPI) -> dict[str, str]:
    return bearer(make_key(app, Scope.ADMIN, name="admin"))


def made(client: Client, admin: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = client.post("/keys", headers=admin, json={"name": "dashboard", **fields})
    assert answer.status_code == 201, answer.text
    info: dict[str, Any] = answer.json()
    return info


def predicted(client: Client, key: str) -> httpx.Response:
    return client.post("/sample_model/predict", headers=bearer(key), json=BODY)


def test_a_key_is_shown_once_and_works_at_once(client: Client, admin: dict[str, str]) -> None:
    answer = client.post("/keys", headers=admin, json={"name": "dashboard"})
    info = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/keys/{info['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert predicted(client, info["key"]).status_code == 200
    told = client.get("/keys", headers=admin).text + client.get(f"/keys/{info['id']}", headers=admin).text
    assert info["prefix"] in told
    assert info["key"][17:] not in told


def test_a_key_may_what_it_was_made_for_and_no_more(client: Client, admin: dict[str, str]) -> None:
    key = made(client, admin)["key"]
    answer = client.get("/keys", headers=bearer(key))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer realm="atoll", error="insufficient_scope", scope="admin"'
    answer = client.post("/sample_model/train", headers=bearer(key), json={})
    assert answer.status_code == 403


def test_a_caller_is_told_who_they_are(client: Client, admin: dict[str, str]) -> None:
    info = made(client, admin, scopes=["train", "predict"], models=["sample"])
    assert client.get("/keys/self", headers={"X-API-Key": info["key"]}).json() == {
        "id": f"key:{info['id']}",
        "kind": "key",
        "name": "dashboard",
        "scopes": ["predict", "train"],
        "models": ["sample"],
    }


def test_a_revoked_key_is_refused_and_revoking_it_again_changes_nothing(client: Client, admin: dict[str, str]) -> None:
    info = made(client, admin)
    assert predicted(client, info["key"]).status_code == 200
    answers = [client.request("DELETE", f"/keys/{info['id']}", headers=admin) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["state"] == "revoked"
    refused = predicted(client, info["key"])
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="atoll", error="invalid_token"'
    assert "was revoked at" in refused.json()["detail"]
    listed = [
        [key["id"] for key in client.get(path, headers=admin).json()["keys"]]
        for path in ("/keys", "/keys?include=revoked")
    ]
    assert info["id"] not in listed[0]
    assert info["id"] in listed[1]


def test_the_last_admin_key_stays(client: Client, admin: dict[str, str]) -> None:
    own = client.get("/keys/self", headers=admin).json()["id"].removeprefix("key:")
    answer = client.request("DELETE", f"/keys/{own}", headers=admin)
    assert answer.status_code == 409
    assert "Make another one first" in answer.json()["detail"]
    assert client.get("/keys", headers=admin).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.name"),
        ({"name": "a", "scopes": []}, "body.scopes"),
        ({"name": "a", "scopes": ["root"]}, "body.scopes.0"),
        ({"name": "a", "models": ["nope"]}, "body.models"),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
        ({"name": "a", "expires_at": "tomorrow"}, "body.expires_at"),
        ({"name": "a", "key": "mine"}, "body.key"),
    ],
)
def test_a_wrong_field_is_named(client: Client, admin: dict[str, str], body: dict[str, Any], field: str) -> None:
    answer = client.post("/keys", headers=admin, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field


def test_keys_are_read_page_by_page(client: Client, admin: dict[str, str]) -> None:
    for _ in range(2):
        made(client, admin)
    first = client.get("/keys?limit=2", headers=admin).json()
    second = client.get(f"/keys?limit=2&before={first['next']}", headers=admin).json()
    assert [len(first["keys"]), len(second["keys"]), second["next"]] == [2, 1, None]


@pytest.mark.parametrize("query", ["include=all", "limit=0", "limit=1001", "before=" + "x" * 81])
def test_a_wrong_query_is_invalid(client: Client, admin: dict[str, str], query: str) -> None:
    assert client.get(f"/keys?{query}", headers=admin).status_code == 422


@pytest.mark.parametrize(("method", "key_id"), [("GET", "0123456789ab"), ("DELETE", "nobody"), ("GET", "%00")])
def test_an_unknown_key_is_not_found(client: Client, admin: dict[str, str], method: str, key_id: str) -> None:
    answer = client.request(method, f"/keys/{key_id}", headers=admin)
    assert answer.status_code == 404
    assert "there is no key" in answer.json()["detail"]


def test_a_key_without_scopes_is_refused_everywhere(app: FastAPI, client: Client) -> None:
    record_key, now = new_key(), SystemClock().now()
    record = KeyRecord(record_key.id, record_key.digest, "none", frozenset(), None, now, "test")
    app.state.runtime.keys.store().change(lambda connection: store.insert(connection, record), now)
    for path in ("/keys/self", "/models", "/jobs", "/datasets", "/metrics", "/keys", "/nowhere"):
        assert client.get(path, headers=bearer(record_key.text)).status_code == 403, path
    assert predicted(client, record_key.text).status_code == 403


def test_without_its_database_the_server_takes_the_admin_key_of_the_settings_and_asks_others_to_wait(
    tmp_path: Path,
) -> None:
    url = f"postgresql://atoll@127.0.0.1:{free_port()}/atoll"
    app = create_app(
        Settings(
            plugins=PluginSettings(service_model=("sample",)),
            storage=StorageSettings(state_dir=tmp_path),
            database=DatabaseSettings(url=url),
            security=SecuritySettings(admin_key=ADMIN_KEY),
        )
    )
    client = Client(app)
    assert client.get("/keys/self", headers=bearer(ADMIN_KEY)).json()["id"] == "key:admin"
    assert predicted(client, ADMIN_KEY).status_code == 200
    for answer in (predicted(client, new_key().text), client.get("/keys", headers=bearer(ADMIN_KEY))):
        assert answer.status_code == 424
        assert int(answer.headers["retry-after"]) >= 1
