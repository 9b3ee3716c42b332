"""`/keys`: make API keys, see who uses which, end them."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from common.errors import Unavailable
from common.http.openapi import problem_answer
from common.security.authenticate import principal_of
from common.security.keys.definitions import Caller, KeyDraft, KeyInfo, KeyPage, NewKeyInfo

if TYPE_CHECKING:
    from common.security.keys.service import KeyService

_INVALID = problem_answer("A value cannot be used.")
_MISSING: dict[int | str, dict[str, Any]] = {404: problem_answer("No such key."), 422: _INVALID}
_BODY: dict[int | str, dict[str, Any]] = {
    400: problem_answer("The body cannot be read."),
    409: problem_answer("There are too many keys."),
    413: problem_answer("The body is larger than `MAX_BODY_BYTES`."),
    415: problem_answer("The body is not JSON."),
    422: problem_answer("A field is wrong, or names a model that does not exist."),
}

router = APIRouter(
    prefix="/keys",
    tags=["Keys"],
    responses={424: problem_answer("The database is away."), 503: problem_answer("This process has no database.")},
)

Named = Annotated[str, Path(description="Id of the key, or what it begins with: `atl_` and the id.")]


def service_of(request: Request) -> "KeyService":
    """The process's keys; called in a thread, since the first to ask may have to wait for the database."""
    keys = getattr(request.app.state.runtime, "keys", None)
    if keys is None:
        raise Unavailable("this process has no keys; ask one that has a database (DATABASE_URL)", retry_after_s=5)
    service: KeyService = keys.service
    return service


@router.post("", summary="Make a key", status_code=201, responses=_BODY)
async def create_key(request: Request, response: Response, draft: KeyDraft) -> NewKeyInfo:
    """The answer holds the key, once: only its hash is kept. Nobody can make a key that may more than they may."""
    text, info = await run_in_threadpool(lambda: service_of(request).create(draft, principal_of(request)))
    response.headers["Location"] = f"/keys/{info.id}"
    response.headers["Cache-Control"] = "no-store"
    return NewKeyInfo(**info.model_dump(), key=text)


@router.get("", summary="Keys, newest first", responses=_MISSING)
async def list_keys(
    request: Request,
    include: Annotated[
        Literal["revoked"] | None, Query(description="`revoked`: those revoked in the last 30 days too.")
    ] = None,
    before: Annotated[
        str | None, Query(max_length=80, description="Id of the last key of the page before; for the next page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> KeyPage:
    """Expired keys are listed for 30 days."""
    return await run_in_threadpool(
        lambda: service_of(request).list(with_revoked=include == "revoked", before=before, limit=limit)
    )


@router.get("/self", summary="Who calls, and what they may do")
async def show_self(request: Request) -> Caller:
    return Caller.of(principal_of(request))


@router.get("/{key_id}", summary="A key: scopes, end, last use", responses=_MISSING)
async def show_key(request: Request, key_id: Named) -> KeyInfo:
    return await run_in_threadpool(lambda: service_of(request).get(key_id))


@router.delete(
    "/{key_id}",
    summary="Revoke a key",
    responses={**_MISSING, 409: problem_answer("It is the last key with the scope `admin`.")},
)
async def revoke_key(request: Request, key_id: Named) -> KeyInfo:
    """Ends it for good, in every process within 5 s. One that is revoked already stays as it is."""
    return await run_in_threadpool(lambda: service_of(request).revoke(key_id, principal_of(request)))
