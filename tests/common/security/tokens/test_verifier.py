"""From a token to the one who calls, with a real issuer on loopback."""

import asyncio
import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from common.clock import FakeClock
from common.errors import AtollError, DependencyFailed, SettingsError, Unauthorized
from common.security.scopes import Scope
from common.security.tokens.form import TOKEN_CHARS
from common.security.tokens.verifier import TokenVerifier
from common.settings import OidcSettings
from tests.common.security.tokens.conftest import Verify
from tests.support.issuer import AUDIENCE, Issuer, ec_key, jwk, pem, rsa_key, sign


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def resigned(token: str, *, header: object = None, payload: object = None, signature: str | None = None) -> str:
    """The token with a part in the place of its own."""
    parts = token.split(".")
    if header is not None:
        parts[0] = encoded(header)
    if payload is not None:
        parts[1] = encoded(payload)
    if signature is not None:
        parts[2] = signature
    return ".".join(parts)


def hmac_token(claims: dict[str, Any], secret: bytes, kid: str = "first") -> str:
    """HS256 by hand: the library refuses to sign with what is a public key."""
    import hashlib
    import hmac

    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def refused(verify: Verify, token: str) -> str:
    with pytest.raises(Unauthorized) as error:
        verify(token)
    return error.value.detail


def test_a_good_token_names_its_bearer_and_what_its_roles_may_do(verify: Verify, issuer: Issuer) -> None:
    found = verify(issuer.token(roles=["Atoll.Predict", "Atoll.Train"], preferred_username="alice@example.org"))
    assert found.id.startswith("oidc:")
    assert found.id.endswith(":alice")
    assert found.kind == "token"
    assert found.scopes == {Scope.PREDICT, Scope.TRAIN}
    assert found.models is None
    assert found.name == "alice@example.org"


def test_a_token_without_a_role_is_known_and_may_do_nothing(verify: Verify, issuer: Issuer) -> None:
    assert verify(issuer.token(roles=None)).scopes == frozenset()


def test_the_same_subject_of_another_issuer_is_somebody_else(verify: Verify, issuer: Issuer, clock: FakeClock) -> None:
    other = Issuer()
    try:
        theirs = TokenVerifier(OidcSettings(issuer=other.url, audience=(AUDIENCE,)), clock=clock)
        assert asyncio.run(theirs.verify(other.token())).id != verify(issuer.token()).id
    finally:
        other.close()


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        *((name, rsa_key()) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("ES256", ec_key()),
        ("ES384", ec_key(ec.SECP384R1)),
        ("ES512", ec_key(ec.SECP521R1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_asymmetric_algorithms_are_taken(verify: Verify, issuer: Issuer, algorithm: str, key: Any) -> None:
    issuer.keys = [jwk(key, kid="own")]
    assert verify(issuer.token(kid="own", key=key, algorithm=algorithm)).id.endswith(":alice")


def test_an_expired_token_is_refused_once_the_leeway_is_over(verify: Verify, issuer: Issuer, clock: FakeClock) -> None:
    token = issuer.token(exp=int(clock.now().timestamp()) + 10)
    clock.advance(10 + 59)
    assert verify(token)
    clock.advance(2)
    assert "has expired" in refused(verify, token)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_that_is_not_yet_valid_is_refused_until_it_is(
    verify: Verify, issuer: Issuer, clock: FakeClock, claim: str
) -> None:
    now_s = int(clock.now().timestamp())
    early: dict[str, Any] = {claim: now_s + 300, "exp": now_s + 600}
    token = issuer.token(**early)
    assert f"not valid yet (`{claim}`" in refused(verify, token)
    clock.advance(241)
    assert verify(token)


@pytest.mark.parametrize("given", ["api://other", ["api://other"], [], "", None, {"api://atoll": 1}, 7, [None]])
def test_a_token_for_another_audience_is_refused(verify: Verify, issuer: Issuer, given: Any) -> None:
    assert "another audience" in refused(verify, issuer.token(aud=given))


def test_one_of_several_audiences_is_enough(issuer: Issuer, clock: FakeClock) -> None:
    verifier = TokenVerifier(OidcSettings(issuer=issuer.url, audience=("one", "two")), clock=clock)
    assert asyncio.run(verifier.verify(issuer.token(aud=["other", "two"])))


@pytest.mark.parametrize("given", ["https://evil.example", None, 7, ["x"]])
def test_a_token_of_another_issuer_is_refused_without_a_fetch(verify: Verify, issuer: Issuer, given: Any) -> None:
    token = sign({**issuer.claims(), "iss": given}, kid="unknown")
    assert "another issuer" in refused(verify, token)
    assert issuer.fetches == []


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "HS256", "HS384", "EdDSA", "ES256K", "", 7, None, ["RS256"]]
)
def test_a_token_without_an_asymmetric_algorithm_is_refused(verify: Verify, issuer: Issuer, algorithm: Any) -> None:
    for signature in ("", "c2lnbmVk"):
        token = resigned(issuer.token(), header={"alg": algorithm, "typ": "JWT", "kid": "first"}, signature=signature)
        assert "algorithm is not taken" in refused(verify, token)
    assert issuer.fetches == []


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(verify: Verify, issuer: Issuer) -> None:
    for secret in (pem(rsa_key()), json.dumps(issuer.keys[0]).encode(), issuer.keys[0]["n"].encode()):
        assert "algorithm is not taken" in refused(verify, hmac_token(issuer.claims(), secret))


def test_a_token_whose_signature_or_content_was_changed_is_refused(verify: Verify, issuer: Issuer) -> None:
    token = issuer.token()
    header, _, signature = token.split(".")
    changed = {**issuer.claims(), "roles": ["Atoll.Admin"]}
    for wrong in (
        resigned(token, payload=changed),
        resigned(token, signature=signature[::-1]),
        resigned(token, signature="AAAA"),
        f"{header}.{token.split('.')[1]}.",
        issuer.token(key=rsa_key(7)),
    ):
        assert "signature is wrong" in refused(verify, wrong)


def test_an_elliptic_signature_of_zeros_is_refused(verify: Verify, issuer: Issuer) -> None:
    issuer.keys = [jwk(ec_key(), kid="own")]
    token = issuer.token(kid="own", key=ec_key(), algorithm="ES256")
    assert "signature is wrong" in refused(verify, resigned(token, signature=encoded(bytes(64))))


def test_a_key_is_used_with_its_own_algorithm_only(verify: Verify, issuer: Issuer) -> None:
    assert "not for the algorithm" in refused(verify, issuer.token(algorithm="PS256"))
    assert "not for the algorithm" in refused(verify, issuer.token(key=ec_key(), algorithm="ES256"))


def test_a_token_may_leave_its_key_unnamed_only_where_there_is_one(
    verify: Verify, issuer: Issuer, clock: FakeClock
) -> None:
    assert verify(issuer.token(kid=None))
    issuer.rotate("second", 1, keep=True)
    clock.advance(3600)
    assert "does not say which" in refused(verify, issuer.token(kid=None))


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../etc/passwd",
        "/dev/null",
        "https://evil.example/keys",
        "first' OR '1'='1",
        "first\x00",
        "é",
        "\ud800",
        "constructor",
    ],
)
def test_a_key_id_is_looked_up_and_nothing_else(verify: Verify, issuer: Issuer, kid: str) -> None:
    header = {"alg": "RS256", "typ": "JWT", "kid": kid}
    assert "key that is not" in refused(verify, resigned(issuer.token(), header=header))
    assert set(issuer.fetches) == {"/.well-known/openid-configuration", "/keys"}


@pytest.mark.parametrize("kid", [7, ["first"], {"first": 1}, True, "", "k" * 513])
def test_a_key_id_that_is_no_short_text_is_refused(verify: Verify, issuer: Issuer, kid: Any) -> None:
    header = {"alg": "RS256", "typ": "JWT", "kid": kid}
    assert "key id" in refused(verify, resigned(issuer.token(), header=header))


def test_a_token_cannot_bring_its_own_key(verify: Verify, issuer: Issuer) -> None:
    other = Issuer(keys=[jwk(rsa_key(7), kid="first", alg="RS256")])
    own = jwk(rsa_key(7), kid="first")
    try:
        token = issuer.token(
            key=rsa_key(7), headers={"jku": other.jwks_url, "x5u": other.jwks_url, "jwk": own, "x5c": ["AAAA"]}
        )
        assert "signature is wrong" in refused(verify, token)
        assert other.fetches == []
        good = issuer.token(headers={"jku": other.jwks_url, "x5u": other.jwks_url, "jwk": own})
        assert verify(good).id.endswith(":alice")
        assert other.fetches == []
    finally:
        other.close()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"iss":"%s","aud":"api://atoll","aud":"other","sub":"a","exp":9999999999}',
        b'{"iss":"https://evil.example","iss":"%s","aud":"api://atoll","sub":"a","exp":9999999999}',
        b'{"iss":"%s","aud":"api://atoll","sub":"a","exp":9999999999,"x":{"y":1,"y":2}}',
    ],
)
def test_a_claim_that_stands_twice_is_refused(verify: Verify, issuer: Issuer, payload: bytes) -> None:
    token = resigned(issuer.token(), payload=payload % issuer.url.encode())
    assert "says something twice" in refused(verify, token)


def test_a_header_that_says_something_twice_is_refused(verify: Verify, issuer: Issuer) -> None:
    token = resigned(issuer.token(), header=b'{"alg":"RS256","alg":"none","kid":"first"}')
    assert "says something twice" in refused(verify, token)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"[" * 8000, "is not JSON"),
        (b'{"exp":' + b"9" * 6000 + b"}", "is not JSON"),
        (b'{"exp":NaN}', "is not JSON"),
        (b'{"exp":Infinity}', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"null", "no JSON object"),
        (b'["iss"]', "no JSON object"),
        (b"7", "no JSON object"),
    ],
    ids=range(8),
)
def test_a_payload_that_no_issuer_writes_is_refused(verify: Verify, issuer: Issuer, payload: bytes, told: str) -> None:
    assert told in refused(verify, resigned(issuer.token(), payload=payload))


def test_a_payload_that_is_nested_without_end_is_refused(verify: Verify, issuer: Issuer) -> None:
    deep = b'{"a":' * 1800 + b"1" + b"}" * 1800
    assert "the token" in refused(verify, resigned(issuer.token(), payload=deep))
    assert "the token" in refused(verify, resigned(issuer.token(), header=deep))


def test_a_token_as_long_as_a_book_is_refused_before_it_is_read(
    verify: Verify, verifier: TokenVerifier, issuer: Issuer
) -> None:
    token = issuer.token(groups=["g" * 36] * 30_000)
    assert len(token) > 1_000_000
    assert verifier.recognises(token)
    assert verifier.known(token) is None
    assert f"longer than {TOKEN_CHARS}" in refused(verify, token)


@pytest.mark.parametrize(
    "text",
    [
        "eyJ",
        "a.b.c",
        "..",
        "eyJhbGciOiJSUzI1NiJ9..",
        "é.é.é",
        "eyJh.eyJh.\ud800",
        "eyJ .eyJ .x",
        "eyJh\n.eyJh.x",
        "a.b.c=",
        "eyJhbGciOiJSUzI1NiJ9.A.x",
    ],
)
def test_what_only_looks_like_a_token_is_refused(verify: Verify, verifier: TokenVerifier, text: str) -> None:
    assert verifier.recognises(text)
    assert verifier.known(text) is None
    assert "the token" in refused(verify, text)


def test_an_encrypted_token_is_refused_by_its_name(verify: Verify) -> None:
    assert "encrypted" in refused(verify, "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d")


@pytest.mark.parametrize("credential", ["", "atl_abc_def", "secret", "a.b", "a.b.c.d"])
def test_other_credentials_are_not_recognised(verifier: TokenVerifier, credential: str) -> None:
    assert not verifier.recognises(credential)


@pytest.mark.parametrize("kind", ["dpop+jwt", "logout+jwt", "secevent+jwt", "JWE", 7, ""])
def test_a_token_for_another_purpose_is_refused(verify: Verify, issuer: Issuer, kind: Any) -> None:
    header = {"alg": "RS256", "typ": kind, "kid": "first"}
    assert "no access token" in refused(verify, resigned(issuer.token(), header=header))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_the_types_of_access_tokens_are_taken(verify: Verify, issuer: Issuer, kind: str) -> None:
    assert verify(issuer.token(headers={"typ": kind}))


@pytest.mark.parametrize(
    "claims", [{"typ": "ID"}, {"typ": "Refresh"}, {"at_hash": "x"}, {"c_hash": "x"}, {"events": {}}, {"typ": 7}]
)
def test_what_is_no_access_token_by_its_claims_is_refused(
    verify: Verify, issuer: Issuer, claims: dict[str, Any]
) -> None:
    assert "no access token" in refused(verify, issuer.token(**claims))


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"b64": False}])
def test_a_demanded_extension_is_refused(verify: Verify, issuer: Issuer, header: dict[str, Any]) -> None:
    token = resigned(issuer.token(), header={"alg": "RS256", "kid": "first", **header})
    assert "demands an extension" in refused(verify, token)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"exp": None}, "never expires"),
        ({"exp": "9999999999"}, "`exp` is no time"),
        ({"exp": True}, "`exp` is no time"),
        ({"exp": 1e300}, "`exp` is no time"),
        ({"exp": -1}, "`exp` is no time"),
        ({"nbf": "soon"}, "`nbf` is no time"),
        ({"iat": [1]}, "`iat` is no time"),
        ({"sub": None}, "names nobody"),
        ({"sub": ""}, "`sub` is no plain text"),
        ({"sub": {"a": 1}}, "`sub` is no plain text"),
        ({"sub": "a\nb"}, "`sub` is no plain text"),
        ({"sub": "\ud800"}, "`sub` is no plain text"),
        ({"sub": "s" * 201}, "`sub` is no plain text"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_a_required_claim_that_is_missing_or_wrong_is_named(
    verify: Verify, issuer: Issuer, claims: dict[str, Any], told: str
) -> None:
    assert told in refused(verify, issuer.token(**claims))


def test_a_refusal_shows_nothing_of_the_token_nor_of_what_is_expected(
    verify: Verify, issuer: Issuer, clock: FakeClock
) -> None:
    now_s = int(clock.now().timestamp())
    for claims in (
        {"aud": "planted-audience"},
        {"exp": now_s - 3600},
        {"iss": "https://planted.example"},
        {"sub": "planted\n"},
    ):
        token = issuer.token(**claims)
        detail = refused(verify, token)
        assert "planted" not in detail
        assert AUDIENCE not in detail
        assert issuer.url not in detail
        assert not any(part in detail for part in token.split("."))


def test_a_token_seen_before_is_known_without_another_look(
    verify: Verify, verifier: TokenVerifier, issuer: Issuer
) -> None:
    token = issuer.token()
    assert verifier.known(token) is None
    found = verify(token)
    assert verifier.known(token) is found
    assert verifier.known(token[:-1]) is None


def test_a_known_token_is_forgotten_when_it_expires(
    verify: Verify, verifier: TokenVerifier, issuer: Issuer, clock: FakeClock
) -> None:
    token = issuer.token(exp=int(clock.now().timestamp()) + 30)
    verify(token)
    clock.advance(89)
    assert verifier.known(token) is not None
    clock.advance(2)
    assert verifier.known(token) is None


def test_a_known_token_is_looked_at_again_after_some_minutes(
    verify: Verify, verifier: TokenVerifier, issuer: Issuer, clock: FakeClock
) -> None:
    token = issuer.token()
    verify(token)
    clock.advance(301)
    assert verifier.known(token) is None
    assert verify(token)


def test_a_known_token_is_forgotten_when_its_key_leaves_the_issuers(
    verify: Verify, verifier: TokenVerifier, issuer: Issuer, clock: FakeClock
) -> None:
    token = issuer.token()
    verify(token)
    issuer.rotate("second", 1)
    clock.advance(61)
    # Any token signed with the new key makes the keys be fetched.
    assert verify(issuer.token(kid="second", key=rsa_key(1)))
    assert verifier.known(token) is None
    assert "key that is not (or no longer)" in refused(verify, token)


def test_refused_tokens_are_not_remembered(verify: Verify, verifier: TokenVerifier, issuer: Issuer) -> None:
    token = issuer.token(aud="other")
    refused(verify, token)
    assert verifier.known(token) is None


def test_without_an_issuer_no_token_is_taken(issuer: Issuer) -> None:
    verifier = TokenVerifier(OidcSettings())
    assert verifier.recognises(issuer.token())
    with pytest.raises(Unauthorized, match="send an API key"):
        asyncio.run(verifier.verify(issuer.token()))


def test_an_issuer_without_an_audience_cannot_be_used() -> None:
    with pytest.raises(SettingsError, match="OIDC_AUDIENCE"):
        TokenVerifier(OidcSettings.model_construct(issuer="https://issuer.example", audience=()))


def test_an_issuer_that_is_away_from_the_start_is_told_with_a_time_to_come_back(
    verify: Verify, issuer: Issuer, clock: FakeClock
) -> None:
    issuer.status = 503
    token = issuer.token()
    with pytest.raises(DependencyFailed, match="try again in") as error:
        verify(token)
    assert 1 <= int(error.value.headers["Retry-After"]) <= 60
    issuer.status = 200
    clock.advance(11)
    assert verify(token).id.endswith(":alice")


@pytest.mark.parametrize("kind", [Unauthorized, DependencyFailed])
def test_what_is_raised_has_an_answer_below_500(kind: type[AtollError]) -> None:
    assert kind.status < 500
