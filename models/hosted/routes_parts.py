"""`/hosted/uploads`: a file in parts, which may be sent again and in any order."""

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Request
from starlette.requests import ClientDisconnect

from common.errors import BadRequest, UnsupportedMediaType
from common.http.openapi import problem_answer
from common.security.authenticate import principal_of
from common.storage import open_share
from common.storage.incoming import Incoming, told_sha256
from common.storage.landing import Landing, sweep
from common.storage.parts import PartStore
from models.hosted import lookup, parts, service
from models.hosted.definitions import NewUpload, Upload, Uploaded
from models.hosted.uploading import Sent, accept, in_check_turn, runtime_of, uploads_folder
from models.hosted.uploads import ANY_SIZE, plain_name

router = APIRouter(prefix="/uploads")

# A thread each, for as long as the caller takes to send.
_PARTS = CapacityLimiter(8)
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: problem_answer("No such upload.")}
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

Id = Annotated[str, Path(pattern=r"^[0-9a-z]{27}$", description="Of the upload.")]
Number = Annotated[int, Path(ge=1, le=1000, description="Of the part, from 1.")]


@router.post("", summary="Begin an upload in parts", status_code=201)
async def begin(request: Request, body: NewUpload) -> Upload:
    """For files that are larger than a host takes at once, or that come over a line that breaks."""
    runtime = runtime_of(request)
    hosting = runtime.settings.hosting

    def work() -> Upload:
        service.check_tag(body.tag, runtime.settings.plugins)
        store = _store(request)
        asked = body.model_copy(update={"filename": plain_name(body.filename)})
        begun = parts.begin(store, asked, part_bytes=hosting.upload_part_bytes, max_bytes=hosting.max_model_bytes)
        return parts.told(store, begun)

    return await to_thread.run_sync(work)


@router.get("/{upload_id}", summary="How far an upload is", responses=_UNKNOWN)
async def get(request: Request, upload_id: Id) -> Upload:
    def work() -> Upload:
        store = _store(request)
        return parts.told(store, store.find(upload_id))

    return await to_thread.run_sync(work)


@router.put(
    "/{upload_id}/parts/{number}",
    summary="Send a part",
    max_body_size=ANY_SIZE,
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
    responses={**_UNKNOWN, 409: problem_answer("The upload is complete.")},
)
async def put_part(
    request: Request,
    upload_id: Id,
    number: Number,
    x_checksum_sha256: Annotated[str | None, Header(description="Of the part, in hex; it is compared.")] = None,
) -> Upload:
    """The body is the part. The same number again replaces it."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise UnsupportedMediaType("the body is a form; send the part itself, as `curl -T part` does")
    expected = told_sha256(request.headers.get("content-digest"), x_checksum_sha256)

    def write() -> Upload:
        store = _store(request)
        begun = store.find(upload_id)
        incoming = Incoming(request.stream(), begun.part_bytes, expected, "UPLOAD_PART_BYTES")
        store.put(begun, number, incoming)
        return parts.told(store, begun)

    try:
        return await to_thread.run_sync(write, limiter=_PARTS)
    except ClientDisconnect:
        raise BadRequest("the part was interrupted; nothing was kept of it, send it again") from None


@router.post(
    "/{upload_id}",
    summary="Make a version of an upload",
    status_code=201,
    responses={
        **_UNKNOWN,
        409: problem_answer("Parts are missing; `missing` lists them."),
        422: problem_answer("The model cannot be served; `detail` says why."),
    },
)
async def complete(request: Request, upload_id: Id) -> Uploaded:
    """All parts together are checked and published as one file would be. Again tells of the same version."""
    runtime, by = runtime_of(request), principal_of(request)

    def work() -> Uploaded:
        store = _store(request)
        begun = store.find(upload_id)
        tag, about = begun.about["tag"], begun.about
        service.check_tag(tag, runtime.settings.plugins)
        made = parts.version_of(store, begun)
        if made is not None:
            return lookup.uploaded(runtime.registry, tag, made)
        folder = uploads_folder(runtime)
        sweep(folder)
        landing = Landing(folder, begun.size_bytes, "MAX_MODEL_BYTES")
        try:
            store.assemble(begun, landing)
            sent = Sent(
                landing.path,
                begun.filename,
                begun.size_bytes,
                begun.sha256,
                about.get("library_version"),
                about.get("model_description"),
                about.get("alias"),
                about.get("metrics") or {},
            )
            found = accept(runtime, tag, sent, by)
        finally:
            landing.close()
        store.finish(begun, {"version": found.version})
        return found

    return await in_check_turn(work)


@router.delete("/{upload_id}", summary="Drop an upload", status_code=204, responses=_UNKNOWN)
async def drop(request: Request, upload_id: Id) -> None:
    """A version that was made of it stays."""

    def work() -> None:
        store = _store(request)
        store.drop(store.find(upload_id))

    await to_thread.run_sync(work)


def _store(request: Request) -> PartStore:
    return parts.store_on(open_share(runtime_of(request).settings.storage))
