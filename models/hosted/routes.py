"""`/hosted/models`: upload, list, look at, describe, switch, download and delete."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from common.http.openapi import problem_answer
from common.registry.versions import ALIAS_PATTERN, MAX_DESCRIPTION_CHARS
from common.security.authenticate import principal_of
from models.hosted import lookup, service
from models.hosted.definitions import (
    Change,
    DefaultChange,
    DefaultTarget,
    HostedModel,
    Information,
    Ref,
    Reference,
    Tag,
    Uploaded,
    split_ref,
)
from models.hosted.formats.card import NanPolicy
from models.hosted.uploading import runtime_of, upload
from models.hosted.uploads import ANY_SIZE
from models.hosted.wiring import hosted

router = APIRouter(prefix="/models")

_FILE = {"type": "string", "format": "binary"}
_TEXT = {"type": "string"}
_UPLOAD = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["path"],
                "properties": {
                    "path": _FILE | {"description": "The model's file."},
                    "library_version": _TEXT,
                    "model_description": _TEXT,
                    "alias": _TEXT,
                    "metrics": _TEXT | {"description": "A JSON object of numbers by name."},
                },
            }
        },
        "application/octet-stream": {"schema": _FILE},
    },
}
_MISSING: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such tag or version; `detail` names what there is.")
}
_BINARY = {"application/octet-stream": {"schema": _FILE}}


@router.post(
    "/{ref}",
    summary="Upload a model",
    status_code=201,
    max_body_size=ANY_SIZE,
    openapi_extra={"requestBody": _UPLOAD},
    responses={
        409: problem_answer("The tag is the name of a model that comes with the server."),
        413: problem_answer("Larger than `MAX_MODEL_BYTES`. Nothing has changed."),
        422: problem_answer("The model cannot be served; `detail` says why. Nothing has changed."),
        503: problem_answer("No room is left on the share or on this host. Nothing has changed."),
    },
)
async def post_model(
    request: Request,
    ref: Tag,
    filename: Annotated[str, Query(max_length=200, description="Of a body that is the file itself.")] = "",
    library_version: Annotated[
        str | None, Query(max_length=100, description="Where the file does not tell it, e.g. `1.9.1`.")
    ] = None,
    model_description: Annotated[str | None, Query(max_length=MAX_DESCRIPTION_CHARS)] = None,
    alias: Annotated[
        str | None, Query(pattern=ALIAS_PATTERN, description="Is pointed to the new version, e.g. `candidate`.")
    ] = None,
    nan: Annotated[
        NanPolicy | None,
        Query(description="What becomes of NaN in its inputs; by default refused where the model makes NaN of it."),
    ] = None,
    metrics: Annotated[
        str | None, Query(description='What was measured: a JSON object of numbers by name, `{"accuracy": 0.97}`.')
    ] = None,
    x_checksum_sha256: Annotated[str | None, Header(description="Of the file, in hex; it is compared.")] = None,
) -> Uploaded:
    """A form with the file in `path`, or the file itself as the body. It becomes a new version of the tag.

    It is loaded and run in a process of its own, with limits, before it is accepted. The first version of a tag
    becomes its default; a later one does not, unless `alias=default` says so.
    """
    return await upload(
        request,
        ref,
        filename=filename,
        library_version=library_version,
        description=model_description,
        alias=alias,
        metrics=metrics,
        nan=nan,
    )


@router.get("", summary="Hosted models")
async def get_models(request: Request) -> list[HostedModel]:
    return await to_thread.run_sync(lambda: lookup.list_models(runtime_of(request).registry))


@router.get("/{ref}", summary="A hosted model", responses=_MISSING)
@router.get("/{ref}/information", summary="Inputs, outputs, library, versions of a hosted model", responses=_MISSING)
async def get_information(request: Request, ref: Ref) -> Information:
    """Of the default version, where the reference names none."""
    reference, runtime = split_ref(ref), runtime_of(request)
    return await to_thread.run_sync(lambda: lookup.information(runtime.registry, reference, hosted.open_refs(runtime)))


@router.patch("/{ref}", summary="Describe a hosted model", responses=_MISSING)
async def patch_model(request: Request, ref: Ref, change: Change) -> HostedModel:
    """Changes the description of the tag, or of the version where the reference names one."""
    reference, by = split_ref(ref), principal_of(request)
    return await to_thread.run_sync(
        lambda: service.describe(runtime_of(request).registry, reference, change.description, by)
    )


@router.delete(
    "/{ref}",
    summary="Delete a version, or a tag with all its versions",
    status_code=204,
    responses={**_MISSING, 409: problem_answer("An alias points to the version.")},
)
async def delete_model(request: Request, ref: Ref) -> None:
    reference, by = split_ref(ref), principal_of(request)
    await to_thread.run_sync(lambda: service.delete(runtime_of(request).registry, reference, by))


@router.get(
    "/{ref}/download",
    summary="The file that was uploaded",
    response_class=StreamingResponse,
    responses={**_MISSING, 200: {"content": _BINARY}},
)
async def download(request: Request, ref: Ref) -> Response:
    return await file_answer(request, split_ref(ref))


@router.post("/{ref}/default", summary="Choose the version that answers", responses=_MISSING)
async def post_default(request: Request, ref: Tag, target: DefaultTarget) -> DefaultChange:
    """In force everywhere within a second; requests under way finish on the version that they began with."""
    by = principal_of(request)
    return await to_thread.run_sync(lambda: service.set_default(runtime_of(request).registry, ref, target.default, by))


async def file_answer(request: Request, reference: Reference) -> Response:
    """The file of a version, which is whole before its first byte is sent."""

    def read() -> tuple[str, int, str, Any]:
        registry = runtime_of(request).registry
        return lookup.original(registry, lookup.find(registry, reference))

    name, size_bytes, sha256, chunks = await to_thread.run_sync(read)
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    return StreamingResponse(
        chunks,
        media_type="application/octet-stream",
        headers={
            "ETag": f'"{sha256}"',
            "Content-Length": str(size_bytes),
            "Content-Disposition": f'attachment; filename="{plain}"',
            "X-Checksum-Sha256": sha256,
            "X-Content-Type-Options": "nosniff",
        },
    )
