"""`/registry`: models, their versions, and the aliases that say which one serves."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from common.errors import Unavailable
from common.http.openapi import problem_answer
from common.plugins.definition import Whole
from common.registry.versions import ALIAS_PATTERN, MAX_NUMBER, AliasChange, ModelEntry, Version
from common.security.audit import audit
from common.security.authenticate import principal_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.registry.service import Registry

_INVALID = problem_answer("A number or name cannot be; `errors` says which.")
_MISSING: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such model, version or alias; `detail` names those that there are."),
    422: _INVALID,
}
_BODY: dict[int | str, dict[str, Any]] = {
    400: problem_answer("The body cannot be read."),
    413: problem_answer("The body is larger than `MAX_BODY_BYTES`."),
    415: problem_answer("The body is not JSON."),
}

router = APIRouter(
    prefix="/registry",
    tags=["Registry"],
    responses={503: problem_answer("This process has no registry, because it has no database.")},
)

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Number of the version.")]


class ModelVersions(ModelEntry):
    """A model and its versions, newest first."""

    versions: list[Version]


class AliasTarget(BaseModel):
    """Where an alias shall point."""

    model_config = ConfigDict(extra="forbid")

    version: Whole = Field(ge=1, le=MAX_NUMBER, description="Number of the version.", examples=[3])


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


@router.get("/{model}", summary="A model's versions and aliases", responses=_MISSING)
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
        return ModelVersions(**entry.model_dump(), versions=versions)

    return await run_in_threadpool(read)


@router.get("/{model}/versions/{n}", summary="A version: artefacts, metrics, origin", responses=_MISSING)
async def version(request: Request, model: str, n: Number) -> Version:
    return await run_in_threadpool(lambda: registry_of(request).get(model, n))


@router.put("/{model}/aliases/{alias}", summary="Point an alias to a version", responses={**_MISSING, **_BODY})
async def set_alias(
    request: Request,
    model: str,
    alias: Annotated[str, Path(pattern=ALIAS_PATTERN, description="`default` is what serves.")],
    target: AliasTarget,
) -> AliasChange:
    """Every process serves the version within a second. The same again changes nothing."""

    def recorded(connection: "Connection", change: AliasChange) -> None:
        audit(
            "alias.moved",
            by=principal_of(request),
            target=f"{change.model}:{change.alias}",
            connection=connection,
            version=change.version,
            previous=change.previous,
        )

    return await run_in_threadpool(lambda: registry_of(request).set_alias(model, alias, target.version, recorded))
