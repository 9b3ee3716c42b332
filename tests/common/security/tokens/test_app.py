"""Tokens through the whole app, and through a real server."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from common.app import create_app
from common.security.scopes import Scope
from common.settings import HttpSettings, OidcSettings, PluginSettings, SecuritySettings, Settings, StorageSettings
from tests.support.clients import Client
from tests.support.issuer import AUDIENCE, Issuer, rsa_key
from tests.support.problems import assert_problem
from tests.support.servers import Server

CHALLENGE = 'Bearer realm="atoll", error="invalid_token"'


@pytest.fixture
def app(issuer: Issuer, tmp_path: Path) -> FastAPI:
    """The app with the sample plugin, closed to callers without a credential."""
    return create_app(
        Settings(
            http=HttpSettings(),
            plugins=PluginSettings(service_model=("sample",)),
            storage=StorageSettings(state_dir=tmp_path),
            security=SecuritySettings(anonymous_scopes=frozenset()),
            oidc=OidcSettings(issuer=issuer.url, audience=(AUDIENCE,)),
        )
    )


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_opens_what_its_roles_are_for_and_nothing_else(client: Client, issuer: Issuer) -> None:
    headers = bearer(issuer.token(roles=["Atoll.Predict"]))
    assert client.get("/models", headers=headers).status_code == 200
    training = {"x": [0, 1], "y": [1, 3], "trials": 1}
    forbidden = client.post("/sample_model/train", json=training, headers=headers)
    assert_problem(forbidden, 403)
    assert 'error="insufficient_scope"' in forbidden.headers["www-authenticate"]
    for role in ("Atoll.Train", "Atoll.Admin"):
        trainer = bearer(issuer.token(roles=[role]))
        assert client.post("/sample_model/train", json=training, headers=trainer).status_code == 202


def test_a_token_may_come_as_an_api_key_header_too(client: Client, issuer: Issuer) -> None:
    assert client.get("/models", headers={"X-API-Key": issuer.token()}).status_code == 200


def test_a_token_without_a_role_may_see_nothing(client: Client, issuer: Issuer) -> None:
    assert_problem(client.get("/models", headers=bearer(issuer.token(roles=[]))), 403)


WRONG: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "expired": (lambda issuer: issuer.token(exp=1), "has expired"),
    "not yet valid": (lambda issuer: issuer.token(nbf=9_000_000_000, exp=9_100_000_000), "not valid yet"),
    "other audience": (lambda issuer: issuer.token(aud="api://other"), "another audience"),
    "other issuer": (lambda issuer: issuer.token(iss="https://evil.example"), "another issuer"),
    "other key": (lambda issuer: issuer.token(key=rsa_key(7)), "signature is wrong"),
    "unknown key": (lambda issuer: issuer.token(kid="nobody's"), "not (or no longer)"),
    "no algorithm": (lambda issuer: unsigned(issuer, "none"), "algorithm is not taken"),
    "HS256": (lambda issuer: unsigned(issuer, "HS256"), "algorithm is not taken"),
    "a megabyte": (lambda issuer: issuer.token(groups=["g" * 36] * 30_000), "longer than"),
    "no token": (lambda _: "eyJhbGciOiJSUzI1NiJ9.e30.", "another issuer"),
}


def unsigned(issuer: Issuer, algorithm: str) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': algorithm, 'kid': 'first'})}.{part(issuer.claims())}.AAAA"


@pytest.mark.parametrize("kind", WRONG)
def test_a_bad_token_is_answered_401_with_the_reason(client: Client, issuer: Issuer, kind: str) -> None:
    make, told = WRONG[kind]
    response = client.get("/models", headers=bearer(make(issuer)))
    assert_problem(response, 401, told=told)
    assert response.headers["www-authenticate"] == CHALLENGE


def test_a_flood_of_unknown_keys_is_answered_401_and_costs_one_fetch(client: Client, issuer: Issuer) -> None:
    for number in range(50):
        assert_problem(client.get("/models", headers=bearer(issuer.token(kid=f"unknown{number}"))), 401)
    assert issuer.key_fetches == 1
    assert client.get("/models", headers=bearer(issuer.token())).status_code == 200


def test_an_issuer_that_is_away_is_answered_424_with_a_time_to_come_back(client: Client, issuer: Issuer) -> None:
    issuer.status = 503
    response = client.get("/models", headers=bearer(issuer.token()))
    assert_problem(response, 424, told="issuer's keys cannot be had")
    assert 1 <= int(response.headers["retry-after"]) <= 60


def test_health_is_answered_whatever_token_is_sent_along(client: Client, issuer: Issuer) -> None:
    assert client.get("/health/live", headers=bearer(issuer.token(exp=1))).status_code == 200


def test_jobs_belong_to_the_bearer_of_the_token(client: Client, issuer: Issuer) -> None:
    body = {"requiredField": "x"}
    alice, bob = (bearer(issuer.token(sub=name)) for name in ("alice", "bob"))
    accepted = client.post("/sample_model/predict", json=body, headers={**alice, "Prefer": "respond-async"})
    assert accepted.status_code == 202, accepted.text
    where = accepted.headers["location"]
    assert client.get(where, headers=alice).status_code == 200
    assert_problem(client.get(where, headers=bob), 404)
    assert client.get(where, headers=bearer(issuer.token(sub="boss", roles=["Atoll.Admin"]))).status_code == 200


def test_a_server_takes_tokens_and_writes_none_of_them(issuer: Issuer, start_server: Callable[..., Server]) -> None:
    server = start_server(
        env={
            "SERVICE_MODEL": "sample",
            "ANONYMOUS_SCOPES": "none",
            "OIDC_ISSUER": issuer.url,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_ROLES": "Researchers=predict",
            "LOGGING_LEVEL": "DEBUG",
        },
        ready=False,
    )
    good = issuer.token(roles=["Researchers"])
    bad = issuer.token(exp=1)
    assert server.get("/models", headers=bearer(good)).status_code == 200
    assert server.get("/models", headers=bearer(good)).status_code == 200
    assert server.get("/models", headers=bearer(bad)).status_code == 401
    assert server.get("/models", headers=bearer(issuer.token(roles=["Atoll.Predict"]))).status_code == 403
    assert server.get("/models").status_code == 401
    for token in (good, bad):
        assert not any(part in server.log for part in token.split("."))


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_has_a_role_by_default(client: Client, issuer: Issuer, scope: Scope) -> None:
    for role in (scope.value, f"Atoll.{scope.value.capitalize()}"):
        assert client.get("/models", headers=bearer(issuer.token(roles=[role]))).status_code == 200
