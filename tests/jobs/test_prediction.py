"""A queued prediction is the direct one, asked later."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

from common.clock import FakeClock
from common.database import Database
from common.http.boundary import RequestBoundary
from common.http.replay import Replayed, replay
from common.jobs.prediction import PredictionExecutor, Teller
from common.jobs.records import Job
from common.jobs.runner import Runner
from common.jobs.service import JobService
from common.jobs.states import Kind, State
from common.serving.progress import report
from tests.jobs.kernel import Kernel, in_thread, wait_until

app = FastAPI()
app.add_middleware(RequestBoundary)


@app.post("/echo")
async def echo(request: Request) -> Response:
    """Answers what it was asked, with all that could get lost on the way."""
    body = request.url.query.encode() + b"|" + await request.body()
    return Response(body, media_type=request.headers["content-type"], headers={"X-Cache": "miss"})


@app.post("/refuse")
async def refuse() -> Response:
    return Response('{"detail": "target_year: send a year"}', 422, media_type="application/problem+json")


@app.post("/busy")
async def busy() -> Response:
    return PlainTextResponse("later", 503, headers={"Retry-After": "9"})


@app.post("/exit")
async def leave() -> Response:
    raise SystemExit(4)


@app.post("/headers")
async def headers(request: Request) -> dict[str, str]:
    return dict(request.headers)


@pytest.fixture
def predicting(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Kernel]:
    database = Database(sqlite_url)
    kernel = Kernel(database, tmp_path, clock)
    executors = {Kind.PREDICTION: PredictionExecutor(app)}
    kernel.runner = Runner(kernel.store, kernel.queue, executors, kernel.settings, clock)
    kernel.service = JobService(kernel.store, kernel.runner, kernel.settings, clock)
    yield kernel
    database.close()


def predict(kernel: Kernel, path: str, body: bytes = b"{}", **options: Any) -> Job:
    return kernel.run(kernel.service.submit(Kind.PREDICTION, path, body, **options).job)


async def ask(path: str, body: bytes, headers: dict[str, str]) -> Replayed:
    return await replay(app, "POST", path, body=body, headers=headers)


@pytest.mark.parametrize("body", [b"", b'{"a": 1}', "{'é': 1}".encode(), b"\x00\xff\xfe", b"x" * 1_000_000])
def test_the_bytes_equal_those_of_the_direct_call(predicting: Kernel, body: bytes) -> None:
    sent = {"content-type": "application/x-test"}
    called = asyncio.run(ask("/echo?a=1&b=%C3%A9", body, sent))
    ended = predict(predicting, "/echo?a=1&b=%C3%A9", body, headers=sent)
    result = predicting.store.result(ended)
    assert (result.status, result.content_type, result.body) == (
        called.status,
        called.headers["content-type"],
        called.body,
    )


def test_a_request_that_is_refused_fails_with_the_body_as_its_reason(predicting: Kernel) -> None:
    ended = predict(predicting, "/refuse")
    assert (ended.state, ended.error) == (State.FAILED, "answered 422: target_year: send a year")
    result = predicting.store.result(ended)
    assert (result.status, result.content_type) == (422, "application/problem+json")


def test_a_path_that_does_not_exist_fails(predicting: Kernel) -> None:
    assert predict(predicting, "/nowhere").state is State.FAILED


def test_an_app_that_is_busy_is_asked_again_when_it_said(predicting: Kernel, clock: FakeClock) -> None:
    waiting = predict(predicting, "/busy")
    assert (waiting.state, waiting.error) == (State.RETRYING, "answered 503: later")
    assert (waiting.due_at - clock.now()).total_seconds() == 9


def test_a_model_that_exits_ends_its_job_and_not_the_worker(predicting: Kernel) -> None:
    ended = predict(predicting, "/exit")
    assert (ended.state, ended.error) == (State.RETRYING, "answered 500: Internal server error")
    assert predict(predicting, "/echo", headers={"content-type": "a/b"}).state is State.SUCCEEDED


def test_credentials_are_not_kept_and_what_the_answer_needs_is(predicting: Kernel) -> None:
    sent = {
        "Authorization": "Bearer hunter22",
        "Cookie": "a=hunter22",
        "X-API-Key": "hunter22",
        "Prefer": "respond-async",
        "Accept": "text/csv",
        "X-Request-ID": "r-1",
        "Content-Type": "application/json",
    }
    ended = predict(predicting, "/headers", headers=sent, traceparent="00-aa-bb-01")
    body = predicting.store.result(ended).body.decode()
    assert "hunter22" not in body + str(predicting.execute("SELECT * FROM jobs"))
    assert "prefer" not in body
    for kept in ("text/csv", "r-1", "00-aa-bb-01"):
        assert kept in body


@app.post("/slow")
async def slow() -> Response:
    """Four steps on a thread, each when the test says so."""
    work = Steps.current
    await asyncio.to_thread(work.run)
    return PlainTextResponse("done")


class Steps:
    """A computation that goes on when it is told to."""

    current: "Steps"

    def __init__(self) -> None:
        Steps.current = self
        self.go_on = threading.Semaphore(0)
        self.begun: list[int] = []
        self.left = threading.Event()

    def run(self) -> None:
        try:
            for step in range(4):
                report(step / 4, f"step {step}")
                self.begun.append(step)
                assert self.go_on.acquire(timeout=60)
        finally:
            self.left.set()


def test_progress_of_a_prediction_is_shown_while_it_runs(predicting: Kernel) -> None:
    steps, job = Steps(), predicting.service.submit(Kind.PREDICTION, "/slow").job
    running = in_thread(lambda: predicting.run(job))
    seen = []
    for step in range(4):
        wait_until(lambda step=step: predicting.get(job).message == f"step {step}")  # type: ignore[misc]  # a default in a lambda
        seen.append(predicting.get(job).fraction)
        steps.go_on.release()
    running.join(60)
    assert seen == [0, 0.25, 0.5, 0.75]
    assert predicting.state(job) is State.SUCCEEDED


def test_a_cancelled_prediction_leaves_its_thread_where_it_next_reports(predicting: Kernel) -> None:
    steps, job = Steps(), predicting.service.submit(Kind.PREDICTION, "/slow").job
    running = in_thread(lambda: predicting.run(job))
    wait_until(lambda: steps.begun)
    predicting.service.cancel(job.id)
    running.join(60)
    assert predicting.state(job) is State.CANCELLED
    steps.go_on.release()
    assert steps.left.wait(60)
    assert steps.begun == [0]


def test_what_is_told_without_end_reaches_the_job_as_often_as_it_matters() -> None:
    told: list[tuple[float | None, str | None]] = []

    class Context:
        def progress(self, fraction: float | None = None, message: str | None = None) -> None:
            told.append((fraction, message))

    teller = Teller(Context())  # type: ignore[arg-type]  # all of a context that is asked for here
    for number in range(100_000):
        teller.progress(number / 100_000, "growing")
    teller.progress(0.3, "growing")
    assert told[0] == (0.0, "growing")
    assert len(told) <= 201
    assert [fraction for fraction, _ in told] == sorted(fraction or 0 for fraction, _ in told)
