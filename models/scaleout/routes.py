"""The routes under `/scaleout`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from common.http.conditional import ASK_AGAIN, is_unchanged, not_modified, tag_of
from common.http.openapi import problem_answer
from common.plugins import BaseDefinition
from models.scaleout.checks import check
from models.scaleout.definitions import (
    MAX_IMPORTED,
    Decision,
    Imported,
    Question,
    RecordedContext,
    RemainingTime,
    RunBrief,
    RunDetail,
    RunPage,
    WhatIf,
)
from models.scaleout.records import Application, Context
from models.scaleout.system import follow_preloads, system_of


@asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[None]:
    """Models that were asked for are loaded in every process, whether it was asked for anything yet or not."""
    follow_preloads(app.state.runtime)
    yield


router = APIRouter(prefix="/scaleout", tags=["Scale-out"], lifespan=_lifespan)

_MISSING: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such run; `GET /scaleout/applications` lists them.")
}

_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed since the `ETag` given."}}
_UNDER_WAY = ("waiting", "running")
# Contexts are those of the newest runs.
_MOST_ASKED = 2000

Etag = Annotated[str | None, Header(max_length=400)]
RunId = Annotated[str, Path(max_length=128, description="The run.")]


class Runs(BaseDefinition):
    """Runs as `GET /scaleout/applications/{execution_id}` shows them."""

    applications: list[Application] = Field(max_length=MAX_IMPORTED, description="Times in seconds since 1970.")


@router.post("/predict", summary="What a run would take, by its number of executors")
async def predict(request: Request, body: Question) -> WhatIf:
    """Run times with intervals for a range of scale-outs, and the cheapest that meets the target."""

    def work() -> WhatIf:
        return system_of(request).planner.what_if(context_of(body), body)

    return await to_thread.run_sync(work)


@router.get("/contexts", summary="What runs were recorded of: algorithms, inputs, machines")
async def contexts(
    request: Request,
    algorithm: Annotated[str | None, Query(max_length=128, description="Only its runs.")] = None,
) -> list[RecordedContext]:
    """Each context once, that of the newest run first. Its members go into `POST /scaleout/predict` as they are."""

    def work() -> list[RecordedContext]:
        from models.scaleout.recorded import contexts as contexts_of

        return contexts_of(system_of(request).store.told(algorithm=algorithm, limit=_MOST_ASKED))

    return await to_thread.run_sync(work)


@router.get(
    "/applications", summary="Runs that are known, the newest first", response_model=RunPage, responses=_UNCHANGED
)
async def applications(
    request: Request,
    algorithm: Annotated[str | None, Query(max_length=128, description="Only its runs.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Runs at most.")] = 50,
    before: Annotated[str | None, Query(max_length=128, description="The `next` of the page before.")] = None,
    under_way: Annotated[bool, Query(description="Only those that run, or wait for their first word.")] = False,
    if_none_match: Etag = None,
) -> Response:
    """A page may have fewer runs than `limit`, and still a `next`. Poll it with `If-None-Match`."""

    def work() -> RunPage:
        system = system_of(request)
        since = system.planner.past.open_since if under_way else None
        found = system.store.page(algorithm=algorithm, limit=limit, before=before, open_since=since)
        states = system.planner.states({one.execution_id: one.changed_at for one in found if "end_s" not in one.told})
        shown = [
            RunBrief(
                execution_id=one.execution_id,
                state=states.get(one.execution_id, "ended"),
                application_id=str(one.told.get("application_id") or ""),
                system=str((one.told.get("context") or {}).get("system") or ""),
                algorithm=str((one.told.get("context") or {}).get("algorithm") or ""),
                signature=str(one.told.get("signature") or ""),
                data_size_mb=(one.told.get("context") or {}).get("data_size_mb"),
                start_s=one.told.get("start_s"),
                target_s=one.told.get("target_s"),
                runtime_s=_span(one.told),
                jobs=one.jobs,
                created_at=one.created_at,
                changed_at=one.changed_at,
            )
            for one in found
            if not under_way or states.get(one.execution_id) in _UNDER_WAY
        ]
        return RunPage(applications=shown, next=found[-1].execution_id if len(found) == limit else None)

    return _answered(await to_thread.run_sync(work), if_none_match)


@router.post("/applications", summary="Bring runs in, as `atoll scaleout import` does")
async def add_applications(request: Request, body: Runs) -> Imported:
    """Merged into what is known, however often they are sent: nothing is there twice."""
    check(body.applications)

    def work() -> Imported:
        store = system_of(request).store
        for run in body.applications:
            store.add(run)
        return Imported(imported=len(body.applications), jobs=sum(len(run.jobs) for run in body.applications))

    return await to_thread.run_sync(work)


@router.get(
    "/applications/{execution_id}",
    summary="All that is known of a run",
    response_model=RunDetail,
    responses=_MISSING | _UNCHANGED,
)
async def application(request: Request, execution_id: RunId, if_none_match: Etag = None) -> Response:
    """Poll it with `If-None-Match` while the run is under way."""

    def work() -> RunDetail:
        from models.scaleout.rows import told_of

        system = system_of(request)
        run, plan = system.store.get(execution_id), system.store.plan(execution_id)
        told, jobs = told_of(run)
        left = system.planner.remaining(run, plan)
        changed_at = system.store.changed_at(execution_id)
        return RunDetail(
            state="ended" if changed_at is None else system.planner.state(run, changed_at),
            application={**told, "jobs": jobs},
            plan=None if plan is None else dict(plan),
            decisions=[Decision.model_validate(one) for one in system.store.decisions(execution_id)],
            remaining=None if left is None else RemainingTime(**asdict(left)),
        )

    return _answered(await to_thread.run_sync(work), if_none_match)


@router.delete("/applications/{execution_id}", status_code=204, summary="Forget a run", responses=_MISSING)
async def delete_application(request: Request, execution_id: RunId) -> Response:
    """Nothing is learned from it any more."""
    await to_thread.run_sync(lambda: system_of(request).store.delete(execution_id))
    return Response(status_code=204)


def context_of(question: Question) -> Context:
    return Context(
        system=question.system,
        algorithm=question.algorithm,
        arguments=tuple(question.arguments),
        data_size_mb=question.data_size_mb,
        data_characteristics=question.data_characteristics,
        machine=question.machine,
        environment=question.environment,
        cores=question.cores,
        memory_mb=question.memory_mb,
    )


def _answered(found: BaseModel, if_none_match: str | None) -> Response:
    """The answer, or that it is the one that the caller has."""
    body = found.model_dump_json()
    etag = tag_of([(body,)])
    if is_unchanged(if_none_match, etag):
        return not_modified(etag, ASK_AGAIN)
    return Response(body, media_type="application/json", headers={**ASK_AGAIN, "ETag": etag})


def _span(told: Any) -> float | None:
    start_s, end_s = told.get("start_s"), told.get("end_s")
    return None if start_s is None or end_s is None else float(end_s - start_s)
