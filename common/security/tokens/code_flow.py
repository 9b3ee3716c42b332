"""Signing people in at the issuer: the authorization code flow with PKCE.

Sources: RFC 6749, section 4.1; RFC 7636 (PKCE); RFC 9700 (best current practice).
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from urllib.parse import urlencode, urlsplit

from common.clock import SystemClock
from common.security.tokens.fetch import FetchError, fetch_description, send_form
from common.security.tokens.issuers import Issuer, check_address
from common.settings import OidcSettings

_BYTES = 32
_KEPT_S = 600.0
_CLOCK = SystemClock()
_LONGEST_CHARS = 3000
# Within the console, and so never another host.
_NEXT = re.compile(r"/console(?:[/?#][\x21-\x7e]*)?")


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way, as the browser keeps it until it comes back.

    Parameters
    ----------
    state : comes back from the issuer unchanged, and proves that this browser began.
    verifier : of PKCE: whoever has the code alone gets no token.
    next : where to go then.
    redirect_uri : where the issuer sends the browser.
    """

    state: str
    verifier: str
    next: str
    redirect_uri: str

    @classmethod
    def begin(cls, redirect_uri: str, next_page: str | None) -> "Flow":
        page = next_page if next_page and _NEXT.fullmatch(next_page) else "/console"
        return cls(secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES), page, redirect_uri)

    @classmethod
    def read(cls, text: str) -> "Flow | None":
        """What `written` wrote; None of anything else."""
        try:
            found = json.loads(base64.urlsafe_b64decode(text.encode() + b"=="))
            return cls(**found) if all(isinstance(value, str) for value in found.values()) else None
        except (ValueError, TypeError, AttributeError, RecursionError):
            return None

    @property
    def written(self) -> str:
        """For a cookie."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")

    @property
    def fits(self) -> bool:
        return len(self.written) <= _LONGEST_CHARS

    @property
    def challenge(self) -> str:
        """What the issuer is told of the verifier (`S256`)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def scope_of(settings: OidcSettings, issuer: Issuer) -> str:
    """What is asked for."""
    if settings.sign_in_scope:
        return settings.sign_in_scope
    return f"openid profile {settings.audience[0]}/.default" if issuer.is_entra else "openid profile"


def provider(settings: OidcSettings) -> str:
    """Whom people sign in at, for a button; empty where they cannot."""
    if settings.issuer is None or settings.client_id is None:
        return ""
    issuer = Issuer.parse(settings.issuer, settings.tenants)
    return "Microsoft Entra ID" if issuer.is_entra else urlsplit(issuer.url).hostname or issuer.url


def authorize_url(settings: OidcSettings, flow: Flow) -> str:
    """Where to send the browser. Blocks: asks the issuer where that is. Raises FetchError."""
    issuer, client_id = _configured(settings)
    endpoint = _endpoint(issuer, "authorization_endpoint")
    query = {
        "client_id": client_id,
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": flow.redirect_uri,
        "scope": scope_of(settings, issuer),
        "state": flow.state,
        "code_challenge": flow.challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}?{urlencode(query)}"


def exchange(settings: OidcSettings, flow: Flow, code: str) -> str:
    """The access token for a code. Blocks. Raises FetchError."""
    issuer, client_id = _configured(settings)
    endpoint = _endpoint(issuer, "token_endpoint")
    fields = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": flow.redirect_uri,
        "code_verifier": flow.verifier,
        "scope": scope_of(settings, issuer),
    }
    if settings.client_secret is not None:
        fields["client_secret"] = settings.client_secret.get_secret_value()
    answer = send_form(issuer, endpoint, fields)
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise FetchError(f"{endpoint} answers no access_token")
    return token


def _configured(settings: OidcSettings) -> tuple[Issuer, str]:
    assert settings.issuer is not None  # noqa: S101 - `provider` was asked before
    assert settings.client_id is not None  # noqa: S101 - as above
    return Issuer.parse(settings.issuer, settings.tenants), settings.client_id


def _endpoint(issuer: Issuer, name: str) -> str:
    url = _described(issuer, int(_CLOCK.monotonic_s() // _KEPT_S)).get(name)
    try:
        if not isinstance(url, str):
            raise ValueError("is missing")
        return check_address(url)
    except ValueError as exc:
        raise FetchError(f"the issuer's {name} {exc}") from None


@lru_cache(maxsize=4)
def _described(issuer: Issuer, period: int) -> Mapping[str, object]:
    """Asked once a period: strangers may begin as many sign-ins as they like."""
    return fetch_description(issuer)
