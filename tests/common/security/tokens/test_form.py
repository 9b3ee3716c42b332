"""Whatever is sent as a token, and whatever an issuer signs, is read or refused: nothing else happens."""

import base64
import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from common.errors import Unauthorized
from common.security.tokens import claims, form, roles
from common.security.tokens.issuers import Issuer
from common.security.tokens.jwk import read_keys

ISSUER = Issuer.parse("https://issuer.example")
NAMES = (
    "iss",
    "aud",
    "sub",
    "exp",
    "nbf",
    "iat",
    "typ",
    "roles",
    "scp",
    "scope",
    "name",
    "azp",
    "oid",
    "tid",
    "at_hash",
)
HEADERS = ("alg", "kid", "typ", "crit", "b64", "jku", "x5u", "jwk")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["RS256", "JWT", "predict"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@given(st.text())
def test_any_text_is_refused_or_read(text: str) -> None:
    form.is_token(text)
    with contextlib.suppress(Unauthorized):
        form.read(text)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=50))
def test_any_bytes_in_the_parts_of_a_token_are_refused_or_read(header: bytes, payload: bytes, signature: bytes) -> None:
    with contextlib.suppress(Unauthorized):
        form.read(f"{part(header)}.{part(payload)}.{part(signature)}")


@given(st.dictionaries(st.sampled_from(HEADERS), values), values)
def test_any_header_is_refused_or_read(header: dict[str, Any], payload: object) -> None:
    text = f"{part(json.dumps(header).encode())}.{part(json.dumps(payload).encode())}.AAAA"
    try:
        found = form.read(text)
    except Unauthorized:
        return
    assert found.algorithm in form.ALGORITHMS
    assert found.claims == payload


@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_any_claims_are_refused_or_checked(given_claims: dict[str, Any]) -> None:
    given_claims["iss"] = "https://issuer.example"
    with contextlib.suppress(Unauthorized):
        ends_s = claims.check(given_claims, audiences=("api://atoll",), now_s=1.7e9, leeway_s=60)
        assert ends_s > 1.7e9
    with contextlib.suppress(Unauthorized):
        found = roles.principal(given_claims, ISSUER, roles.DEFAULT_ROLES, roles.DEFAULT_CLAIMS)
        # Both go into the database and the log.
        assert found.id.isprintable()
        assert found.name.isprintable()


@given(
    st.dictionaries(
        st.sampled_from(["keys"]),
        st.lists(
            values
            | st.dictionaries(
                st.sampled_from(["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "key_ops", "d"]),
                values | st.sampled_from(["RSA", "EC", "P-256"]),
            ),
            max_size=4,
        ),
    )
)
def test_any_key_set_is_refused_or_read(document: dict[str, Any]) -> None:
    with contextlib.suppress(ValueError):
        read_keys(document)
