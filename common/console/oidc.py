"""Signing in to the console at an issuer (Microsoft Entra ID, or any other): there and back again.

Both routes are visited by a browser, so what goes wrong leads to the page where one signs in, with a word that it has
a sentence for; the log has the rest. The token that comes back is checked as any other and kept as a key is.
"""

import hmac
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from common.console.session import with_cookies
from common.errors import AtollError, NotFound
from common.runtime import Runtime
from common.security import cookies
from common.security.principal import Principal
from common.security.tokens.code_flow import Flow, authorize_url, exchange, provider
from common.security.tokens.fetch import FetchError
from common.settings import OidcSettings
from common.telemetry.logs import get_logger

log = get_logger("atoll.console")
router = APIRouter(include_in_schema=False)

CALLBACK = "/console/sign-in/callback"
_SIGN_IN = "/console/sign-in"
_PLAIN, _SECURE = "atoll-sign-in", "__Host-atoll-sign-in"
_MINUTES_S = 600


@router.get("/console/sign-in/oidc")
async def begin(
    request: Request, next_page: Annotated[str | None, Query(alias="next", max_length=2000)] = None
) -> Response:
    """To the issuer."""
    settings = _settings(request)
    secure = _is_https(request)
    host = request.headers.get("host", "localhost")
    flow = Flow.begin(f"{'https' if secure else 'http'}://{host}{CALLBACK}", next_page)
    if not flow.fits:
        return _back("state")
    try:
        url = await run_in_threadpool(authorize_url, settings, flow)
    except FetchError as exc:
        log.warning("nobody can sign in at the issuer", error=str(exc)[:300])
        return _back("away")
    # Lax: the browser comes back from another site.
    name, ending = (_SECURE, "; Secure") if secure else (_PLAIN, "")
    value = f"{name}={flow.written}; Path=/; HttpOnly; SameSite=Lax; Max-Age={_MINUTES_S}{ending}"
    return with_cookies(RedirectResponse(url, 303), [value])


@router.get(CALLBACK)
async def come_back(
    request: Request,
    code: Annotated[str, Query(max_length=8000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """From the issuer, with a code for a token."""
    settings = _settings(request)
    flow = Flow.read(request.cookies.get(_SECURE) or request.cookies.get(_PLAIN) or "")
    if flow is None or not hmac.compare_digest(flow.state.encode(), state.encode()):
        return _back("state")
    if error or not code:
        log.info("the issuer signed nobody in", error=error[:80])
        return _back("refused")
    try:
        token = await run_in_threadpool(exchange, settings, flow, code)
        principal = await _principal(request, token)
        values = cookies.setting(token, secure=_is_https(request))
    except FetchError as exc:
        log.warning("the issuer gave no token", error=str(exc)[:300])
        return _back("exchange")
    except (AtollError, ValueError) as exc:
        log.warning("the issuer's token is not taken", error=str(exc)[:300])
        return _back("token")
    if not principal.scopes:
        return _back("roles")
    return with_cookies(RedirectResponse(flow.next, 303), [*_forgotten(), *values])


async def _principal(request: Request, token: str) -> Principal:
    runtime: Runtime = request.app.state.runtime
    verifier = next((one for one in runtime.verifiers if one.recognises(token)), None)
    if verifier is None:
        raise ValueError("it is no JWT; the issuer gives tokens for another API")
    return await verifier.verify(token)


def _settings(request: Request) -> OidcSettings:
    runtime: Runtime = request.app.state.runtime
    if not provider(runtime.settings.oidc):
        raise NotFound("nobody signs in at an issuer here (OIDC_ISSUER, OIDC_CLIENT_ID); /console/sign-in takes keys")
    return runtime.settings.oidc


def _is_https(request: Request) -> bool:
    """Whether the browser speaks https. A proxy's word is enough: a lie makes an address that the issuer refuses."""
    told = request.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return request.scope["scheme"] == "https" or told == "https"


def _back(why: str) -> Response:
    return with_cookies(RedirectResponse(f"{_SIGN_IN}?problem={why}", 303), _forgotten())


def _forgotten() -> list[str]:
    return [
        f"{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{ending}"
        for name, ending in ((_PLAIN, ""), (_SECURE, "; Secure"))
    ]
