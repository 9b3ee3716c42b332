"""Which keys of an issuer may sign tokens."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import RSAAlgorithm

from common.security.tokens import form
from common.security.tokens.jwk import MAX_KEYS, read_keys
from tests.support.issuer import ec_key, jwk, rsa_key, sign

GOOD = jwk(rsa_key(), kid="good")


def why_not(entry: Any) -> str | None:
    """The reason for which a key beside a good one is not used."""
    found = read_keys({"keys": [GOOD, entry]})
    assert next(key.kid for key in found.usable) == "good"
    return found.unusable.get("own")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (jwk(rsa_key(1, 1024), kid="own"), "too weak"),
        (jwk(rsa_key(), kid="own", use="enc"), "not for signatures"),
        (jwk(rsa_key(), kid="own", key_ops=["encrypt"]), "not for signatures"),
        (jwk(rsa_key(), kid="own", key_ops="verify"), "not for signatures"),
        (jwk(rsa_key(), kid="own", alg="RSA-OAEP"), "not for an algorithm"),
        (jwk(rsa_key(), kid="own", alg="HS256"), "not for an algorithm"),
        (jwk(rsa_key(), kid="own", alg="none"), "not for an algorithm"),
        (jwk(rsa_key(), kid="own", alg="ES256"), "not for an algorithm"),
        (jwk(rsa_key(), kid="own", alg=["RS256"]), "not for an algorithm"),
        (jwk(ec_key(), kid="own", alg="ES384"), "not for an algorithm"),
        (jwk(ec_key(), kid="own", alg="RS256"), "not for an algorithm"),
        (jwk(ec_key(ec.SECP256K1), kid="own"), "type that is not taken"),
        ({"kid": "own", "kty": "oct", "k": "c2VjcmV0"}, "not a public one"),
        ({"kid": "own", "kty": "oct"}, "type that is not taken"),
        ({"kid": "own", "kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, "type that is not taken"),
        ({"kid": "own"}, "type that is not taken"),
        ({"kid": "own", "kty": "RSA", "n": "AAAA", "e": "AQAB"}, ""),
        ({"kid": "own", "kty": "RSA", "n": 7, "e": "AQAB"}, "cannot be read"),
        ({"kid": "own", "kty": "RSA", "e": "AQAB"}, "cannot be read"),
        ({"kid": "own", "kty": "RSA", "n": "%%", "e": "AQAB"}, "cannot be read"),
        (jwk(rsa_key(), kid="own", e="AQ"), "cannot be read"),
        (jwk(ec_key(), kid="own", x="AAAA"), "cannot be read"),
        (jwk(ec_key(), kid="own", crv="P-384"), "cannot be read"),
        ({**RSAAlgorithm.to_jwk(rsa_key(), as_dict=True), "kid": "own", "key_ops": ["verify"]}, "not a public one"),
    ],
)
def test_a_key_that_must_not_sign_tokens_is_left_out(entry: dict[str, Any], told: str) -> None:
    reason = why_not(entry)
    assert reason is not None
    assert told in reason


@pytest.mark.parametrize("entry", [None, 7, "key", [], {"kid": 7, "kty": "RSA"}, {}])
def test_what_is_no_key_at_all_is_passed_over(entry: Any) -> None:
    assert len(read_keys({"keys": [entry, GOOD]}).usable) == 1


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "no JWK set"),
        ([], "no JWK set"),
        ({}, "no JWK set"),
        ({"keys": {}}, "no JWK set"),
        ({"keys": []}, "no key that may sign"),
        ({"keys": [jwk(rsa_key(1, 1024))]}, "no key that may sign"),
        ({"keys": [GOOD] * (MAX_KEYS + 1)}, "more than"),
    ],
)
def test_a_set_without_a_usable_key_is_refused(document: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_keys(document)


def test_a_key_without_an_algorithm_is_for_all_of_its_type() -> None:
    rsa, elliptic = read_keys({"keys": [jwk(rsa_key()), jwk(ec_key())]}).usable
    assert rsa.algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    assert elliptic.algorithms == {"ES256"}


def test_keys_that_share_a_name_are_told_apart_by_their_algorithm() -> None:
    keys = read_keys({"keys": [jwk(rsa_key(), kid="own"), jwk(ec_key(), kid="own")]})
    for algorithm, key in (("RS256", rsa_key()), ("ES256", ec_key())):
        found = keys.find("own", algorithm)
        assert found is not None
        assert found.has_signed(form.read(sign({}, kid="own", key=key, algorithm=algorithm)))


def test_what_was_read_must_be_what_was_signed() -> None:
    (key,) = read_keys({"keys": [GOOD]}).usable
    token = form.read(sign({"sub": "a"}, kid="good"))
    other = form.read(sign({"sub": "b"}, kid="good"))
    assert key.has_signed(token)
    mixed = form.Unverified(token.text, token.algorithm, token.kid, other.payload, other.claims)
    assert not key.has_signed(mixed)
