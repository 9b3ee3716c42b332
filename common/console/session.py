"""Signing in to the console with a key, and out again.

The credential itself is what the browser keeps (`common.security.cookies`): nothing of a session is stored here, so
every process knows it, and a key that is revoked ends all of its sessions within seconds.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from common.errors import BadRequest, Forbidden, Invalid
from common.security import cookies
from common.security.authenticate import credential_of, principal_of, read_headers
from common.security.keys.definitions import Caller

router = APIRouter(include_in_schema=False)

_DAY_S = 86_400
_MOST_DAYS = 30


@router.post("/console/session")
async def sign_in(request: Request, days: Annotated[int, Query(ge=0, le=_MOST_DAYS)] = 0) -> Response:
    """Keep the credential of this request (`Authorization`) in a cookie; for `days`, or until the browser is closed.

    Authentication has checked it, and refused one that is no good, before this is called.
    """
    headers = read_headers(request.scope)
    credential = credential_of(headers)
    if credential is None:
        # Who is let in without one has nothing to be kept.
        raise BadRequest("send the key to sign in with as `Authorization: Bearer <key>`")
    _check_own(request)
    try:
        values = cookies.setting(
            credential,
            secure=cookies.is_https(request.scope["scheme"], headers),
            max_age_s=days * _DAY_S or None,
        )
    except ValueError as exc:
        raise Invalid(f"{exc}, which is more than a browser keeps; sign in with an API key") from None
    body = Caller.of(principal_of(request)).model_dump_json()
    return with_cookies(Response(body, media_type="application/json"), values)


@router.delete("/console/session")
async def sign_out(request: Request) -> Response:
    """Have the browser forget the credential, whatever it is worth."""
    _check_own(request)
    return with_cookies(Response(status_code=204), cookies.clearing())


def _check_own(request: Request) -> None:
    """Another site must not sign anybody in, as somebody else, or out."""
    headers = read_headers(request.scope)
    is_browser = b"sec-fetch-site" in headers or b"origin" in headers
    if is_browser and not cookies.is_own(request.method, headers):
        raise Forbidden("only the console's own pages may sign in and out; open /console/sign-in")


def with_cookies(response: Response, values: list[str]) -> Response:
    """The response, with these values of `Set-Cookie`."""
    for value in values:
        response.headers.append("Set-Cookie", value)
    return response
