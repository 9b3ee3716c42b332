"""`Prefer: respond-async`, and work too long for a connection: a predict request becomes a job instead of an answer."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from common.http.replay import is_replay
from common.jobs.accepted import JobAccepted
from common.jobs.http import accept, prefers_async
from common.jobs.states import Kind
from common.plugins.record import PluginRecord

_REQUEST = "atoll_request"
_MARK = "atoll_deferrable"
_QUEUED = "Queued, because `Prefer: respond-async` asked for it or it would take too long; `Location` is the job."


def make_deferrable(record: PluginRecord, route: APIRoute) -> None:
    """Let the route's requests be queued; call it before the router is included.

    The body has been read into the route's types by then, and the plugin's `estimate` has looked at it, so that a
    request which cannot be answered is refused now and not in the queue.
    """
    endpoint = route.endpoint
    if hasattr(endpoint, _MARK):
        # A router belongs to its module, and may be mounted by more than one app.
        return
    name = record.name
    signature = inspect.signature(endpoint, eval_str=True)
    is_async = inspect.iscoroutinefunction(endpoint)
    # FastAPI gives the request to one parameter only, so where the endpoint asks for it, its own is used.
    own = next((item.name for item in signature.parameters.values() if item.annotation is Request), None)

    @functools.wraps(endpoint)
    async def deferrable(**values: Any) -> Any:
        request: Request = values[own] if own else values.pop(_REQUEST)
        record = _record_of(request, name)
        if record is not None and _to_be_queued(record, request, values):
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            worker = record.plugin.worker
            body = await request.body()
            return await accept(request, Kind.PREDICTION, path=path, body=body, model=record.name, worker=worker)
        return await endpoint(**values) if is_async else await run_in_threadpool(endpoint, **values)

    parameters = list(signature.parameters.values())
    if own is None:
        parameters.append(inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request))
    deferrable.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    setattr(deferrable, _MARK, True)
    route.endpoint = deferrable
    route.responses = {**route.responses, 202: {"model": JobAccepted, "description": _QUEUED}}


def _record_of(request: Request, name: str) -> PluginRecord | None:
    records: list[PluginRecord] = request.app.state.runtime.records
    return next((record for record in records if record.name == name), None)


def _to_be_queued(record: PluginRecord, request: Request, values: Mapping[str, Any]) -> bool:
    headers = request.scope["headers"]
    preferred = prefers_async([value.decode("latin-1") for name, value in headers if name == b"prefer"])
    estimate: Callable[[Any], float] | None = record.plugin.estimate
    if is_replay(request.scope) or (not preferred and estimate is None):
        return False
    body = next((value for value in values.values() if isinstance(value, BaseModel)), None)
    limit_s = request.app.state.runtime.settings.serving.async_after_s
    takes_s = estimate(body) if estimate is not None and body is not None else 0.0
    return preferred or 0 < limit_s < takes_s
