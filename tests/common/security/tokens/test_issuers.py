"""Whose tokens are taken."""

from typing import Any

import pytest

from common.security.tokens.issuers import Issuer, check_address, tag

TENANT = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
V1 = f"https://sts.windows.net/{TENANT}/"


@pytest.mark.parametrize(
    "url",
    [
        ENTRA,
        ENTRA + "/",
        V1,
        f"https://login.microsoftonline.com/{TENANT}",
        ENTRA.upper()
        .replace("HTTPS://LOGIN.MICROSOFTONLINE.COM", "https://login.microsoftonline.com")
        .replace("V2", "v2"),
    ],
)
def test_a_tenant_of_entra_is_the_same_however_it_is_written(url: str) -> None:
    issuer = Issuer.parse(url)
    assert issuer.discovery_url == f"{ENTRA}/.well-known/openid-configuration"
    for given in (ENTRA, V1):
        assert issuer.recognise({"iss": given, "tid": TENANT}) == ENTRA


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": ENTRA.replace(TENANT, OTHER), "tid": OTHER},
        {"iss": ENTRA, "tid": OTHER},
        {"iss": V1.rstrip("/")},
        {"iss": ENTRA + "/"},
        {"iss": ENTRA.replace("https", "http")},
        {"iss": f"https://login.microsoftonline.com.evil.example/{TENANT}/v2.0"},
        {"iss": f"https://evil.example/{ENTRA}"},
        {"iss": [ENTRA]},
        {"iss": None},
        {},
    ],
)
def test_what_is_not_the_tenant_is_not_taken(claims: dict[str, Any]) -> None:
    assert Issuer.parse(ENTRA).recognise(claims) is None


@pytest.mark.parametrize("tenant", ["organizations", "common", "{tenantid}"])
def test_several_tenants_are_taken_by_their_ids_only(tenant: str) -> None:
    issuer = Issuer.parse(f"https://login.microsoftonline.com/{tenant}/v2.0", frozenset({TENANT.upper()}))
    assert issuer.discovery_url.startswith("https://login.microsoftonline.com/organizations/v2.0/")
    assert issuer.is_described_by("https://login.microsoftonline.com/{tenantid}/v2.0")
    assert issuer.recognise({"iss": ENTRA, "tid": TENANT}) == ENTRA
    assert issuer.recognise({"iss": ENTRA.replace(TENANT, OTHER), "tid": OTHER}) is None
    assert issuer.recognise({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}) is None


@pytest.mark.parametrize(
    ("url", "tenants", "told"),
    [
        ("https://login.microsoftonline.com/organizations/v2.0", frozenset(), "OIDC_TENANTS"),
        ("https://login.microsoftonline.com/common/v2.0", frozenset({"contoso.com"}), "by their ids"),
        ("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", frozenset(), "a GUID"),
        (ENTRA, frozenset({OTHER}), "is of one tenant"),
        ("https://issuer.example", frozenset({OTHER}), "has no tenants"),
        ("http://issuer.example", frozenset(), "must begin with https"),
        ("ftp://issuer.example", frozenset(), "must begin with https"),
        ("https://issuer.example?a=b", frozenset(), "no address"),
        ("https://user:secret@issuer.example", frozenset(), "no address"),
        ("issuer.example", frozenset(), "no address"),
        ("https://", frozenset(), "no address"),
    ],
)
def test_an_issuer_that_cannot_be_used_is_refused_with_what_to_set(
    url: str, tenants: frozenset[str], told: str
) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        Issuer.parse(url, tenants)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/realms/x", "http://localhost/x", "http://[::1]:8080", "https://10.1.2.3"]
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert check_address(url) == url


def test_a_slash_at_the_end_makes_no_difference_to_other_issuers() -> None:
    for url in ("https://a.example/realm", "https://a.example/realm/"):
        issuer = Issuer.parse(url)
        assert issuer.recognise({"iss": "https://a.example/realm"}) == issuer.recognise(
            {"iss": "https://a.example/realm/"}
        )
        assert issuer.recognise({"iss": "https://a.example/realm//"}) is None
        assert issuer.recognise({"iss": "https://A.example/realm"}) is None
        assert issuer.is_described_by("https://a.example/realm/")


def test_the_address_of_the_discovery_document_names_its_issuer() -> None:
    assert Issuer.parse("https://a.example/realm/.well-known/openid-configuration").url == "https://a.example/realm"


@pytest.mark.parametrize("host", ["login.microsoftonline.us", "login.partner.microsoftonline.cn"])
def test_national_clouds_are_known(host: str) -> None:
    issuer = Issuer.parse(f"https://{host}/{TENANT}/v2.0")
    assert issuer.recognise({"iss": f"https://{host}/{TENANT}/v2.0", "tid": TENANT})
    assert issuer.recognise({"iss": ENTRA, "tid": TENANT}) is None
    assert issuer.recognise({"iss": V1, "tid": TENANT}) is None


def test_a_key_for_other_tenants_signs_nothing_here() -> None:
    several = Issuer.parse("https://login.microsoftonline.com/organizations/v2.0", frozenset({TENANT}))
    personal = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
    for issuer in (several, Issuer.parse(ENTRA)):
        assert issuer.vouches("https://login.microsoftonline.com/{tenantid}/v2.0", ENTRA)
        assert issuer.vouches(ENTRA, ENTRA)
        assert issuer.vouches(V1, ENTRA)
        assert issuer.vouches(None, ENTRA)
        assert not issuer.vouches(personal, ENTRA)
        assert not issuer.vouches(ENTRA.replace(TENANT, OTHER), ENTRA)
    assert Issuer.parse("https://issuer.example").vouches("anything", "https://issuer.example")


def test_issuers_are_told_apart_by_a_short_name() -> None:
    assert len({tag(url) for url in ("https://a.example", "https://b.example", ENTRA, V1)}) == 4
    assert len(tag(ENTRA)) == 8
