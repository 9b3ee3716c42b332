"""The store, on SQLite and PostgreSQL alike."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from common.clock import FakeClock, id_time
from common.errors import Conflict, DependencyFailed, Invalid, NotFound
from common.jobs.attempts import LOG_LINES, NotBegun
from common.jobs.blobs import INLINE_BYTES
from common.jobs.errors import Fenced
from common.jobs.records import JobFilter, NewLine, Progress, Result
from common.jobs.states import Event, Kind, State
from tests.jobs.kernel import QUEUE, Kernel


def test_an_accepted_job_is_queued_and_keeps_its_request(kernel: Kernel) -> None:
    job = kernel.accept(body=b"\x00\xff", headers={"accept": "a"}, model="m", owner="o", traceparent="t")
    assert (job.state, job.version, job.headers, job.attempts) == (State.QUEUED, 1, {"accept": "a"}, 0)
    assert kernel.store.request_body(job.id) == b"\x00\xff"


def test_a_body_too_large_for_the_database_comes_back_whole(kernel: Kernel) -> None:
    body = bytes(range(256)) * (INLINE_BYTES // 256 + 1)
    assert kernel.store.request_body(kernel.accept(body=body).id) == body


def test_a_damaged_body_is_an_error_not_an_answer(kernel: Kernel) -> None:
    job = kernel.accept(body=b"x" * (INLINE_BYTES + 1))
    name = kernel.execute("SELECT blob FROM job_payloads WHERE job_id = :id", id=job.id)[0][0]
    (kernel.share / "jobs" / name).write_bytes(b"cut short")
    with pytest.raises(DependencyFailed, match="damaged"):
        kernel.store.request_body(job.id)


WAYS_TO_CHANGE: dict[str, Callable[[Kernel, str], object]] = {
    "it begins": lambda kernel, job: kernel.store.begin_attempt(job, "w"),
    "its progress": lambda kernel, job: (
        kernel.store.begin_attempt(job, "w"),
        kernel.store.progress(job, 1, Progress(0.5, "half", {"loss": 1})),
    ),
    "it is cancelled": lambda kernel, job: kernel.store.request_cancel(job),
    "it is removed": lambda kernel, job: kernel.execute("DELETE FROM jobs WHERE id = :id", id=job),
}


@pytest.mark.parametrize("how", WAYS_TO_CHANGE)
def test_the_marks_of_a_page_change_with_any_of_its_jobs(kernel: Kernel, how: str) -> None:
    first, *_ = [kernel.accept().id for _ in range(3)]
    before = kernel.store.marks()
    assert before == kernel.store.list().marks == kernel.store.marks()
    WAYS_TO_CHANGE[how](kernel, first)
    assert kernel.store.marks() != before
    assert kernel.store.marks() == kernel.store.list().marks


def test_the_marks_of_a_page_are_those_of_its_filter_and_place(kernel: Kernel) -> None:
    jobs = [kernel.accept().id for _ in range(4)]
    kernel.store.request_cancel(jobs[0])
    either = JobFilter(states=(State.QUEUED, State.CANCELLED))
    for wanted, cursor, limit in ((either, None, 2), (either, jobs[2], 2), (JobFilter(model="no"), None, 5)):
        marks = kernel.store.marks(wanted, cursor, limit)
        assert marks == kernel.store.list(wanted, cursor, limit).marks
    assert kernel.store.marks(limit=3) != kernel.store.marks(limit=4)[:4]


def test_the_same_key_is_the_same_job(kernel: Kernel) -> None:
    first = kernel.submit(idempotency_key="k")
    second = kernel.service.submit(Kind.TRAINING, "/model/train", b"{}", idempotency_key="k")
    assert (second.job.id, second.is_new) == (first.id, False)


def test_the_same_key_for_another_body_is_refused_by_name(kernel: Kernel) -> None:
    kernel.submit(idempotency_key="k")
    with pytest.raises(Invalid, match="Idempotency-Key") as caught:
        kernel.submit(b"other", idempotency_key="k")
    assert caught.value.errors[0].field == "header.Idempotency-Key"


def test_keys_of_different_owners_are_different(kernel: Kernel) -> None:
    assert kernel.submit(idempotency_key="k", owner="a").id != kernel.submit(idempotency_key="k", owner="b").id


def test_a_key_is_free_again_after_a_day(kernel: Kernel, clock: FakeClock) -> None:
    first = kernel.submit(idempotency_key="k")
    clock.advance(24 * 3600)
    assert kernel.submit(b"other", idempotency_key="k").id != first.id


def test_many_requests_with_one_key_at_once_make_one_job(kernel: Kernel) -> None:
    ids: list[str] = []
    barrier = threading.Barrier(8)

    def submit() -> None:
        barrier.wait()
        ids.append(kernel.submit(idempotency_key="k").id)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert len(kernel.store.list().jobs) == 1


def test_beginning_makes_a_job_run(kernel: Kernel) -> None:
    begun = kernel.begin()
    assert (begun.state, begun.epoch, begun.attempts) == (State.RUNNING, 1, 1)


def test_a_running_job_is_not_begun_again(kernel: Kernel) -> None:
    begun = kernel.begin()
    assert kernel.store.begin_attempt(begun.id, "other") == NotBegun("running already")


def test_beginning_twice_by_the_same_attempt_is_beginning_once(kernel: Kernel) -> None:
    begun = kernel.begin()
    assert kernel.store.begin_attempt(begun.id, "worker-1") == begun


def test_only_one_of_many_workers_begins_a_job(kernel: Kernel) -> None:
    job = kernel.accept()
    begun: list[object] = []
    barrier = threading.Barrier(6)

    def begin(name: str) -> None:
        barrier.wait()
        begun.append(kernel.store.begin_attempt(job.id, name))

    threads = [threading.Thread(target=begin, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(not isinstance(one, NotBegun) for one in begun) == 1


def test_a_silent_attempt_is_replaced_when_its_message_comes_back(kernel: Kernel, clock: FakeClock) -> None:
    first = kernel.begin()
    clock.advance(46)
    # At once: the silence was longer than the wait after a failure.
    second = kernel.begin(first, "worker-2")
    assert (second.epoch, [a.outcome for a in kernel.store.attempts(first.id)]) == (2, ["lost", None])


def test_a_lost_attempt_waits_for_what_the_silence_has_left_of_its_wait(
    make_kernel: Callable[..., Kernel], clock: FakeClock
) -> None:
    kernel = make_kernel(retry_base_s=200)
    first = kernel.begin()
    clock.advance(46)
    waiting = kernel.store.begin_attempt(first.id, "worker-2")
    assert isinstance(waiting, NotBegun)
    assert waiting.due_in_s is not None
    assert 100 - 45 <= waiting.due_in_s <= 200 - 45


def test_unknown_and_finished_jobs_are_not_begun(kernel: Kernel) -> None:
    assert kernel.store.begin_attempt("nothing", "w") == NotBegun("unknown")
    begun = kernel.begin()
    kernel.finish(begun)
    assert kernel.store.begin_attempt(begun.id, "w") == NotBegun("succeeded already")


WRITES: dict[str, Callable[[Kernel, str, int], object]] = {
    "heartbeat": lambda kernel, job, epoch: kernel.store.heartbeat(job, epoch),
    "progress": lambda kernel, job, epoch: kernel.store.progress(job, epoch, Progress(0.9, "late")),
    "logs": lambda kernel, job, epoch: kernel.store.append_logs(job, epoch, [NewLine(kernel.clock.now(), "late")]),
    "checkpoint": lambda kernel, job, epoch: kernel.store.save_checkpoint(job, epoch, b"late"),
    "look": lambda kernel, job, epoch: kernel.store.is_cancelling(job, epoch),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_stale_attempt_writes_nothing(kernel: Kernel, clock: FakeClock, write: str) -> None:
    first = kernel.begin()
    kernel.finish(first, Event.RETRY, error="once")
    kernel.begin(first, "worker-2")
    before = (kernel.get(first), kernel.store.logs(first.id), kernel.store.load_checkpoint(first.id))
    clock.advance(1)
    with pytest.raises(Fenced):
        WRITES[write](kernel, first.id, first.epoch)
    assert (kernel.get(first), kernel.store.logs(first.id), kernel.store.load_checkpoint(first.id)) == before


def test_a_stale_attempt_cannot_finish_and_its_effect_does_not_happen(kernel: Kernel) -> None:
    first = kernel.begin()
    kernel.finish(first, Event.RETRY, error="once")
    second = kernel.begin(first, "worker-2")
    with pytest.raises(Fenced):
        kernel.finish(first, within=lambda c: pytest.fail("the effect happened"))
    assert kernel.get(first) == second


def test_the_effect_and_the_end_are_one_transaction(kernel: Kernel) -> None:
    begun = kernel.begin()

    def effect(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO leases VALUES ('effect', 'x', '2024-01-01')"))
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        kernel.finish(begun, within=effect)
    assert kernel.state(begun) is State.RUNNING
    assert kernel.execute("SELECT * FROM leases") == []


def test_finishing_twice_is_finishing_once(kernel: Kernel) -> None:
    begun = kernel.begin()
    effects: list[int] = []
    ended = kernel.finish(begun, within=lambda c: effects.append(1))
    assert kernel.finish(begun, within=lambda c: effects.append(1)) == ended
    assert effects == [1]


def test_a_cancelled_job_never_publishes(kernel: Kernel) -> None:
    begun = kernel.begin()
    kernel.store.request_cancel(begun.id)
    ended = kernel.finish(begun, within=lambda c: pytest.fail("it was published"))
    assert (ended.state, kernel.store.result(ended)) == (State.CANCELLED, None)


def test_the_result_is_what_was_answered(kernel: Kernel) -> None:
    for body in (b"", b"[1]", b"x" * (INLINE_BYTES + 1)):
        begun = kernel.begin()
        ended = kernel.finish(begun, result=Result(201, "text/plain", body))
        assert kernel.store.result(ended) == Result(201, "text/plain", body)


def test_an_interrupted_attempt_does_not_count(kernel: Kernel) -> None:
    ended = kernel.finish(kernel.begin(), Event.INTERRUPT)
    assert (ended.state, ended.attempts, ended.enqueued_at) == (State.QUEUED, 0, None)


def test_a_job_that_is_retried_waits_for_its_time(kernel: Kernel, clock: FakeClock) -> None:
    ended = kernel.finish(kernel.begin(), Event.RETRY, error="no", delay_s=30)
    assert kernel.store.begin_attempt(ended.id, "w") == NotBegun("not due", 30.0)
    clock.advance(30)
    assert kernel.begin(ended).attempts == 2


def test_a_waiting_job_is_cancelled_at_once(kernel: Kernel) -> None:
    job = kernel.accept()
    assert kernel.store.request_cancel(job.id).state is State.CANCELLED
    assert kernel.store.begin_attempt(job.id, "w") == NotBegun("cancelled already")


def test_a_running_job_hears_of_its_cancellation_with_the_heartbeat(kernel: Kernel) -> None:
    begun = kernel.begin()
    assert kernel.store.heartbeat(begun.id, begun.epoch) is False
    kernel.store.request_cancel(begun.id)
    assert kernel.store.heartbeat(begun.id, begun.epoch) is True
    assert kernel.store.progress(begun.id, begun.epoch, Progress(0.5)) is True


def test_a_finished_job_cannot_be_cancelled(kernel: Kernel) -> None:
    begun = kernel.begin()
    kernel.finish(begun)
    with pytest.raises(Conflict, match="succeeded"):
        kernel.service.cancel(begun.id)


def test_failed_and_dead_jobs_can_be_retried_by_a_person(kernel: Kernel) -> None:
    for event in (Event.REFUSE, Event.EXHAUST):
        ended = kernel.finish(kernel.begin(), event, error="no")
        revived = kernel.service.retry(ended.id)
        assert (revived.state, revived.attempts, revived.error, revived.finished_at) == (State.QUEUED, 0, None, None)
        assert kernel.begin(revived).epoch == ended.epoch + 1


def test_other_jobs_cannot_be_retried(kernel: Kernel) -> None:
    job = kernel.accept()
    with pytest.raises(Conflict, match="only a failed or dead job"):
        kernel.service.retry(job.id)


def test_a_job_that_does_not_exist_is_not_found(kernel: Kernel) -> None:
    for ask in (kernel.store.get, kernel.service.cancel, kernel.service.retry):
        with pytest.raises(NotFound):
            ask("nothing")


def test_progress_changes_the_version_and_a_heartbeat_does_not(kernel: Kernel) -> None:
    begun = kernel.begin()
    kernel.store.heartbeat(begun.id, begun.epoch)
    assert kernel.get(begun).version == begun.version
    kernel.store.progress(begun.id, begun.epoch, Progress(0.5, "half", {"loss": 1.5}))
    shown = kernel.get(begun)
    assert (shown.version, shown.fraction, shown.message) == (begun.version + 1, 0.5, "half")
    assert shown.metrics == {"loss": 1.5}


def test_the_log_is_numbered_across_attempts_and_keeps_the_newest_lines(kernel: Kernel, clock: FakeClock) -> None:
    begun = kernel.begin()
    kernel.store.append_logs(begun.id, begun.epoch, [NewLine(clock.now(), "first")])
    kernel.store.append_logs(begun.id, begun.epoch, [NewLine(clock.now(), f"{n}") for n in range(LOG_LINES)])
    lines = kernel.store.logs(begun.id, limit=LOG_LINES + 1)
    assert (len(lines), lines[0].seq, lines[0].text, lines[-1].text) == (LOG_LINES, 2, "0", f"{LOG_LINES - 1}")
    assert [line.seq for line in kernel.store.logs(begun.id, after_seq=lines[-1].seq - 1)] == [lines[-1].seq]


def test_a_checkpoint_survives_the_attempt(kernel: Kernel) -> None:
    begun = kernel.begin()
    kernel.store.save_checkpoint(begun.id, begun.epoch, b"one")
    kernel.store.save_checkpoint(begun.id, begun.epoch, b"two" * INLINE_BYTES)
    kernel.finish(begun, Event.RETRY)
    assert kernel.store.load_checkpoint(begun.id) == b"two" * INLINE_BYTES


def test_pages_go_through_all_jobs_once_from_the_newest(kernel: Kernel, clock: FakeClock) -> None:
    made = []
    for _ in range(7):
        clock.advance(1)
        made.append(kernel.accept().id)
    seen: list[str] = []
    cursor = None
    while True:
        page = kernel.store.list(JobFilter(queue=QUEUE), cursor, 3)
        seen += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == made[::-1]


def test_a_list_can_be_narrowed(kernel: Kernel) -> None:
    wanted = kernel.accept(model="a", owner="me", kind=Kind.PREDICTION)
    kernel.accept(model="b", owner="you")
    running = kernel.begin()
    for narrow in (JobFilter(model="a"), JobFilter(owner="me"), JobFilter(kind=Kind.PREDICTION)):
        assert [job.id for job in kernel.store.list(narrow).jobs] == [wanted.id]
    assert [job.id for job in kernel.store.list(JobFilter([State.RUNNING])).jobs] == [running.id]


def test_several_states_are_listed_as_one_from_the_newest(kernel: Kernel) -> None:
    begun = [kernel.begin() for _ in range(6)]
    for number, event in enumerate((Event.SUCCEED, Event.REFUSE, Event.EXHAUST) * 2):
        kernel.finish(begun[number], event)
    wanted = JobFilter([State.FAILED, State.DEAD, State.FAILED], model="")
    given = [begun[number].id for number in (5, 4, 2, 1)]
    first = kernel.store.list(wanted, None, 3)
    assert [job.id for job in first.jobs] == given[:3]
    assert [job.id for job in kernel.store.list(wanted, first.cursor, 3).jobs] == given[3:]
    assert len(kernel.store.list(JobFilter(list(State))).jobs) == 6


def test_a_list_is_narrowed_by_time_from_a_moment_on_and_before_one(kernel: Kernel, clock: FakeClock) -> None:
    made = []
    for _ in range(4):
        clock.advance(60)
        made.append(kernel.accept())
    after, before = made[1].created_at, made[3].created_at
    found = kernel.store.list(JobFilter(created_after=after, created_before=before)).jobs
    assert [job.id for job in found] == [made[2].id, made[1].id]
    assert [job.id for job in kernel.store.list(JobFilter([State.QUEUED], created_before=after)).jobs] == [made[0].id]


def test_a_job_was_created_when_its_id_says(kernel: Kernel, clock: FakeClock) -> None:
    job = kernel.accept()
    assert job.created_at == id_time(job.id)
    assert abs(job.created_at - clock.now()) < timedelta(seconds=1)


def test_the_position_counts_those_that_wait_before(kernel: Kernel, clock: FakeClock) -> None:
    made = []
    for _ in range(3):
        clock.advance(1)
        made.append(kernel.accept())
    kernel.accept(queue="other-cpu")
    assert [kernel.store.queue_position(job) for job in made] == [0, 1, 2]
    begun = kernel.begin(made[0])
    assert [kernel.store.queue_position(job) for job in (begun, made[2])] == [None, 1]


def test_a_mark_for_an_earlier_wait_does_not_count(kernel: Kernel) -> None:
    job = kernel.accept()
    kernel.finish(kernel.begin(job), Event.RETRY, error="no")
    kernel.store.mark_enqueued(job.id, 0)
    assert kernel.get(job).enqueued_at is None
    kernel.store.mark_enqueued(job.id, 1)
    assert kernel.get(job).enqueued_at is not None


def test_results_expire_and_records_stay(kernel: Kernel, clock: FakeClock) -> None:
    ended = kernel.finish(kernel.begin(kernel.accept(body=b"x" * (INLINE_BYTES + 1))))
    clock.advance(timedelta(days=8).total_seconds())
    assert kernel.store.expire_results() == 1
    assert (kernel.store.result(ended), kernel.state(ended)) == (None, State.SUCCEEDED)
    with pytest.raises(Conflict, match="kept no longer"):
        kernel.store.request_body(ended.id)
    assert not list(kernel.share.glob("jobs/*/*"))


def test_a_job_whose_request_is_gone_cannot_be_retried(kernel: Kernel, clock: FakeClock) -> None:
    ended = kernel.finish(kernel.begin(), Event.REFUSE, error="no")
    clock.advance(timedelta(days=8).total_seconds())
    kernel.store.expire_results()
    with pytest.raises(Conflict, match="kept no longer"):
        kernel.service.retry(ended.id)


def test_old_jobs_are_removed_with_all_that_is_theirs(kernel: Kernel, clock: FakeClock) -> None:
    begun = kernel.begin(kernel.submit(idempotency_key="k"))
    kernel.store.append_logs(begun.id, begun.epoch, [NewLine(clock.now(), "line")])
    kernel.finish(begun)
    waiting = kernel.accept()
    clock.advance(timedelta(days=31).total_seconds())
    assert kernel.store.prune() == 1
    for table in ("job_attempts", "job_logs", "job_keys"):
        assert kernel.execute(f"SELECT * FROM {table}") == [], table  # noqa: S608  # names from above
    assert [job.id for job in kernel.store.list().jobs] == [waiting.id]


def test_a_lease_has_one_holder(kernel: Kernel, clock: FakeClock) -> None:
    assert kernel.store.take_lease("l", "a", 20)
    assert not kernel.store.take_lease("l", "b", 20)
    clock.advance(15)
    assert kernel.store.take_lease("l", "a", 20)
    clock.advance(21)
    assert kernel.store.take_lease("l", "b", 20)


def test_a_lease_from_before_the_clock_was_set_back_is_free(kernel: Kernel, clock: FakeClock) -> None:
    kernel.store.take_lease("l", "a", 20)
    clock.jump(-3600)
    assert kernel.store.take_lease("l", "b", 20)
