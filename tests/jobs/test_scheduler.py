"""The rounds that repair: nothing is lost, nothing is done twice, whatever the clock does."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from common.clock import FakeClock
from common.errors import SettingsError
from common.jobs.records import Accepted, JobFilter
from common.jobs.states import Event, Kind, State
from common.settings import Settings
from common.storage.leftovers import OLD_S
from common.storage.share import PARTIAL
from tests.faults import InjectedTimeout
from tests.jobs.kernel import QUEUE, Kernel

CRON = [{"cron": "0 * * * *", "path": "/sample_model/predict", "body": {"a": 1}}]


def ticks(kernel: Kernel, clock: FakeClock, seconds: float, every_s: float = 15) -> None:
    """Let time pass as it does, with a round every 15 s."""
    for _ in range(round(seconds / every_s)):
        clock.advance(every_s)
        kernel.scheduler.tick()


def test_a_job_is_accepted_while_its_queue_is_down_and_runs_when_it_is_back(
    kernel: Kernel, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as down:
        down.setattr(kernel.queue, "send", lambda *_: (_ for _ in ()).throw(InjectedTimeout("down")))
        job = kernel.submit()
    assert (job.state, kernel.handle_next()) == (State.QUEUED, None)
    ticks(kernel, clock, 15)
    kernel.handle_next()
    assert kernel.state(job) is State.SUCCEEDED


def test_a_job_just_accepted_is_left_to_its_submitter(kernel: Kernel, clock: FakeClock) -> None:
    kernel.accept()
    clock.advance(1)
    kernel.scheduler.tick()
    assert kernel.queue.depth(QUEUE).length == 0


def test_a_worker_that_vanished_is_noticed_within_a_minute(kernel: Kernel, clock: FakeClock) -> None:
    begun = kernel.begin(kernel.submit())
    ticks(kernel, clock, 60)
    lost = kernel.get(begun)
    assert (lost.state, lost.error) == (State.RETRYING, "the worker vanished during attempt 1 of 3")
    assert kernel.store.attempts(begun.id)[0].outcome == "lost"


def test_a_job_whose_workers_always_vanish_is_dead_in_the_end(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.submit()
    for number in range(3):
        kernel.begin(job, f"worker-{number}")
        ticks(kernel, clock, 120)
    assert (kernel.state(job), kernel.get(job).error) == (State.DEAD, "the worker vanished during attempt 3 of 3")


def test_a_cancelled_job_whose_worker_vanished_is_cancelled(kernel: Kernel, clock: FakeClock) -> None:
    begun = kernel.begin()
    kernel.service.cancel(begun.id)
    ticks(kernel, clock, 60)
    assert kernel.state(begun) is State.CANCELLED


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 30 * 86400.0, -30 * 86400.0])
def test_a_clock_that_jumps_loses_no_running_job(kernel: Kernel, clock: FakeClock, jump_s: float) -> None:
    begun = kernel.begin()
    for number in range(12):
        clock.advance(10)
        if number == 5:
            clock.jump(jump_s)
            kernel.scheduler.tick()
        kernel.store.heartbeat(begun.id, begun.epoch)
        clock.advance(5)
        kernel.scheduler.tick()
    assert kernel.get(begun).epoch == begun.epoch
    assert kernel.state(begun) is State.RUNNING


@pytest.mark.parametrize("jump_s", [0.0, 3600.0, -3600.0, -30 * 86400.0])
def test_a_vanished_worker_is_noticed_whatever_the_clock_did(kernel: Kernel, clock: FakeClock, jump_s: float) -> None:
    begun = kernel.begin()
    kernel.scheduler.tick()
    clock.jump(jump_s)
    ticks(kernel, clock, 60)
    assert kernel.state(begun) is State.RETRYING


@pytest.mark.parametrize("jump_s", [-40.0, -90.0, -3600.0, -30 * 86400.0])
def test_a_job_that_waits_when_the_clock_is_set_back_is_still_run(
    kernel: Kernel, clock: FakeClock, jump_s: float
) -> None:
    waiting = kernel.accept()
    clock.jump(jump_s)
    ticks(kernel, clock, 30)
    clock.advance(-jump_s)
    kernel.handle_next()
    assert kernel.state(waiting) is State.SUCCEEDED


@pytest.mark.parametrize("jump_s", [10.0, 30.0, 90.0, 500.0, 7200.0])
def test_a_job_put_back_while_the_clock_was_ahead_runs_within_a_minute(
    kernel: Kernel, clock: FakeClock, jump_s: float
) -> None:
    clock.jump(jump_s)
    kernel.runner.enqueue(kernel.finish(kernel.begin(), Event.INTERRUPT, error="left"))
    [job] = kernel.store.list().jobs
    clock.jump(-jump_s)
    # Those who look after all were away as well, for a while.
    clock.advance(20)
    ticks(kernel, clock, 35)
    while not kernel.state(job).is_finished:
        assert kernel.handle_next() is not None
    assert kernel.state(job) is State.SUCCEEDED


def test_a_lost_message_is_sent_again(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.submit()
    kernel.execute("DELETE FROM queue_messages")
    ticks(kernel, clock, 75)
    kernel.handle_next()
    assert kernel.state(job) is State.SUCCEEDED


def test_a_lost_message_is_noticed_where_other_jobs_wait(kernel: Kernel, clock: FakeClock) -> None:
    job, *others = [kernel.submit() for _ in range(3)]
    kernel.execute("DELETE FROM queue_messages WHERE job_id = :id", id=job.id)
    ticks(kernel, clock, 45)
    assert kernel.queue.depth(QUEUE).length == 3
    for _ in range(3):
        kernel.handle_next()
    assert {kernel.state(each) for each in (job, *others)} == {State.SUCCEEDED}


def test_a_lost_message_is_noticed_when_later_jobs_run(kernel: Kernel, clock: FakeClock) -> None:
    lost = kernel.submit()
    # A message of a job that has ended makes up for the one that is gone.
    kernel.execute("UPDATE queue_messages SET job_id = 'done'")
    clock.advance(90)
    later = kernel.submit()
    ticks(kernel, clock, 30)
    assert kernel.queue.depth(QUEUE).length == 2
    kernel.begin(later)
    ticks(kernel, clock, 15)
    assert kernel.queue.depth(QUEUE).length == 3
    for _ in range(3):
        kernel.handle_next()
    assert kernel.state(lost) is State.SUCCEEDED


def test_a_job_that_only_waits_long_gets_no_second_message(kernel: Kernel, clock: FakeClock) -> None:
    for _ in range(3):
        kernel.submit()
    ticks(kernel, clock, 600)
    assert kernel.queue.depth(QUEUE).length == 3


def test_a_retry_is_sent_for_its_time(kernel: Kernel, clock: FakeClock) -> None:
    waiting = kernel.finish(kernel.begin(), Event.RETRY, delay_s=300)
    ticks(kernel, clock, 30)
    assert kernel.handle_next() is None
    clock.advance(300)
    kernel.handle_next()
    assert kernel.state(waiting) is State.SUCCEEDED


def test_a_waiting_job_past_its_deadline_fails(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.submit(deadline=clock.now() + timedelta(seconds=20))
    ticks(kernel, clock, 30)
    assert (kernel.state(job), kernel.get(job).error) == (
        State.FAILED,
        "its deadline passed before it could begin",
    )


def test_old_results_and_records_are_removed(kernel: Kernel, clock: FakeClock) -> None:
    ended = kernel.finish(kernel.begin())
    clock.advance(8 * 86400)
    ticks(kernel, clock, 300)
    assert (kernel.store.result(ended), len(kernel.store.list().jobs)) == (None, 1)
    clock.advance(31 * 86400)
    kernel.scheduler.tick()
    assert kernel.store.list().jobs == []


def test_a_clock_that_jumps_ahead_for_a_moment_removes_nothing(kernel: Kernel, clock: FakeClock) -> None:
    ended = kernel.finish(kernel.begin())
    late = kernel.submit(deadline=clock.now() + timedelta(days=1))
    ticks(kernel, clock, 300)
    clock.jump(365 * 86400)
    ticks(kernel, clock, 30)
    clock.jump(-365 * 86400)
    ticks(kernel, clock, 300)
    assert kernel.store.result(ended) is not None
    assert kernel.state(late) is State.QUEUED


def test_what_killed_writers_left_on_the_share_is_removed(kernel: Kernel, clock: FakeClock) -> None:
    kernel.share.mkdir(exist_ok=True)
    old, young = kernel.share / f"{PARTIAL}old", kernel.share / f"{PARTIAL}young"
    for file, age_s in ((old, 2 * OLD_S), (young, 0.5 * OLD_S)):
        file.write_bytes(b"x")
        os.utime(file, (time.time() - age_s,) * 2)
    kernel.scheduler.tick()
    kernel.leftovers.join()
    assert old.exists(), "a clock that was just read may be wrong"
    ticks(kernel, clock, 300)
    kernel.leftovers.join()
    assert [old.exists(), young.exists()] == [False, True]


def test_of_many_schedulers_one_acts(kernel: Kernel, clock: FakeClock) -> None:
    others = [kernel.another_scheduler() for _ in range(4)]
    assert [one.tick() for one in others] == [True, False, False, False]
    # The first one is gone; another takes its place within two rounds.
    clock.advance(30)
    assert [one.tick() for one in others[1:]] == [True, False, False]


def test_a_step_that_fails_does_not_keep_the_others_from_theirs(
    kernel: Kernel, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = kernel.accept()
    monkeypatch.setattr(kernel.store, "beats", lambda: (_ for _ in ()).throw(ValueError("broken")))
    ticks(kernel, clock, 15)
    assert kernel.get(job).enqueued_at is not None


def test_a_store_that_is_away_does_not_end_the_scheduler(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel.store, "take_lease", lambda *_: (_ for _ in ()).throw(InjectedTimeout("away")))
    assert kernel.scheduler.tick() is False


def scheduled(kernel: Kernel) -> list[str]:
    """The slots that jobs were accepted for."""
    found = kernel.store.list(JobFilter(kind=Kind.PREDICTION), limit=200).jobs
    return sorted((job.idempotency_key or "").partition("@")[2][11:16] for job in found)


@pytest.fixture
def hourly(make_kernel: Callable[..., Kernel], clock: FakeClock) -> Kernel:
    clock.advance(30 * 60)
    return make_kernel(schedules=CRON)


def test_a_schedule_submits_its_request_each_time(hourly: Kernel, clock: FakeClock) -> None:
    ticks(hourly, clock, 2 * 3600, 300)
    assert scheduled(hourly) == ["01:00", "02:00"]
    job = hourly.store.list(JobFilter(kind=Kind.PREDICTION)).jobs[0]
    assert (job.path, job.model, hourly.store.request_body(job.id)) == (
        "/sample_model/predict",
        "sample_model",
        b'{"a": 1}',
    )


def test_a_slot_is_served_once_however_many_schedulers_there_are(hourly: Kernel, clock: FakeClock) -> None:
    others = [hourly.another_scheduler() for _ in range(3)]
    for _ in range(round(3600 / 300)):
        clock.advance(300)
        for one in others:
            # Without the lease: as if all held it at once.
            one._submit_scheduled()
    assert scheduled(hourly) == ["01:00"]


def test_slots_that_were_missed_are_made_up_for_by_the_newest(hourly: Kernel, clock: FakeClock) -> None:
    hourly.scheduler.tick()
    clock.advance(10 * 3600)
    ticks(hourly, clock, 60)
    assert scheduled(hourly) == ["10:00"]


def test_a_clock_set_back_serves_no_slot_twice_and_goes_on(hourly: Kernel, clock: FakeClock) -> None:
    ticks(hourly, clock, 3600, 300)
    clock.jump(-3600)
    ticks(hourly, clock, 2 * 3600, 300)
    assert scheduled(hourly) == ["01:00", "02:00"]


def test_a_clock_that_was_wrong_for_a_moment_does_not_stop_a_schedule(hourly: Kernel, clock: FakeClock) -> None:
    clock.jump(365 * 86400)
    ticks(hourly, clock, 30)
    clock.jump(-365 * 86400)
    ticks(hourly, clock, 3600, 300)
    assert scheduled(hourly) == ["01:00"]


def test_a_schedule_that_cannot_be_submitted_does_not_stop_the_others(
    make_kernel: Callable[..., Kernel], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = make_kernel(schedules=[{"cron": "0 * * * *", "path": "/broken"}, *CRON])
    submit = kernel.service.submit

    def failing(kind: Kind, path: str, *args: Any, **options: Any) -> Accepted:
        if path == "/broken":
            raise ValueError("broken")
        return submit(kind, path, *args, **options)

    monkeypatch.setattr(kernel.service, "submit", failing)
    clock.advance(30 * 60)
    ticks(kernel, clock, 3600, 300)
    assert scheduled(kernel) == ["01:00"]


@pytest.mark.parametrize("wrong", [{"cron": "nonsense", "path": "/x"}, {"cron": "0 * * * *", "path": "x"}])
def test_a_schedule_that_cannot_be_read_ends_the_start(wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULES", json.dumps([wrong]))
    with pytest.raises(SettingsError, match="SCHEDULES"):
        Settings()


def test_schedules_are_in_utc(make_kernel: Callable[..., Kernel], clock: FakeClock) -> None:
    kernel = make_kernel(schedules=[{"cron": "15 3 * * *", "path": "/x"}])
    kernel.scheduler.tick()
    name = kernel.execute("SELECT name FROM schedules")[0][0]
    assert kernel.store.schedule_next(name) == datetime(2024, 1, 1, 3, 15, tzinfo=UTC)


def test_a_chore_is_done_every_hour_by_one_process_for_all(kernel: Kernel, clock: FakeClock) -> None:
    done: list[float] = []
    other = kernel.another_scheduler()

    def remove() -> int:
        done.append(clock.monotonic_s())
        return 1

    kernel.scheduler.chores["files"] = other.chores["files"] = remove
    for _ in range(3 * 3600 // 60):
        clock.advance(60)
        kernel.scheduler.tick()
        other.tick()
    assert len(done) == 3
    assert all(3600 <= after - before < 3600 + 2 * 60 for before, after in pairwise(done))


def test_a_chore_that_fails_is_done_again_an_hour_later(kernel: Kernel, clock: FakeClock) -> None:
    done: list[int] = []

    def fail_once() -> int:
        done.append(1)
        if len(done) == 1:
            raise OSError("the share is away")
        return 0

    kernel.scheduler.chores["files"] = fail_once
    ticks(kernel, clock, 2 * 3600)
    assert len(done) == 2


def test_a_chore_is_not_put_off_by_a_clock_that_was_ahead(kernel: Kernel, clock: FakeClock) -> None:
    done: list[int] = []
    kernel.store.set_schedule("files", clock.now() + timedelta(days=30))

    def remove() -> int:
        done.append(1)
        return 0

    kernel.scheduler.chores["files"] = remove
    ticks(kernel, clock, 300)
    assert done == [1]
