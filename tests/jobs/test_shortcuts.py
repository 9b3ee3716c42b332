"""The short ways through the store: they write what the long way writes, and leave all that is out of the ordinary."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from common.clock import FakeClock
from common.jobs import shortcuts
from common.jobs.errors import Fenced
from common.jobs.records import Job, Outcome, Result
from common.jobs.states import Event, State
from tests.jobs.kernel import Kernel

MakeKernel = Callable[..., Kernel]


@pytest.fixture
def kernel(make_kernel: MakeKernel) -> Kernel:
    return make_kernel()


def begin(kernel: Kernel, job: Job, worker: str = "worker-1") -> Job | None:
    with kernel.database.transaction() as connection:
        return shortcuts.begin(connection, job.id, worker, kernel.clock.now(), 0.5)


def succeed(kernel: Kernel, job: Job, body: bytes = b"1") -> Job | None:
    content = {"content": body, "blob": None, "size_bytes": len(body)}
    now = kernel.clock.now()
    with kernel.database.transaction() as connection:
        return shortcuts.succeed(connection, job.id, job.epoch, Result(), content, now, now + timedelta(days=1))


def nameless(job: Job) -> Job:
    """Without its id, and the time that is part of it."""
    return replace(job, id="", created_at=job.queued_at)


def written(kernel: Kernel, job: Job) -> list[Any]:
    """All that the store has of a job."""
    attempts = [replace(attempt, job_id="") for attempt in kernel.store.attempts(job.id)]
    now = kernel.get(job)
    return [nameless(now), attempts, kernel.store.result(now)]


def test_the_short_ways_write_what_the_long_ways_write(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> list[Any]:
        job = kernel.accept()
        begun = kernel.store.begin_attempt(job.id, "worker-1")
        seen = [nameless(begun), written(kernel, job)]
        result = Result(201, "text/plain", b"done")
        ended = kernel.store.finish(begun.id, begun.epoch, Outcome(Event.SUCCEED, result=result))
        return [*seen, nameless(ended), written(kernel, job)]

    short = run()
    monkeypatch.setattr(shortcuts, "begin", lambda *_: None)
    monkeypatch.setattr(shortcuts, "succeed", lambda *_: None)
    assert run() == short


def test_a_job_begins_on_the_short_way_only_when_it_is_due(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.accept()
    kernel.finish(kernel.begin(job), Event.RETRY, delay_s=10)
    assert begin(kernel, job) is None
    clock.advance(9.6)
    begun = begin(kernel, job)
    assert begun is not None
    assert (begun.state, begun.epoch, begun.attempts) == (State.RUNNING, 2, 2)


@pytest.mark.parametrize("state", ["running", "cancelled", "succeeded", "unknown"])
def test_a_job_that_does_not_wait_is_left_to_the_long_way(kernel: Kernel, state: str) -> None:
    job = kernel.accept()
    if state == "cancelled":
        kernel.store.request_cancel(job.id)
    elif state == "unknown":
        job = replace(job, id="unknown")
    else:
        begun = kernel.begin(job)
        if state == "succeeded":
            kernel.finish(begun)
    before = kernel.execute("SELECT * FROM jobs ORDER BY id")
    assert begin(kernel, job, "worker-2") is None
    assert kernel.execute("SELECT * FROM jobs ORDER BY id") == before
    assert kernel.execute("SELECT count(*) FROM job_attempts WHERE worker_id = 'worker-2'") == [(0,)]


def test_a_job_that_is_being_cancelled_succeeds_on_no_way(kernel: Kernel) -> None:
    begun = kernel.begin()
    kernel.store.request_cancel(begun.id)
    assert succeed(kernel, begun) is None
    assert kernel.finish(begun).state is State.CANCELLED


def test_the_end_of_an_older_attempt_is_written_on_no_way(kernel: Kernel) -> None:
    older = kernel.begin()
    kernel.finish(older, Event.INTERRUPT)
    newer = kernel.begin(older, "worker-2")
    assert succeed(kernel, older) is None
    assert kernel.store.result(kernel.get(older)) is None
    with pytest.raises(Fenced):
        kernel.finish(older)
    assert kernel.get(newer).state is State.RUNNING


def test_a_job_that_owes_a_callback_ends_on_the_long_way(kernel: Kernel) -> None:
    begun = kernel.begin(kernel.accept(callback_url="https://example.org/told"))
    assert succeed(kernel, begun) is None
    kernel.finish(begun)
    assert kernel.execute("SELECT count(*) FROM job_callbacks") == [(1,)]


def test_an_effect_that_cannot_be_written_takes_the_end_back(kernel: Kernel) -> None:
    begun = kernel.begin()

    def fail(_: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        kernel.finish(begun, within=fail)
    assert kernel.get(begun).state is State.RUNNING
    assert kernel.store.result(kernel.get(begun)) is None


def test_a_result_takes_the_place_of_the_error_of_an_attempt_before(kernel: Kernel) -> None:
    """A revived job may still have the body of its refusal."""
    begun = kernel.begin()
    kernel.finish(begun, Event.REFUSE, error="no", result=Result(422, body=b"refused"))
    kernel.store.retry_by_person(begun.id)
    kernel.finish(kernel.begin(begun, "worker-2"), result=Result(body=b"good"))
    ended = kernel.get(begun)
    assert (kernel.store.result(ended).body, ended.error) == (b"good", None)
