"""What the scheduler shows of all jobs."""

from prometheus_client import REGISTRY

from common.clock import FakeClock
from common.jobs.states import Event
from tests.jobs.kernel import QUEUE, Kernel


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_jobs_are_counted_by_kind_and_state(kernel: Kernel) -> None:
    kernel.submit()
    kernel.begin()
    kernel.finish(kernel.begin(), Event.EXHAUST, error="used up")
    kernel.finish(kernel.begin())
    kernel.scheduler.tick()
    states = {state: shown("atoll_jobs", kind="training", state=state) for state in ("queued", "running", "dead")}
    assert states == {"queued": 1, "running": 1, "dead": 1}


def test_a_state_that_no_job_is_in_any_more_shows_nothing(kernel: Kernel) -> None:
    job = kernel.submit()
    kernel.scheduler.tick()
    kernel.run(job)
    kernel.scheduler.tick()
    assert shown("atoll_jobs", kind="training", state="queued") == 0


def test_a_queue_is_as_old_as_its_job_that_waited_longest(kernel: Kernel, clock: FakeClock) -> None:
    kernel.submit()
    clock.advance(40)
    kernel.submit()
    kernel.scheduler.tick()
    assert shown("atoll_queue_oldest_seconds", queue=QUEUE) == 40


def test_a_queue_that_has_emptied_is_0_old_and_0_long(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.submit()
    clock.advance(4)
    kernel.scheduler.tick()
    before = shown("atoll_queue_waiting", queue=QUEUE)
    kernel.run(job)
    kernel.scheduler.tick()
    names = ("atoll_queue_waiting", "atoll_queue_length", "atoll_queue_oldest_seconds")
    assert (before, [shown(name, queue=QUEUE) for name in names]) == (1, [0, 0, 0])


def test_the_oldest_heartbeat_shows_and_goes_when_nothing_runs(kernel: Kernel, clock: FakeClock) -> None:
    older = kernel.begin()
    clock.advance(12)
    younger = kernel.begin()
    kernel.scheduler.tick()
    seen = shown("atoll_job_heartbeat_seconds")
    for begun in (older, younger):
        kernel.finish(begun)
    kernel.scheduler.tick()
    assert (seen, shown("atoll_job_heartbeat_seconds")) == (12, 0)


def test_a_process_that_holds_the_lease_no_longer_shows_nothing(kernel: Kernel, clock: FakeClock) -> None:
    kernel.submit()
    kernel.scheduler.tick()
    assert kernel.another_scheduler().tick() is False
    clock.advance(3600)
    other = kernel.another_scheduler()
    assert other.tick()
    kernel.scheduler.tick()
    assert shown("atoll_queue_waiting", queue=QUEUE) == 0
