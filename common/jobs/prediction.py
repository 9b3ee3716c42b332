"""The executor of prediction jobs: the request is put to the app again, as it was, without a socket."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import orjson
from starlette.types import ASGIApp

from common.http.replay import Replayed, replay
from common.jobs.context import JobContext
from common.jobs.errors import JobCancelled
from common.jobs.records import Job, Result
from common.security.ownership import MARKS, owner_of
from common.serving.progress import listening
from common.telemetry import tracing

T = TypeVar("T")

_POLL_S = 0.2
_TEXT_CHARS = 500
# Less than a person can see on a bar, and few enough to cost nothing.
_STEP = 0.005


class BadAnswer(Exception):
    """The app answered something other than success; the runner decides by its status."""

    def __init__(self, result: Result, retry_after: str | None) -> None:
        self.result = result
        self.retry_after = retry_after
        super().__init__(_reason(result))


class PredictionExecutor:
    """Replays requests on one event loop of its own.

    One loop a process: what the models keep between requests may belong to a loop. Not the server's: that one may be
    busy, and there is none in a worker.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, job: Job, context: JobContext) -> Result:
        headers = {name: value for name, value in job.headers.items() if name not in MARKS}
        owner = owner_of(job.owner, job.headers)
        if traceparent := tracing.traceparent() or job.traceparent:
            headers["traceparent"] = traceparent
        call = replay(self._app, job.method, job.path, body=context.body, headers=headers, principal=owner)
        answer = self._wait(call, context)
        content_type = answer.headers.get("content-type", "application/octet-stream")
        result = Result(answer.status, content_type, answer.body)
        if 200 <= answer.status < 300:
            return result
        raise BadAnswer(result, answer.headers.get("retry-after"))

    def _wait(self, call: Coroutine[Any, Any, Replayed], context: JobContext) -> Replayed:
        future = asyncio.run_coroutine_threadsafe(_contained(call, context), self._running_loop())
        while True:
            try:
                outcome = future.result(_POLL_S)
            except concurrent.futures.TimeoutError:
                if context.cancelled:
                    future.cancel()
                    raise JobCancelled from None
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run_for_ever, args=(self._loop,), name="replay", daemon=True).start()
            return self._loop


async def _contained(call: Coroutine[Any, Any, T], context: JobContext) -> T | BaseException:
    """An error as a value: a `SystemExit` that left a task would end the loop for all others.

    What the model reports on the way is told to the job.
    """
    try:
        with listening(Teller(context)):
            return await call
    except asyncio.CancelledError:
        raise
    except BaseException as exc:  # noqa: BLE001  # a model's code may raise anything
        return exc


class Teller:
    """Tells the job what its computation reports, where a reader could tell the difference; never a step back."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._fraction = -_STEP
        self._message: str | None = None

    def check_cancelled(self) -> None:
        self._context.check_cancelled()

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        further = fraction is not None and fraction >= self._fraction + _STEP
        other = message is not None and message != self._message
        if further and fraction is not None:
            self._fraction = fraction
        if other:
            self._message = message
        if further or other:
            self._context.progress(self._fraction if self._fraction >= 0 else None, self._message)


def _run_for_ever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        # A model's own task may leave by SystemExit, which the loop passes on.
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()


def _reason(result: Result) -> str:
    """The problem's detail, else the beginning of the body."""
    with contextlib.suppress(orjson.JSONDecodeError):
        body = orjson.loads(result.body)
        if isinstance(body, dict) and isinstance(body.get("detail"), str):
            return f"answered {result.status}: {body['detail']}"
    return f"answered {result.status}: {result.body[:_TEXT_CHARS].decode('utf-8', 'replace')}"
