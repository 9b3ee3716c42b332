"""From checked claims to the one who calls."""

from typing import Any

import pytest

from common.errors import Unauthorized
from common.security.principal import Principal
from common.security.scopes import Scope
from common.security.tokens.issuers import Issuer
from common.security.tokens.roles import DEFAULT_CLAIMS, DEFAULT_ROLES, parse_roles, principal

TENANT = "11111111-2222-3333-4444-555555555555"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
PLAIN = "https://issuer.example"


def found(claims: dict[str, Any], roles: str = "", names: tuple[str, ...] = DEFAULT_CLAIMS) -> Principal:
    issuer = Issuer.parse(claims.setdefault("iss", PLAIN))
    return principal(claims, issuer, parse_roles(roles) if roles else DEFAULT_ROLES, names)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"roles": ["Atoll.Predict"]}, {"predict"}),
        ({"roles": "Atoll.Predict Atoll.Submit"}, {"predict", "submit"}),
        ({"roles": ["Atoll.Admin", "Other.Role", 7, None]}, {"admin"}),
        ({"scp": "Atoll.Train openid"}, {"train"}),
        ({"scp": ["predict"]}, {"predict"}),
        ({"scope": "openid predict train"}, {"predict", "train"}),
        ({"roles": ["predict"], "scp": "train", "scope": "submit"}, {"predict", "train", "submit"}),
        ({"roles": ["atoll.predict", "PREDICT", " predict"]}, set()),
        ({"roles": {"predict": True}}, set()),
        ({"roles": None}, set()),
        ({"groups": ["admin"]}, set()),
        ({}, set()),
    ],
)
def test_roles_and_scopes_of_a_token_become_scopes(claims: dict[str, Any], scopes: set[str]) -> None:
    assert found({"sub": "a", **claims}).scopes == {Scope(name) for name in scopes}


def test_a_setting_takes_the_place_of_the_default_roles() -> None:
    roles = "Lab Staff = predict + train, Boss=admin, Boss=submit"
    assert found({"sub": "a", "roles": ["Lab Staff"]}, roles).scopes == {Scope.PREDICT, Scope.TRAIN}
    assert found({"sub": "a", "roles": ["Boss"]}, roles).scopes == {Scope.ADMIN, Scope.SUBMIT}
    assert found({"sub": "a", "roles": ["admin", "Atoll.Admin"]}, roles).scopes == frozenset()


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["predict"]}}),
        ("resource_access.atoll.roles", {"resource_access": {"atoll": {"roles": ["predict"]}}}),
        ("https://example.org/roles", {"https://example.org/roles": ["predict"]}),
        ("cognito:groups", {"cognito:groups": ["predict"]}),
    ],
)
def test_roles_are_read_from_the_claim_that_holds_them(name: str, claims: dict[str, Any]) -> None:
    assert found({"sub": "a", **claims}, names=(name,)).scopes == {Scope.PREDICT}
    assert found({"sub": "a", "roles": ["admin"]}, names=(name,)).scopes == frozenset()


@pytest.mark.parametrize("value", [7, None, "predict", ["predict"], {}, {"roles": {"predict": 1}}])
def test_a_claim_of_another_shape_holds_no_roles(value: object) -> None:
    assert found({"sub": "a", "realm_access": value}, names=("realm_access.roles",)).scopes == frozenset()


@pytest.mark.parametrize(
    ("text", "told"),
    [("Lab", "is not Role=scope"), ("=predict", "is not Role=scope"), ("Lab=", "is no scope"), ("Lab=cook", "'cook'")],
)
def test_a_role_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_roles(text)


def test_a_role_may_have_an_equals_sign_in_its_name() -> None:
    assert parse_roles("CN=Lab=predict") == {"CN=Lab": {Scope.PREDICT}}


def test_a_user_of_entra_is_the_same_in_tokens_of_both_versions_and_of_any_client() -> None:
    v2 = found({"iss": ENTRA, "sub": "pairwise-1", "oid": "user", "tid": TENANT})
    v1 = principal(
        {"iss": f"https://sts.windows.net/{TENANT}/", "sub": "pairwise-2", "oid": "user", "tid": TENANT},
        Issuer.parse(ENTRA),
        DEFAULT_ROLES,
        DEFAULT_CLAIMS,
    )
    assert v1.id == v2.id
    assert v2.id.endswith(":user")


def test_another_issuer_cannot_name_an_object_of_entra() -> None:
    assert found({"sub": "me", "oid": "user"}).id.endswith(":me")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "alice@example.org", "name": "Alice"}, "alice@example.org"),
        ({"name": "Alice", "azp": "app"}, "Alice"),
        ({"azp": "app"}, "app"),
        ({"appid": "app"}, "app"),
        ({"client_id": "app"}, "app"),
        ({"name": "Ålice 王"}, "Ålice 王"),
        ({"name": "a\nb\x1b[31m\u202e\ud800"}, "ab[31m"),
        ({"name": "n" * 5000}, "n" * 100),
        ({"name": ["Alice"], "azp": 7}, ""),
        ({"name": "  "}, ""),
    ],
)
def test_a_caller_has_a_name_that_is_fit_for_a_log(claims: dict[str, Any], name: str) -> None:
    assert found({"sub": "a", **claims}).name == name


def test_an_owner_fits_the_column_of_the_database() -> None:
    assert len(found({"sub": "s" * 200}).id) <= 256
    with pytest.raises(Unauthorized):
        found({"sub": "s" * 201})
