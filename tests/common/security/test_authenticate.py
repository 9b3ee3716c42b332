"""Who calls, from what a request carries."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from common.errors import DependencyFailed, Unauthorized
from common.http.replay import replay
from common.security.anonymous import AnonymousRule
from common.security.authenticate import CREDENTIAL_CHARS, Authenticate, credential_of, principal_of, refusal_of
from common.security.principal import ANONYMOUS, Principal
from common.security.scopes import ALL_SCOPES
from common.security.scopes import Scope as Permission
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.problems import assert_problem

ANN = Principal("key:ann", "key", frozenset({Permission.PREDICT}))


class Keys:
    """Keys in memory: `known` ones are told at once, others when they are verified."""

    def __init__(self, known: dict[str, Principal], others: dict[str, Principal | Exception]) -> None:
        self._known, self._others = known, others
        self.verified: list[str] = []

    def recognises(self, credential: str) -> bool:
        return credential.startswith("k-")

    def known(self, credential: str) -> Principal | None:
        return self._known.get(credential)

    async def verify(self, credential: str) -> Principal:
        self.verified.append(credential)
        found = self._others[credential]
        if isinstance(found, Exception):
            raise found
        return found


def authenticated(
    headers: Sequence[tuple[str, str]], keys: Keys | None = None, rule: AnonymousRule | None = None
) -> Scope:
    """The request's scope as the layers within find it."""
    seen: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        raise AssertionError("nothing is read here")

    async def send(message: Message) -> None:
        raise AssertionError("nothing is answered here")

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    layer = Authenticate(inner, lambda: (keys,) if keys else (), (rule or AnonymousRule(frozenset())).admit)
    asyncio.run(layer({"type": "http", "headers": raw, "server": ("127.0.0.1", 80)}, receive, send))
    return seen[0]


def refused(headers: Sequence[tuple[str, str]], keys: Keys | None = None) -> Exception:
    scope = authenticated(headers, keys, AnonymousRule(ALL_SCOPES))
    # Never is a caller with a bad credential taken for one without.
    assert principal_of(scope) is ANONYMOUS
    return refusal_of(scope, "a key")


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Bearer k-ann")],
        [("authorization", "bearer  k-ann ")],
        [("X-API-Key", "k-ann")],
        [("X-API-Key", "k-ann"), ("Authorization", "Bearer k-ann")],
    ],
)
def test_a_key_is_taken_from_either_header_and_from_both_if_they_agree(headers: list[tuple[str, str]]) -> None:
    assert principal_of(authenticated(headers, Keys({"k-ann": ANN}, {}))) == ANN


def test_what_memory_knows_is_not_verified_again() -> None:
    keys = Keys({"k-ann": ANN}, {"k-new": ANN})
    authenticated([("X-API-Key", "k-ann")], keys)
    assert keys.verified == []
    authenticated([("X-API-Key", "k-new")], keys)
    assert keys.verified == ["k-new"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([("X-API-Key", "k-ann"), ("Authorization", "Bearer k-bob")], "different credentials"),
        ([("X-API-Key", "k-ann"), ("X-API-Key", "k-ann")], "is there 2 times"),
        ([("Authorization", "Bearer k-ann"), ("Authorization", "Bearer k-bob")], "is there 2 times"),
        ([("Authorization", "Basic YTpi")], "another scheme than Bearer"),
        ([("Authorization", "k-ann")], "another scheme than Bearer"),
        ([("Authorization", "Bearer ")], "empty"),
        ([("X-API-Key", "k-ann, k-bob")], "characters that no key"),
        ([("X-API-Key", "k-\xe4nn")], "characters that no key"),
        ([("X-API-Key", "k-\x00")], "characters that no key"),
        ([("X-API-Key", "k-" + "x" * CREDENTIAL_CHARS)], "longer than"),
        ([("X-API-Key", "unknown")], "neither a key"),
    ],
)
def test_what_is_no_credential_is_refused_with_what_to_send(headers: list[tuple[str, str]], told: str) -> None:
    error = refused(headers, Keys({"k-ann": ANN}, {}))
    assert isinstance(error, Unauthorized)
    assert told in error.detail
    assert error.headers["WWW-Authenticate"] == 'Bearer realm="atoll", error="invalid_token"'


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_header_without_a_value_is_as_none(name: str, value: str) -> None:
    """A script sends it for a variable that is not set; where everybody may call, so may the script."""
    open_to_all = authenticated([(name, value)], Keys({}, {}), AnonymousRule(ALL_SCOPES))
    assert principal_of(open_to_all).scopes == ALL_SCOPES
    other = {"X-API-Key": "Authorization", "Authorization": "X-API-Key"}[name]
    credential = "Bearer k-ann" if other == "Authorization" else "k-ann"
    assert principal_of(authenticated([(name, value), (other, credential)], Keys({"k-ann": ANN}, {}))) == ANN


def test_a_header_without_a_value_opens_nothing() -> None:
    scope = authenticated([("X-API-Key", "")], Keys({}, {}))
    assert principal_of(scope).scopes == frozenset()
    assert isinstance(refusal_of(scope, "a key"), Unauthorized)


def test_a_header_too_long_is_refused_before_anything_looks_into_it() -> None:
    with pytest.raises(Unauthorized):
        credential_of({b"authorization": [b"Bearer " + b"\xff" * 1_000_000]})


def test_a_key_that_is_refused_is_told_why() -> None:
    error = refused([("X-API-Key", "k-old")], Keys({}, {"k-old": Unauthorized("this key has expired")}))
    assert isinstance(error, Unauthorized)
    assert error.detail == "this key has expired"


def test_a_database_that_is_away_is_no_fault_of_the_key() -> None:
    error = refused([("X-API-Key", "k-ann")], Keys({}, {"k-ann": DependencyFailed("the database is away")}))
    assert isinstance(error, DependencyFailed)
    assert "WWW-Authenticate" not in error.headers


def test_no_verifier_is_made_for_a_caller_without_a_credential() -> None:
    def never() -> Sequence[Keys]:
        raise AssertionError("asked for verifiers")

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        assert principal_of(scope).scopes == ALL_SCOPES

    layer = Authenticate(inner, never, AnonymousRule(ALL_SCOPES).admit)
    asyncio.run(layer({"type": "http", "headers": [], "server": None}, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]
)
def test_what_proxies_add_shows_that_a_request_came_through_one(name: str) -> None:
    scope = authenticated([("Host", "localhost"), (name, "x")], rule=AnonymousRule(ALL_SCOPES, only_here=True))
    assert principal_of(scope) is ANONYMOUS
    assert "proxy" in str(refusal_of(scope, "a key"))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    app = closed_app(tmp_path)
    yield app
    app.state.runtime.stop()


def test_a_replayed_request_is_its_owners_and_no_header_can_say_so(app: FastAPI) -> None:
    client = Client(app)
    refused = client.post("/sample_model/predict", json={"requiredField": "x"}, headers={"Atoll.Replay": "1"})
    assert_problem(refused, 401)
    body = b'{"requiredField": "x"}'
    assert asyncio.run(replay(app, "POST", "/sample_model/predict", body=body, principal=ANN)).status == 200
    assert asyncio.run(replay(app, "POST", "/sample_model/train", body=body, principal=ANN)).status == 403


def test_a_public_route_answers_whatever_is_sent_along(app: FastAPI) -> None:
    assert Client(app).get("/health/live", headers=bearer("nonsense")).status_code == 200


def test_a_public_route_waits_for_nothing_that_would_tell_who_sends_a_key_along(app: FastAPI) -> None:
    keys = Keys({}, {"k-ann": DependencyFailed("the issuer is away")})
    app.state.runtime._verifiers = (keys,)
    client = Client(app)
    for method, path in [("GET", "/health/live"), ("HEAD", "/health/live"), ("GET", "/docs"), ("GET", "/openapi.json")]:
        assert client.request(method, path, headers=bearer("k-ann")).status_code in (200, 405), path
    assert keys.verified == []
    for path in ("/models", "/keys", "/nowhere", "/health/livex", "/sample_model/predict"):
        assert_problem(client.get(path, headers=bearer("k-ann")), 424)
    assert keys.verified == ["k-ann"] * 5


def test_the_database_is_not_opened_for_whoever_sends_no_key(app: FastAPI) -> None:
    client = Client(app)
    for path in ("/models", "/jobs", "/health/live", "/nowhere"):
        client.get(path)
    assert not (app.state.runtime.settings.storage.state_dir / "atoll.db").exists()


def test_the_access_log_names_the_caller_and_never_the_key(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    key = make_key(app, Permission.PREDICT)
    for headers in (bearer(key), {"X-API-Key": key + "x"}, {}):
        Client(app).get("/models", headers=headers)
    events = [cast("dict[str, Any]", record.msg) for record in caplog.records if record.name == "atoll.http"]
    assert [event.get("principal") for event in events] == [f"key:{key[4:16]}", None, None]
    assert key[17:] not in str(caplog.records) + caplog.text
