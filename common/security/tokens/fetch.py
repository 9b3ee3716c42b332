"""Asking an issuer for its keys. Blocks; within limits of time and size."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from common.security.tokens.issuers import Issuer, check_address
from common.security.tokens.jwk import KeySet, read_keys

TIMEOUT_S = 5.0
"""For each of the two calls, with everything that belongs to it."""
# Entra ID's keys, with their certificates, are 20 KiB.
_ANSWER_BYTES = 262_144


class FetchError(Exception):
    """The keys cannot be had. The text, after the name of the address, says why: for logs."""


def fetch_keys(issuer: Issuer, jwks_url: str | None) -> KeySet:
    """The issuer's keys as they are now, from `jwks_url` or from where its discovery document says.

    Raises
    ------
    FetchError
    """
    url = jwks_url
    if url is None:
        document = fetch_description(issuer)
        url = document.get("jwks_uri")
        try:
            if not isinstance(url, str):
                raise ValueError("is missing")
            check_address(url)
        except ValueError as exc:
            raise FetchError(f"{issuer.discovery_url}: its jwks_uri {exc}") from None
    document = _call("GET", url, jwks_url or issuer.discovery_url)
    try:
        return read_keys(document)
    except ValueError as exc:
        raise FetchError(f"{url} {exc}") from None


def fetch_description(issuer: Issuer) -> dict[str, Any]:
    """What an issuer says of itself (OpenID Connect Discovery 1.0). Raises FetchError."""
    document = _call("GET", issuer.discovery_url, issuer.discovery_url)
    if not isinstance(document, dict) or not issuer.is_described_by(document.get("issuer")):
        raise FetchError(f"{issuer.discovery_url} describes another issuer than OIDC_ISSUER names")
    return document


def send_form(issuer: Issuer, url: str, fields: Mapping[str, str]) -> Any:
    """The JSON that an address of the issuer answers to a form. Raises FetchError."""
    return _call("POST", url, issuer.discovery_url, urlencode(fields).encode())


def _call(method: str, url: str, configured: str, form: bytes = b"") -> Any:
    """JSON of an address.

    The host that the operator configured may be private, as an issuer of one's own is; where its document leads to
    elsewhere, that has to be public.
    """
    # Brings httpx, which a process that never sees a token does without.
    from common.http.addresses import Allowance, Refused
    from common.http.outbound import Limits, Outbound, OutboundError

    host = urlsplit(configured).hostname or ""
    limits = Limits(connect_s=TIMEOUT_S, read_s=TIMEOUT_S, total_s=TIMEOUT_S, answer_bytes=_ANSWER_BYTES)
    outbound = Outbound(Allowance(hosts=frozenset({host})), limits)
    headers = {"Accept": "application/json"}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        answer = outbound.call(method, url, content=form, headers=headers)
    except (OutboundError, Refused) as exc:
        raise FetchError(f"{url}: {exc}") from None
    finally:
        outbound.close()
    if answer.status != 200:
        raise FetchError(f"{url} answers {answer.status}")
    if not answer.is_complete:
        raise FetchError(f"{url} answers more than {_ANSWER_BYTES} bytes")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise FetchError(f"{url} does not answer JSON") from None
