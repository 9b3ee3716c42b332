"""`/tasks/uploads`: an input in parts, which may be sent again and in any order, before the task that uses it."""

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Request
from starlette.requests import ClientDisconnect

from common.errors import BadRequest, UnsupportedMediaType
from common.http.openapi import problem_answer
from common.security.authenticate import principal_of
from common.storage import open_share
from common.storage.incoming import Incoming, told_sha256
from common.storage.parts import PartStore
from common.submission import uploads
from common.submission.accepting import runtime_of, tasks_of
from common.submission.receiving import plain_filename
from common.submission.routes import ANY_SIZE
from common.submission.uploads import InputUpload, NewInput

router = APIRouter(prefix="/tasks/uploads", tags=["Tasks"])

# A thread each, for as long as the caller takes to send.
_PARTS = CapacityLimiter(8)
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such upload."),
    422: problem_answer("A field is wrong."),
}
_BODY: dict[int | str, dict[str, Any]] = {
    400: problem_answer("The body cannot be read, or was interrupted."),
    413: problem_answer("Larger than may be."),
    415: problem_answer("The body is of another type."),
    422: problem_answer("A field is wrong."),
    503: problem_answer("The share is full."),
}
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

Id = Annotated[str, Path(pattern=r"^[0-9a-z]{27}$", description="Of the upload.")]
Number = Annotated[int, Path(ge=1, le=1000, description="Of the part, from 1.")]


@router.post("", summary="Begin an input in parts", status_code=201, responses=_BODY)
async def begin(request: Request, body: NewInput) -> InputUpload:
    """For inputs that are larger than a host takes at once, or that come over a line that breaks."""
    settings, owner = runtime_of(request).settings, principal_of(request).id

    def work() -> InputUpload:
        store = _store(request)
        begun = store.begin(
            plain_filename(body.filename, "filename"),
            body.size_bytes,
            body.sha256,
            part_bytes=settings.hosting.upload_part_bytes,
            max_bytes=settings.submission.max_input_bytes,
            owner=owner,
        )
        return uploads.told(store, begun)

    return await to_thread.run_sync(work)


@router.get("/{upload_id}", summary="How far an input is", responses=_UNKNOWN)
async def get(request: Request, upload_id: Id) -> InputUpload:
    def work() -> InputUpload:
        store = _store(request)
        return uploads.told(store, uploads.find(store, upload_id, principal_of(request)))

    return await to_thread.run_sync(work)


@router.put(
    "/{upload_id}/parts/{number}",
    summary="Send a part of an input",
    max_body_size=ANY_SIZE,
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
    responses=_BODY | _UNKNOWN | {409: problem_answer("The upload is complete.")},
)
async def put_part(
    request: Request,
    upload_id: Id,
    number: Number,
    x_checksum_sha256: Annotated[str | None, Header(description="Of the part, in hex; it is compared.")] = None,
) -> InputUpload:
    """The body is the part. The same number again replaces it."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise UnsupportedMediaType("the body is a form; send the part itself, as `curl -T part` does")
    expected = told_sha256(request.headers.get("content-digest"), x_checksum_sha256)

    def write() -> InputUpload:
        store = _store(request)
        begun = uploads.find(store, upload_id, principal_of(request))
        store.put(begun, number, Incoming(request.stream(), begun.part_bytes, expected, "UPLOAD_PART_BYTES"))
        return uploads.told(store, begun)

    try:
        return await to_thread.run_sync(write, limiter=_PARTS)
    except ClientDisconnect:
        raise BadRequest("the part was interrupted; nothing was kept of it, send it again") from None


@router.post(
    "/{upload_id}",
    summary="Put an input together",
    responses=_UNKNOWN | {409: problem_answer("Parts are missing; `missing` lists them.")},
)
async def complete(request: Request, upload_id: Id) -> InputUpload:
    """All parts together are checked. A task that names the upload does that too; here it is known before."""

    def work() -> InputUpload:
        store = _store(request)
        begun = uploads.find(store, upload_id, principal_of(request))
        uploads.complete(store, begun, tasks_of(request).blobs)
        return uploads.told(store, begun)

    return await to_thread.run_sync(work, limiter=_PARTS)


@router.delete("/{upload_id}", summary="Drop an input", status_code=204, responses=_UNKNOWN)
async def drop(request: Request, upload_id: Id) -> None:
    """Tasks that were made with it keep it."""

    def work() -> None:
        store = _store(request)
        store.drop(uploads.find(store, upload_id, principal_of(request)))

    await to_thread.run_sync(work)


def _store(request: Request) -> PartStore:
    return uploads.store_on(open_share(runtime_of(request).settings.storage))
