"""Asking a real issuer on loopback for its keys."""

import json
from pathlib import Path

import pytest
import trustme

from common.http import outbound
from common.security.tokens.fetch import FetchError, fetch_keys
from common.security.tokens.issuers import Issuer as Named
from tests.support.issuer import Issuer
from tests.support.receiver import unused_port


def test_the_keys_are_where_the_discovery_document_says(issuer: Issuer) -> None:
    assert [key.kid for key in fetch_keys(Named.parse(issuer.url), None).usable] == ["first"]
    assert issuer.fetches == ["/.well-known/openid-configuration", "/keys"]


def test_with_an_address_of_the_keys_no_discovery_is_needed(issuer: Issuer) -> None:
    named = Named.parse("https://issuer.example")
    assert [key.kid for key in fetch_keys(named, issuer.jwks_url).usable] == ["first"]
    assert issuer.fetches == ["/keys"]


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ({"issuer": "https://evil.example"}, "describes another issuer"),
        ({"issuer": None}, "describes another issuer"),
        ({"jwks_uri": None}, "jwks_uri is missing"),
        ({"jwks_uri": ["x"]}, "jwks_uri is missing"),
        ({"jwks_uri": "http://keys.example/keys"}, "must begin with https"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"jwks_uri": "https://169.254.169.254/metadata"}, "private address"),
        ({"jwks_uri": "https://10.0.0.1/keys"}, "private address"),
    ],
)
def test_a_document_that_leads_elsewhere_is_not_followed(
    issuer: Issuer, described: dict[str, object], told: str
) -> None:
    issuer.described = described
    with pytest.raises(FetchError, match=told):
        fetch_keys(Named.parse(issuer.url), None)
    assert issuer.key_fetches == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "does not answer JSON"),
        (b"<html>", "does not answer JSON"),
        (b"\xff", "does not answer JSON"),
        (b"[" * 100_000, "does not answer JSON"),
        (b'{"keys":[' + b" " * 300_000 + b"]}", "more than 262144 bytes"),
        (b'{"keys":[]}', "no key that may sign"),
        (json.dumps({"error": "x"}).encode(), "no JWK set"),
    ],
)
def test_an_answer_that_is_no_key_set_is_refused(issuer: Issuer, body: bytes, told: str) -> None:
    issuer.body = body
    with pytest.raises(FetchError, match=told):
        fetch_keys(Named.parse(issuer.url), None)


@pytest.mark.parametrize("status", [204, 301, 404, 500])
def test_any_other_status_is_refused(issuer: Issuer, status: int) -> None:
    issuer.status = status
    with pytest.raises(FetchError, match=f"answers {status}"):
        fetch_keys(Named.parse(issuer.url), None)


def test_the_certificate_of_an_issuer_is_checked_by_whom_the_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    issuer = Issuer(authority=authority)
    outbound._trusted.cache_clear()
    try:
        with pytest.raises(FetchError, match=r"cannot connect.*CERTIFICATE_VERIFY_FAILED"):
            fetch_keys(Named.parse(issuer.url), None)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        outbound._trusted.cache_clear()
        assert [key.kid for key in fetch_keys(Named.parse(issuer.url), None).usable] == ["first"]
    finally:
        outbound._trusted.cache_clear()
        issuer.close()


def test_an_issuer_that_does_not_listen_is_away() -> None:
    with pytest.raises(FetchError, match="cannot connect"):
        fetch_keys(Named.parse(f"http://127.0.0.1:{unused_port()}"), None)


def test_an_issuer_that_does_not_answer_in_time_is_away(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.security.tokens.fetch.TIMEOUT_S", 0.05)
    issuer.delay_s = 0.5
    with pytest.raises(FetchError, match="no answer within"):
        fetch_keys(Named.parse(issuer.url), None)
