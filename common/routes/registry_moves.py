"""`/registry`: moves aliases, and says who gets which version. In force in every process within a second."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from common.errors import Invalid
from common.http.openapi import problem_answer
from common.plugins.definition import Whole
from common.registry.gate import Direction, Gate
from common.registry.versions import (
    ALIAS_PATTERN,
    DEFAULT_ALIAS,
    MAX_NUMBER,
    AliasChange,
    Promotion,
    Traffic,
    split_name,
)
from common.routes.registry import MISSING, registry_of
from common.routes.registry_changes import BODY
from common.security.audit import audit
from common.security.authenticate import principal_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(
    prefix="/registry",
    tags=["Registry"],
    responses={503: problem_answer("This process has no registry, because it has no database.")},
)

Alias = Annotated[str, Path(pattern=ALIAS_PATTERN, description="`default` is what serves.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AliasTarget(_Body):
    """Where an alias shall point."""

    version: Whole = Field(ge=1, le=MAX_NUMBER, description="Number of the version.", examples=[3])


class Back(_Body):
    """What is known of an alias that shall go back."""

    current: Whole | None = Field(
        None,
        ge=1,
        le=MAX_NUMBER,
        description="What it points to now: 409 where it does not, so that a call made twice goes back once.",
        examples=[3],
    )


class PromotionRequest(_Body):
    """A version that shall take another one's place, if it is at least as good."""

    version: str | Whole = Field("candidate", description="Alias or number of the version.", examples=["candidate"])
    alias: str = Field(DEFAULT_ALIAS, pattern=ALIAS_PATTERN, description="What shall point to it.")
    metric: str = Field(
        min_length=1,
        max_length=200,
        description="Figure that both were published with; `folds.mean` is one within another.",
        examples=["rmse"],
    )
    direction: Direction = Field(description="Whether the lower or the higher figure is the better one.")
    margin: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="How much better it has to be, at least, in the figure's own unit."
    )


class TrafficRequest(_Body):
    """Shares of the requests that name neither version nor alias."""

    weights: dict[str, float] = Field(
        description="Share by alias; together 1.", examples=[{"default": 0.9, "candidate": 0.1}]
    )
    shadow: str | None = Field(None, description="Alias that is asked too; its answers are only compared and counted.")
    shadow_share: float = Field(1.0, gt=0, le=1, description="Share of the requests that the shadow is asked.")


@router.put("/{model}/aliases/{alias}", summary="Point an alias to a version", responses={**MISSING, **BODY})
async def set_alias(request: Request, model: str, alias: Alias, target: AliasTarget) -> AliasChange:
    """Every process serves the version within a second. The same again changes nothing."""
    also = _recording(request, "alias.moved")
    return await run_in_threadpool(lambda: registry_of(request).set_alias(model, alias, target.version, also))


@router.delete(
    "/{model}/aliases/{alias}",
    summary="Delete an alias",
    status_code=204,
    responses={**MISSING, 409: problem_answer("It gets a share of the requests.")},
)
async def delete_alias(request: Request, model: str, alias: Alias) -> None:
    """Its version stays."""

    def recorded(connection: "Connection", number: int) -> None:
        target = f"{model}:{alias}"
        audit("alias.deleted", by=principal_of(request), target=target, connection=connection, previous=number)

    await run_in_threadpool(lambda: registry_of(request).delete_alias(model, alias, recorded))


@router.post(
    "/{model}/aliases/{alias}/rollback",
    summary="Point an alias to what it had before",
    responses={**MISSING, **BODY, 409: problem_answer("There is nothing to go back to, or it points elsewhere.")},
)
async def rollback(request: Request, model: str, alias: Alias, back: Back | None = None) -> AliasChange:
    """Again: to what it had before that; 20 steps are kept."""
    also = _recording(request, "alias.moved", way="rollback")
    expected = back.current if back is not None else None
    return await run_in_threadpool(lambda: registry_of(request).rollback(model, alias, expected=expected, also=also))


@router.post(
    "/{model}/promote",
    summary="Let a version serve if it is at least as good",
    responses={
        **MISSING,
        **BODY,
        409: problem_answer(
            "It is not as good, with both figures in `candidate` and `current`; or has no such figure."
        ),
    },
)
async def promote(request: Request, model: str, asked: PromotionRequest) -> Promotion:
    """Compares a figure of the version with that of the one that the alias points to. Where the alias of the version
    got a share of the requests, the new one answers them all.
    """
    try:
        _, which = split_name(f"{model}:{asked.version}")
    except Invalid:
        raise Invalid.field("version", "is no alias and no number of a version", asked.version) from None
    gate = Gate(asked.metric, asked.direction, asked.margin)
    also = _recording(request, "alias.moved", way="promotion", metric=asked.metric)
    return await run_in_threadpool(
        lambda: registry_of(request).promote(model, which, gate, alias=asked.alias, also=also)
    )


@router.put(
    "/{model}/traffic",
    summary="Share requests between versions",
    responses={**MISSING, **BODY, 409: problem_answer("There is no such alias; `detail` names those that there are.")},
)
async def set_traffic(request: Request, model: str, asked: TrafficRequest) -> Traffic:
    """A canary is a small share for an alias; a shadow is asked too, and answers nobody."""

    def recorded(connection: "Connection", made: Traffic) -> None:
        shares = {f"weight {alias}": weight for alias, weight in made.weights.items()}
        told: dict[str, Any] = shares | {"shadow": made.shadow, "shadow_share": made.shadow_share}
        audit("traffic.shared", by=principal_of(request), target=model, connection=connection, **told)

    return await run_in_threadpool(
        lambda: registry_of(request).set_traffic(model, asked.weights, asked.shadow, asked.shadow_share, recorded)
    )


@router.delete("/{model}/traffic", summary="Let `default` answer all requests", status_code=204, responses=MISSING)
async def clear_traffic(request: Request, model: str) -> None:
    def recorded(connection: "Connection", _: None) -> None:
        audit("traffic.cleared", by=principal_of(request), target=model, connection=connection)

    await run_in_threadpool(lambda: registry_of(request).clear_traffic(model, recorded))


def _recording(request: Request, action: str, **more: Any) -> Any:
    """Writes a move of an alias into the audit log, in the transaction that moves it."""

    def recorded(connection: "Connection", change: AliasChange) -> None:
        audit(
            action,
            by=principal_of(request),
            target=f"{change.model}:{change.alias}",
            connection=connection,
            version=change.version,
            previous=change.previous,
            **more,
        )

    return recorded
