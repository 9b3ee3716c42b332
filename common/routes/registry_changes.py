"""`/registry`: describes models and versions anew, and deletes them."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from common.http.openapi import problem_answer
from common.registry.versions import MAX_DESCRIPTION_CHARS, ModelEntry, Version
from common.routes.registry import MISSING, Number, registry_of
from common.security.audit import audit
from common.security.authenticate import principal_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

BODY: dict[int | str, dict[str, Any]] = {
    400: problem_answer("The body cannot be read."),
    413: problem_answer("The body is larger than `MAX_BODY_BYTES`."),
    415: problem_answer("The body is not JSON."),
}

router = APIRouter(
    prefix="/registry",
    tags=["Registry"],
    responses={503: problem_answer("This process has no registry, because it has no database.")},
)


class About(BaseModel):
    """What is told of a model or a version; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    description: str | None = Field(None, max_length=MAX_DESCRIPTION_CHARS, examples=["Prices of houses in 2010."])
    tags: dict[str, str] | list[str] | None = Field(
        None, description="All of them; names only give each an empty text.", examples=[{"team": "blue"}]
    )

    @property
    def told(self) -> list[str]:
        """Names of what is changed, for the audit log."""
        return sorted(self.model_dump(exclude_none=True))


class AboutVersion(About):
    """The same of a version."""

    metrics: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = Field(
        None,
        max_length=100,
        description="Figures measured after it was published; others that it has stay.",
        examples=[{"accuracy": 0.97}],
    )


@router.patch("/{model}", summary="Describe a model", responses={**MISSING, **BODY})
async def describe_model(request: Request, model: str, about: About) -> ModelEntry:
    def change() -> ModelEntry:
        registry = registry_of(request)

        def recorded(connection: "Connection", _: None) -> None:
            audit("model.described", by=principal_of(request), target=model, connection=connection, changed=about.told)

        registry.describe(model, description=about.description, tags=about.tags, also=recorded)
        return registry.get_model(model)

    return await run_in_threadpool(change)


@router.delete("/{model}", summary="Delete a model: all its versions and aliases", status_code=204, responses=MISSING)
async def delete_model(request: Request, model: str) -> None:
    """Nothing of it can be had back. A version published later under the name has a number that none had before."""

    def recorded(connection: "Connection", gone: int) -> None:
        audit("model.deleted", by=principal_of(request), target=model, connection=connection, versions=gone)

    await run_in_threadpool(lambda: registry_of(request).delete_model(model, recorded))


@router.patch("/{model}/versions/{n}", summary="Describe a version", responses={**MISSING, **BODY})
async def describe_version(request: Request, model: str, n: Number, about: AboutVersion) -> Version:
    def change() -> Version:
        registry = registry_of(request)

        def recorded(connection: "Connection", _: None) -> None:
            audit(
                "version.described",
                by=principal_of(request),
                target=f"{model}:{n}",
                connection=connection,
                changed=about.told,
                metrics=[f"{name} {value:g}" for name, value in (about.metrics or {}).items()],
            )

        registry.describe(
            model, n, description=about.description, tags=about.tags, metrics=about.metrics, also=recorded
        )
        return registry.get(model, n)

    return await run_in_threadpool(change)


@router.delete(
    "/{model}/versions/{n}",
    summary="Delete a version",
    status_code=204,
    responses={**MISSING, 409: problem_answer("An alias points to it; `detail` says which.")},
)
async def delete_version(request: Request, model: str, n: Number) -> None:
    """Requests that it is answering are answered. Its number is not given again."""

    def recorded(connection: "Connection", _: None) -> None:
        audit("version.deleted", by=principal_of(request), target=f"{model}:{n}", connection=connection)

    await run_in_threadpool(lambda: registry_of(request).delete_version(model, n, recorded))
