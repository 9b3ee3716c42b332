"""`/registry`: models, versions and artefacts, to look at. `registry_changes` and `registry_moves` change them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from common.errors import Unavailable
from common.http.openapi import problem_answer
from common.registry.versions import MAX_NUMBER, ModelEntry, Version
from common.security.authenticate import principal_of

if TYPE_CHECKING:
    from common.registry.service import Registry

INVALID = problem_answer("A number or name cannot be; `errors` says which.")
MISSING: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such model, version or alias; `detail` names those that there are."),
    422: INVALID,
}

router = APIRouter(
    prefix="/registry",
    tags=["Registry"],
    responses={503: problem_answer("This process has no registry, because it has no database.")},
)

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Number of the version.")]
_CHUNK_BYTES = 1 << 20


class ModelVersions(ModelEntry):
    """A model and its versions, newest first."""

    versions: list[Version]
    rollbacks: dict[str, int] = Field(
        description="Number that a rollback leads to, by alias; those that have pointed to nothing else are left out."
    )


def registry_of(request: Request) -> "Registry":
    """The process's registry; called in a thread, since the first to ask may have to wait for the database."""
    registry: Registry | None = getattr(request.app.state.runtime, "registry", None)
    if registry is None:
        raise Unavailable("this process has no registry; ask one that has a database (DATABASE_URL)", retry_after_s=5)
    return registry


@router.get("", summary="Models that have versions")
async def models(request: Request) -> list[ModelEntry]:
    """Those that the caller's key is for."""
    caller = principal_of(request)
    return await run_in_threadpool(
        lambda: [entry for entry in registry_of(request).list_models() if caller.may_use(entry.model)]
    )


@router.get("/{model}", summary="A model's versions and aliases", responses=MISSING)
async def model_versions(
    request: Request,
    model: str,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_NUMBER, description="Only lower numbers; for the next page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ModelVersions:
    def read() -> ModelVersions:
        registry = registry_of(request)
        entry = registry.get_model(model)
        versions = registry.list_versions(model, before=before, limit=limit)
        return ModelVersions(**entry.model_dump(), versions=versions, rollbacks=registry.ways_back(entry))

    return await run_in_threadpool(read)


@router.get("/{model}/versions/{n}", summary="A version: artefacts, metrics, origin", responses=MISSING)
async def version(request: Request, model: str, n: Number) -> Version:
    return await run_in_threadpool(lambda: registry_of(request).get(model, n))


@router.get(
    "/{model}/versions/{n}/artefacts/{name}",
    summary="An artefact's bytes",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
        **MISSING,
        424: problem_answer("It is damaged on the share, or the share is away."),
    },
)
async def artefact(request: Request, model: str, n: Number, name: str) -> StreamingResponse:
    """Checked against its SHA-256, which is the `ETag`, before the first byte is sent."""

    def opened() -> tuple[BinaryIO, dict[str, str]]:
        registry = registry_of(request)
        version = registry.get(model, n)
        found = version.artefact(name)
        told = {
            "Content-Length": str(found.size_bytes),
            "ETag": f'"{found.sha256}"',
            # Names are plain, so they need no quoting.
            "Content-Disposition": f'attachment; filename="{found.name}"',
        }
        return registry.open(version, name), told

    file, headers = await run_in_threadpool(opened)
    return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
