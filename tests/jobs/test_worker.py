"""The loop that takes messages: what it holds, gives back, renews and leaves."""

import threading
from collections.abc import Callable

import pytest

from common.clock import FakeClock
from common.jobs.context import JobContext
from common.jobs.queues.base import Message
from common.jobs.records import Job, Result
from common.jobs.states import State
from common.jobs.worker import POISON_COUNT
from tests.faults import InjectedTimeout
from tests.jobs.kernel import QUEUE, Kernel, in_thread, wait_until

ANSWER = Result(body=b"1")


class Gate:
    """Work that waits until it is let through, or told to stop."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.stopped = 0

    def __call__(self, job: Job, context: JobContext) -> Result:
        self.entered.release()
        while not self.open.wait(0.01):
            if context.cancelled:
                self.stopped += 1
                context.check_cancelled()
        return ANSWER


def test_submitted_jobs_are_run_and_their_messages_removed(kernel: Kernel) -> None:
    made = [kernel.submit() for _ in range(10)]
    with kernel.working(concurrency=3):
        wait_until(lambda: all(kernel.state(job) is State.SUCCEEDED for job in made), "all jobs")
        wait_until(lambda: kernel.queue.depth(QUEUE).length == 0, "an empty queue")
    assert kernel.training.runs == 10


def test_a_worker_runs_as_many_at_once_as_it_was_told(kernel: Kernel) -> None:
    gate = kernel.training.work = Gate()
    for _ in range(5):
        kernel.submit()
    with kernel.working(concurrency=2):
        gate.entered.acquire()
        gate.entered.acquire()
        assert len(kernel.runner.running()) == 2
        gate.open.set()
        wait_until(lambda: kernel.training.runs == 5, "the rest")


def test_what_cannot_begin_is_left_for_other_workers(kernel: Kernel) -> None:
    gate = kernel.training.work = Gate()
    kernel.submit()
    kernel.submit()
    with kernel.working(concurrency=1):
        gate.entered.acquire()
        assert len(kernel.queue.receive(QUEUE, 5, 0)) == 1
        gate.open.set()


def test_a_worker_that_stops_finishes_what_runs_if_it_has_the_time(make_kernel: Callable[..., Kernel]) -> None:
    kernel = make_kernel(drain_s=1_000_000)
    gate = kernel.training.work = Gate()
    running, waiting = kernel.submit(), kernel.submit()
    worker = kernel.worker()
    thread = in_thread(worker.run)
    gate.entered.acquire()
    worker.stop()
    gate.open.set()
    thread.join()
    assert (kernel.state(running), kernel.state(waiting)) == (State.SUCCEEDED, State.QUEUED)
    assert kernel.queue.depth(QUEUE).length == 1


def test_a_worker_that_has_no_time_puts_running_jobs_back_to_be_resumed(kernel: Kernel) -> None:
    gate = kernel.training.work = Gate()
    job = kernel.submit()
    with kernel.working():
        gate.entered.acquire()
    left = kernel.get(job)
    assert (left.state, left.attempts) == (State.QUEUED, 0)
    gate.open.set()
    assert kernel.handle_next() is not None
    assert kernel.state(job) is State.SUCCEEDED
    assert [attempt.outcome for attempt in kernel.store.attempts(job.id)] == ["interrupt", "succeed"]


def test_code_is_told_when_its_worker_leaves(kernel: Kernel) -> None:
    gate = kernel.training.work = Gate()
    kernel.submit()
    with kernel.working():
        gate.entered.acquire()
    wait_until(lambda: gate.stopped, "the code to stop")


def test_one_message_and_no_more_is_handled_once(kernel: Kernel) -> None:
    first, second = kernel.submit(), kernel.submit()
    assert kernel.worker().run(limit=1, idle_s=0) == 1
    assert sorted([kernel.state(first), kernel.state(second)]) == [State.QUEUED, State.SUCCEEDED]


def test_a_worker_started_for_a_message_that_is_gone_ends(kernel: Kernel) -> None:
    assert kernel.worker().run(limit=1, idle_s=0) == 0


def test_leases_are_renewed_while_a_job_runs(make_kernel: Callable[..., Kernel], clock: FakeClock) -> None:
    kernel = make_kernel(lease_s=60)
    gate = kernel.training.work = Gate()
    kernel.submit()
    with kernel.working():
        gate.entered.acquire()
        for _ in range(4):
            clock.advance(31)
            seen = clock.now()
            wait_until(
                lambda seen=seen: kernel.execute("SELECT 1 FROM queue_messages WHERE visible_at > :now", now=seen),  # type: ignore[misc]
                "a renewal",
            )
            assert kernel.queue.receive(QUEUE, 1, 60) == []
            wait_until(lambda: len(kernel.runner.running()) == 1)
        gate.open.set()
        wait_until(lambda: kernel.queue.depth(QUEUE).length == 0, "an empty queue")


def test_a_message_that_comes_back_for_ever_is_put_aside_and_its_job_is_dead(kernel: Kernel) -> None:
    job = kernel.submit()
    kernel.execute("UPDATE queue_messages SET dequeue_count = :count", count=POISON_COUNT)
    kernel.worker().run(limit=1, idle_s=0)
    assert kernel.state(job) is State.DEAD
    assert kernel.queue.depth(f"{QUEUE}-poison").length == 1


def test_a_queue_that_fails_is_asked_again(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    receive, failures = kernel.queue.receive, [InjectedTimeout("no"), InjectedTimeout("no")]

    def failing(*args: object) -> list[Message]:
        if failures:
            raise failures.pop()
        got: list[Message] = receive(*args)
        return got

    monkeypatch.setattr(kernel.queue, "receive", failing)
    job = kernel.submit()
    with kernel.working():
        wait_until(lambda: kernel.state(job) is State.SUCCEEDED, "the job")


def test_a_message_whose_job_cannot_be_read_is_given_back(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    job = kernel.submit()
    with monkeypatch.context() as broken:
        broken.setattr(kernel.store, "begin_attempt", lambda *_: (_ for _ in ()).throw(ValueError("broken")))
        kernel.worker().run(limit=1, idle_s=0)
    assert kernel.queue.depth(QUEUE).length == 1
    assert kernel.state(job) is State.QUEUED


def test_a_message_whose_worker_vanished_before_it_began_comes_back_within_a_minute(
    make_kernel: Callable[..., Kernel], clock: FakeClock
) -> None:
    kernel = make_kernel(heartbeat_s=10)
    job = kernel.submit()
    assert kernel.queue.receive(QUEUE, 1, kernel.settings.lease_s)
    # The queue is not empty, and the job has no heartbeat yet: nothing else would tell.
    for _ in range(4):
        clock.advance(15)
        kernel.scheduler.tick()
    kernel.handle_next()
    assert kernel.state(job) is State.SUCCEEDED
