"""Who calls: each request gets a `Principal`, from its credential or for want of one.

A credential that is no good is refused where something is asked for that needs one (`authorise`): health checks answer
whatever is sent along, and what is not known from memory is not looked at for them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette._utils import get_route_path  # what the framework matches its routes against
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import AtollError, DependencyFailed, Forbidden, TooManyRequests, Unauthorized
from common.http.replay import replayed_by
from common.security import cookies
from common.security.anonymous import SEND_IT, Admit, Caller
from common.security.limits.failures import FailedAttempts
from common.security.principal import ANONYMOUS, Principal
from common.security.rules import RULES_STATE, Rules
from common.security.verifier import Verifier

# Tokens with many groups have several thousand characters.
CREDENTIAL_CHARS = 16_384

_PRINCIPAL, _REFUSAL = "principal", "refusal"
_NOT_OWN = f"who signed in to the console is known to its own pages only; {SEND_IT.replace('it', 'a key', 1)}"
_CREDENTIAL_HEADERS = frozenset({b"authorization", b"x-api-key"})
_PLACE_HEADERS = frozenset({b"host", b"origin"})
_FORWARDED_HEADERS = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
_COOKIE = b"cookie"
_COOKIE_HEADERS = frozenset({_COOKIE, b"sec-fetch-site"})
_READ = _CREDENTIAL_HEADERS | _PLACE_HEADERS | _FORWARDED_HEADERS | _COOKIE_HEADERS


def principal_of(connection: HTTPConnection | Scope) -> Principal:
    """Who sent a request; nobody where no authentication stands before it."""
    scope: Scope = connection.scope if isinstance(connection, HTTPConnection) else connection
    found: Principal = scope.get("state", {}).get(_PRINCIPAL, ANONYMOUS)
    return found


def refusal_of(scope: Scope, needed: str) -> AtollError:
    """What to answer a request whose caller is not known well enough: why not, or `needed`, and what to send."""
    found: AtollError | str = scope.get("state", {}).get(_REFUSAL, "")
    if isinstance(found, AtollError):
        return found
    return challenged(Unauthorized(found or f"this needs {needed}; {SEND_IT}"))


def challenged(error: AtollError, code: str | None = None) -> AtollError:
    """`error`, a 401 with the challenge that belongs to it (RFC 6750)."""
    if isinstance(error, Unauthorized):
        told = f', error="{code}"' if code else ""
        error.headers.setdefault("WWW-Authenticate", f'Bearer realm="atoll"{told}')
    return error


def credential_of(headers: Mapping[bytes, Sequence[bytes]]) -> str | None:
    """The credential that a request carries: the token of `Authorization: Bearer`, or `X-API-Key`.

    A header without a value is as none: clients and proxies send it for a variable that is not set.

    Raises
    ------
    Unauthorized
        It cannot be told which one is meant, or what is given is none.
    """
    given = []
    for name in _CREDENTIAL_HEADERS & headers.keys():
        values = headers[name]
        if len(values) > 1:
            raise Unauthorized(f"the header {name.decode()} is there {len(values)} times; send it once")
        if values[0].strip():
            given.append(_read(name, values[0]))
    if len(given) == 2 and given[0] != given[1]:
        raise Unauthorized("Authorization and X-API-Key carry different credentials; send one of them")
    return given[0] if given else None


class Authenticate:
    """Pure ASGI. Sets the principal; refuses nothing itself.

    Parameters
    ----------
    verifiers : gives those that credentials are shown to; called when the first credential comes.
    admit : decides about callers without one.
    attempts : bounds how often one address shows credentials that are no good; by default nobody does.
    """

    def __init__(
        self,
        app: ASGIApp,
        verifiers: Callable[[], Sequence[Verifier]],
        admit: Admit,
        attempts: FailedAttempts | None = None,
    ) -> None:
        self.app = app
        self._verifiers = verifiers
        self._admit = admit
        self._attempts = attempts or FailedAttempts(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        replayer = replayed_by(scope)
        if replayer is not None:
            state[_PRINCIPAL] = replayer
        else:
            headers = read_headers(scope)
            try:
                credential = credential_of(headers)
                if credential is not None:
                    state[_PRINCIPAL] = await self._identify(scope, credential)
                elif _COOKIE in headers and (kept := cookies.credential_in(headers)) is not None:
                    await self._identify_kept(scope, headers, state, kept)
                else:
                    self._admit_anonymous(scope, headers, state)
            except (Unauthorized, DependencyFailed, TooManyRequests) as error:
                state[_PRINCIPAL] = ANONYMOUS
                state[_REFUSAL] = challenged(error, "invalid_token")
        await self.app(scope, receive, send)

    def _admit_anonymous(self, scope: Scope, headers: Mapping[bytes, Sequence[bytes]], state: dict[str, Any]) -> None:
        server = scope.get("server")
        admission = self._admit(
            Caller(
                server[0] if server else None,
                _joined(headers, b"host"),
                _joined(headers, b"origin"),
                not _FORWARDED_HEADERS.isdisjoint(headers),
            )
        )
        state[_PRINCIPAL] = admission.principal
        # Text: an error is made where one is answered.
        state[_REFUSAL] = admission.reason

    async def _identify_kept(
        self, scope: Scope, headers: Mapping[bytes, Sequence[bytes]], state: dict[str, Any], kept: str
    ) -> None:
        """By the cookie of somebody who signed in to the console.

        Where it does not count, the request is one without a credential: a cookie of last month, or of another Atoll
        on this machine, must not shut out whom nobody asks for a key.
        """
        if scope["type"] == "http" and cookies.is_own(scope["method"], headers):
            try:
                state[_PRINCIPAL] = await self._identify(scope, kept)
                return
            except Unauthorized as error:
                refusal: AtollError = challenged(error, "invalid_token")
        else:
            refusal = Forbidden(_NOT_OWN)
        self._admit_anonymous(scope, headers, state)
        state[_REFUSAL] = refusal

    async def _identify(self, scope: Scope, credential: str) -> Principal:
        for verifier in self._verifiers():
            if verifier.recognises(credential):
                known = verifier.known(credential)
                if known is None and _asks_nobody(scope):
                    # A probe must not wait for a database or an issuer because it sends a key along.
                    return ANONYMOUS
                return known or await self._attempts.verified(scope, credential, verifier.verify)
        raise Unauthorized("the credential is neither a key of this server nor a token that it takes")


def _asks_nobody(scope: Scope) -> bool:
    """Whether a request gets to a route that takes everybody, whoever they are."""
    rules: Rules | None = getattr(scope["app"].state, RULES_STATE, None) if "app" in scope else None
    return rules is not None and scope["type"] == "http" and rules.is_public(get_route_path(scope), scope["method"])


def _read(name: bytes, value: bytes) -> str:
    if len(value) > CREDENTIAL_CHARS:
        raise Unauthorized(f"the credential is longer than {CREDENTIAL_CHARS} characters")
    text = value.decode("latin-1").strip()
    if name == b"authorization":
        scheme, _, text = text.partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer":
            raise Unauthorized("Authorization has another scheme than Bearer; send `Authorization: Bearer <key>`")
    if not text:
        raise Unauthorized("the credential is empty; send `Authorization: Bearer <key>`, or no such header")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Unauthorized("the credential has characters that no key and no token has")
    return text


def read_headers(scope: Scope) -> dict[bytes, list[bytes]]:
    """Those headers of a request that tell who sends it."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            found.setdefault(name, []).append(value)
    return found


def _joined(headers: Mapping[bytes, Sequence[bytes]], name: bytes) -> str | None:
    values = headers.get(name)
    return b",".join(values).decode("latin-1") if values else None
