"""What becomes of a job whose code does this or that."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from common.clock import FakeClock
from common.errors import Conflict, Invalid, Unavailable
from common.jobs.context import JobContext
from common.jobs.errors import Fenced, JobRefused
from common.jobs.handling import Disposition
from common.jobs.queues.base import Message
from common.jobs.records import Job, Result
from common.jobs.runner import Runner
from common.jobs.states import Event, Kind, State
from tests.jobs.kernel import QUEUE, Kernel, Scripted, in_thread, wait_until

ANSWER = Result(body=b'"done"')


def raising(error: BaseException) -> Callable[[Job, JobContext], Result]:
    def work(job: Job, context: JobContext) -> NoReturn:
        raise error

    return work


def test_a_job_succeeds_with_its_answer(kernel: Kernel) -> None:
    ended = kernel.run(kernel.submit())
    assert (ended.state, kernel.store.result(ended)) == (State.SUCCEEDED, ANSWER)


@pytest.mark.parametrize("error", [JobRefused("wrong size"), Invalid("wrong size"), Conflict("wrong size")])
def test_a_job_that_was_refused_fails_with_the_reason_at_once(kernel: Kernel, error: BaseException) -> None:
    kernel.training.work = raising(error)
    ended = kernel.run(kernel.submit())
    assert (ended.state, ended.error, ended.attempts) == (State.FAILED, "wrong size", 1)


def test_a_job_that_went_wrong_is_tried_again_after_a_while(kernel: Kernel, clock: FakeClock) -> None:
    kernel.training.work = raising(ValueError("bad luck"))
    waiting = kernel.run(kernel.submit())
    assert (waiting.state, waiting.error) == (State.RETRYING, "ValueError: bad luck")
    assert waiting.due_at > clock.now()
    assert waiting.enqueued_at is not None
    kernel.training.work = lambda job, context: ANSWER
    clock.advance(5)
    ended = kernel.run(waiting)
    assert (ended.state, ended.error, ended.attempts) == (State.SUCCEEDED, None, 2)


def test_a_job_that_goes_wrong_again_and_again_is_dead_with_its_error(kernel: Kernel, clock: FakeClock) -> None:
    kernel.training.work = raising(ValueError("bad luck"))
    job = kernel.submit()
    for _ in range(3):
        job = kernel.run(job)
        clock.advance(600)
    assert (job.state, job.error, kernel.training.runs) == (State.DEAD, "ValueError: bad luck", 3)
    assert [attempt.outcome for attempt in kernel.store.attempts(job.id)] == ["retry", "retry", "exhaust"]


def test_a_side_that_is_unavailable_is_left_alone_as_long_as_it_asks(kernel: Kernel, clock: FakeClock) -> None:
    kernel.training.work = raising(Unavailable("down", retry_after_s=77))
    waiting = kernel.run(kernel.submit())
    assert waiting.due_at - clock.now() == timedelta(seconds=77)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit(3), "the model's code ended with exit code 3"),
        (MemoryError(), "the job needs more memory than its worker has"),
    ],
)
def test_code_that_exits_or_takes_all_memory_fails_its_job_and_the_next_one_runs(
    kernel: Kernel, error: BaseException, reason: str
) -> None:
    kernel.training.work = raising(error)
    ended = kernel.run(kernel.submit())
    assert (ended.state, ended.error) == (State.FAILED, reason)
    kernel.training.work = lambda job, context: ANSWER
    assert kernel.run(kernel.submit()).state is State.SUCCEEDED


def test_code_that_really_allocates_too_much_fails_its_job(kernel: Kernel) -> None:
    kernel.training.work = lambda job, context: Result(body=b"x" * 2**62)
    assert kernel.run(kernel.submit()).error == "the job needs more memory than its worker has"


def test_a_secret_in_an_error_a_log_or_a_message_is_not_kept(
    make_kernel: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "correct-horse")
    kernel = make_kernel()

    def work(job: Job, context: JobContext) -> NoReturn:
        context.log(f"token {os.environ['SERVICE_TOKEN']}")
        context.progress(0.5, f"using {os.environ['SERVICE_TOKEN']}")
        raise ValueError(f"cannot log in with {os.environ['SERVICE_TOKEN']} at postgresql://me:pass-word@host")

    kernel.training.work = work
    waiting = kernel.run(kernel.submit())
    assert waiting.error == "ValueError: cannot log in with *** at postgresql://me:***@host"
    kept = str([kernel.execute(f"SELECT * FROM {table}") for table in ("jobs", "job_attempts", "job_logs")])  # noqa: S608
    assert "correct-horse" not in kept
    assert "using ***" in kept
    assert "correct-horse" not in str(capfd.readouterr())


def test_unknown_finished_and_cancelled_jobs_are_dropped_without_being_run(kernel: Kernel) -> None:
    finished = kernel.run(kernel.submit())
    cancelled = kernel.service.cancel(kernel.submit().id)
    for job_id in ("nothing", finished.id, cancelled.id):
        assert kernel.runner.handle(Message("id", QUEUE, job_id, "", 1)) is Disposition.DELETE
    assert kernel.training.runs == 1


def test_a_duplicate_that_comes_while_the_job_runs_is_dropped(kernel: Kernel) -> None:
    begun = kernel.begin(kernel.submit())
    assert kernel.runner.handle(Message("id", QUEUE, begun.id, "", 1)) is Disposition.DELETE
    assert kernel.get(begun) == begun
    assert kernel.training.runs == 0


def test_a_duplicate_that_comes_before_the_time_of_a_retry_does_not_hurry_it(kernel: Kernel, clock: FakeClock) -> None:
    waiting = kernel.finish(kernel.begin(), Event.RETRY, delay_s=30)
    assert kernel.run(waiting).state is State.RETRYING
    clock.advance(31)
    assert kernel.handle_next() is Disposition.DELETE
    assert kernel.state(waiting) is State.SUCCEEDED


def test_the_effect_happens_with_success(kernel: Kernel) -> None:
    kernel.training.work = publish
    kernel.run(kernel.submit())
    assert len(effects(kernel)) == 1


def test_the_effect_does_not_happen_without_success(kernel: Kernel) -> None:
    def work(job: Job, context: JobContext) -> Result:
        publish(job, context)
        raise JobRefused("after all")

    kernel.training.work = work
    kernel.run(kernel.submit())
    assert effects(kernel) == []


def test_an_effect_that_cannot_be_written_is_a_failed_attempt(kernel: Kernel) -> None:
    def work(job: Job, context: JobContext) -> Result:
        publish(job, context)
        context.on_commit(lambda connection: connection.execute(sa.text("INSERT INTO leases (name) VALUES (NULL)")))
        return ANSWER

    kernel.training.work = work
    waiting = kernel.run(kernel.submit())
    assert waiting.state is State.RETRYING
    assert effects(kernel) == []


def test_an_effect_that_is_refused_fails_the_job(kernel: Kernel) -> None:
    def refuse(connection: Any) -> NoReturn:
        raise Conflict("the alias was moved by somebody else")

    def work(job: Job, context: JobContext) -> Result:
        context.on_commit(refuse)
        return ANSWER

    kernel.training.work = work
    ended = kernel.run(kernel.submit())
    assert (ended.state, ended.error) == (State.FAILED, "the alias was moved by somebody else")


def test_a_running_job_that_is_cancelled_stops_and_has_no_effect(kernel: Kernel) -> None:
    started = threading.Event()

    def work(job: Job, context: JobContext) -> Result:
        publish(job, context)
        started.set()
        wait_until(lambda: context.cancelled, "cancellation")
        context.check_cancelled()
        return ANSWER

    kernel.training.work = work
    job = kernel.submit()
    thread = in_thread(lambda: kernel.run(job))
    started.wait()
    # Through the store alone, as another process would.
    assert kernel.store.request_cancel(job.id).state is State.CANCELLING
    thread.join()
    assert kernel.state(job) is State.CANCELLED
    assert effects(kernel) == []


def test_cancelling_in_the_same_process_is_heard_at_once(make_kernel: Callable[..., Kernel]) -> None:
    kernel = make_kernel(heartbeat_s=10_000)
    started = threading.Event()

    def work(job: Job, context: JobContext) -> Result:
        started.set()
        assert context.wait_cancelled(300)
        context.check_cancelled()
        return ANSWER

    kernel.training.work = work
    job = kernel.submit()
    thread = in_thread(lambda: kernel.run(job))
    started.wait()
    kernel.service.cancel(job.id)
    thread.join()
    assert kernel.state(job) is State.CANCELLED


def test_a_job_that_does_not_listen_is_left_behind_and_fenced(make_kernel: Callable[..., Kernel]) -> None:
    kernel = make_kernel(cancel_grace_s=0)
    release, started = threading.Event(), threading.Event()
    caught: list[BaseException] = []

    def work(job: Job, context: JobContext) -> Result:
        started.set()
        release.wait()
        try:
            context.checkpoint.save(b"late")
        except Fenced as exc:
            caught.append(exc)
        return ANSWER

    kernel.training.work = work
    job = kernel.submit()
    thread = in_thread(lambda: kernel.run(job))
    started.wait()
    kernel.store.request_cancel(job.id)
    thread.join()
    assert kernel.state(job) is State.CANCELLED
    release.set()
    wait_until(lambda: caught, "the fence")
    assert kernel.store.load_checkpoint(job.id) is None


def test_a_job_past_its_deadline_fails(kernel: Kernel, clock: FakeClock) -> None:
    def work(job: Job, context: JobContext) -> Result:
        clock.advance(11)
        wait_until(lambda: context.cancelled, "the deadline")
        context.check_cancelled()
        return ANSWER

    kernel.training.work = work
    ended = kernel.run(kernel.submit(deadline=clock.now() + timedelta(seconds=10)))
    assert (ended.state, ended.error) == (State.FAILED, "its deadline passed while it ran")


def test_a_job_whose_deadline_passed_while_it_waited_is_not_run(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.submit(deadline=clock.now() + timedelta(seconds=10))
    clock.advance(11)
    ended = kernel.run(job)
    assert (ended.state, kernel.training.runs) == (State.FAILED, 0)


def test_a_clock_that_jumps_while_a_job_runs_ends_nothing(kernel: Kernel, clock: FakeClock) -> None:
    def work(job: Job, context: JobContext) -> Result:
        clock.jump(1_000_000)
        assert context.remaining_s == 10
        clock.jump(-2_000_000)
        return ANSWER

    kernel.training.work = work
    assert kernel.run(kernel.submit(deadline=clock.now() + timedelta(seconds=10))).state is State.SUCCEEDED


def test_a_deadline_that_has_passed_is_refused(kernel: Kernel, clock: FakeClock) -> None:
    with pytest.raises(Invalid, match="deadline"):
        kernel.submit(deadline=clock.now())


def test_progress_is_readable_while_the_job_runs(kernel: Kernel) -> None:
    release, told = threading.Event(), threading.Event()

    def work(job: Job, context: JobContext) -> Result:
        context.progress(0.25, "reading", loss=float("nan"))
        context.progress(message="training", accuracy=0.5)
        context.log("line")
        told.set()
        release.wait()
        return ANSWER

    kernel.training.work = work
    job = kernel.submit()
    thread = in_thread(lambda: kernel.run(job))
    told.wait()
    wait_until(lambda: kernel.get(job).fraction == 0.25, "progress")
    shown = kernel.get(job)
    assert (shown.state, shown.message, shown.metrics) == (State.RUNNING, "training", {"loss": None, "accuracy": 0.5})
    assert [line.text for line in kernel.store.logs(job.id)] == ["line"]
    release.set()
    thread.join()


def test_what_was_told_last_is_kept_even_if_the_job_ends_at_once(kernel: Kernel) -> None:
    def work(job: Job, context: JobContext) -> Result:
        for number in range(1000):
            context.progress(number / 999, f"step {number}")
            context.log(f"{number}")
        return ANSWER

    kernel.training.work = work
    ended = kernel.run(kernel.submit())
    assert (ended.fraction, ended.message) == (1.0, "step 999")
    assert len(kernel.store.logs(ended.id, limit=2000)) == 1000


def test_a_long_job_keeps_its_heartbeat(kernel: Kernel, clock: FakeClock) -> None:
    seen: list[object] = []

    def work(job: Job, context: JobContext) -> Result:
        for _ in range(3):
            seen.append(before := kernel.get(job).heartbeat_at)
            clock.advance(1)
            wait_until(lambda before=before: kernel.get(job).heartbeat_at != before, "a heartbeat")  # type: ignore[misc]
        return ANSWER

    kernel.training.work = work
    assert kernel.run(kernel.submit()).state is State.SUCCEEDED
    assert len(set(seen)) == 3


def test_an_attempt_goes_on_from_the_checkpoint_of_the_one_before(kernel: Kernel, clock: FakeClock) -> None:
    def work(job: Job, context: JobContext) -> Result:
        found = context.checkpoint.load()
        if found is None:
            context.checkpoint.save(b"halfway")
            raise ValueError("bad luck")
        return Result(body=found)

    kernel.training.work = work
    waiting = kernel.run(kernel.submit())
    clock.advance(600)
    assert kernel.store.result(kernel.run(waiting)).body == b"halfway"


def test_an_attempt_that_was_replaced_has_no_effect(kernel: Kernel, clock: FakeClock) -> None:
    """It was only slow: the scheduler took it for lost, another worker did the job, and then it came back."""
    started, release = threading.Event(), threading.Event()

    def slow(job: Job, context: JobContext) -> Result:
        started.set()
        release.wait()
        return publish(job, context)

    kernel.training.work = slow
    job = kernel.submit()
    # A runner whose heartbeats do not come through, as of a process that is suspended.
    settings = kernel.settings.model_copy(update={"heartbeat_s": 10_000})
    suspended = Runner(kernel.store, kernel.queue, {Kind.TRAINING: Scripted(slow)}, settings, clock)
    thread = in_thread(lambda: suspended.handle(Message("id", QUEUE, job.id, "", 1)))
    started.wait()
    clock.advance(50)
    kernel.scheduler.tick()
    clock.advance(600)
    kernel.training.work = publish
    assert kernel.run(job).state is State.SUCCEEDED
    release.set()
    thread.join()
    assert effects(kernel) == [(job.id, 2)]


def test_the_backstop_for_poisoned_messages_makes_the_job_dead(kernel: Kernel) -> None:
    job = kernel.submit()
    kernel.runner.handle_poison(job.id)
    kernel.runner.handle_poison("nothing")
    assert kernel.state(job) is State.DEAD
    assert "came back too often" in (kernel.get(job).error or "")


def test_a_kind_that_nobody_runs_fails_with_a_reason(kernel: Kernel) -> None:
    ended = kernel.run(kernel.accept(kind=Kind.SUBMISSION))
    assert (ended.state, ended.error) == (State.FAILED, "this worker runs no submission jobs")


def publish(job: Job, context: JobContext) -> Result:
    """Write one row for the job with its success: what a test counts as its effect."""
    values = {"id": job.id, "epoch": job.epoch}
    statement = sa.text("INSERT INTO schedules (name, next_at) VALUES (:id, '2024-01-01') ")
    context.on_commit(lambda connection: connection.execute(statement, {"id": f"{values['id']}/{values['epoch']}"}))
    return ANSWER


def effects(kernel: Kernel) -> list[tuple[str, int]]:
    names = [str(row[0]).partition("/") for row in kernel.execute("SELECT name FROM schedules ORDER BY name")]
    return [(job_id, int(epoch)) for job_id, _, epoch in names]
