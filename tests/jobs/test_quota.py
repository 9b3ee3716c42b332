"""How many jobs one owner may have open, on SQLite and PostgreSQL alike."""

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.database import Database
from common.errors import TooManyRequests
from common.jobs.quota import check_open
from common.jobs.states import Event, State
from common.settings import Settings, StorageSettings
from common.telemetry import metrics
from tests.jobs.kernel import Kernel


def refused() -> float:
    counted: float = metrics.LIMITED.labels("jobs")._value.get()
    return counted


def test_an_owner_may_have_so_many_jobs_open_and_is_told_what_to_do(kernel: Kernel) -> None:
    for _ in range(3):
        kernel.submit(owner="key:a", max_open=3)
    with pytest.raises(TooManyRequests, match=r"at most 3 jobs of yours may wait or run.*cancel") as told:
        kernel.submit(owner="key:a", max_open=3)
    assert told.value.headers["Retry-After"] == "10"
    assert len(kernel.store.list().jobs) == 3


def test_jobs_that_run_are_open(kernel: Kernel) -> None:
    kernel.begin(kernel.submit(owner="key:a", max_open=1))
    with pytest.raises(TooManyRequests):
        kernel.submit(owner="key:a", max_open=1)


@pytest.mark.parametrize("event", [Event.SUCCEED, Event.REFUSE])
def test_jobs_that_have_ended_are_not(kernel: Kernel, event: Event) -> None:
    kernel.finish(kernel.begin(kernel.submit(owner="key:a", max_open=1)), event)
    assert kernel.submit(owner="key:a", max_open=1).state is State.QUEUED


def test_a_job_that_is_cancelled_makes_room(kernel: Kernel) -> None:
    kernel.service.cancel(kernel.submit(owner="key:a", max_open=1).id)
    assert kernel.submit(owner="key:a", max_open=1).state is State.QUEUED


def test_owners_are_counted_apart(kernel: Kernel) -> None:
    kernel.submit(owner="key:a", max_open=1)
    assert kernel.submit(owner="key:b", max_open=1).owner == "key:b"
    assert kernel.submit(owner="", max_open=1).owner == ""


def test_who_is_not_limited_may_have_any_number(kernel: Kernel) -> None:
    kernel.submit(owner="key:a", max_open=1)
    assert kernel.submit(owner="key:a").state is State.QUEUED


def test_the_same_key_again_is_the_same_job_and_not_one_more(kernel: Kernel) -> None:
    first = kernel.submit(owner="key:a", idempotency_key="k", max_open=1)
    assert kernel.submit(owner="key:a", idempotency_key="k", max_open=1).id == first.id


def test_a_refused_job_does_not_use_up_its_key(kernel: Kernel) -> None:
    first = kernel.submit(owner="key:a", max_open=1)
    with pytest.raises(TooManyRequests):
        kernel.submit(owner="key:a", idempotency_key="k", max_open=1)
    kernel.service.cancel(first.id)
    assert kernel.submit(b"other", owner="key:a", idempotency_key="k", max_open=1).state is State.QUEUED


def test_others_open_jobs_and_ended_ones_are_not_read_to_count_an_owners(tmp_path: Path) -> None:
    database = Database.build(Settings(storage=StorageSettings(state_dir=tmp_path)))
    database.migrate()
    plans: list[str] = []

    def explain(connection: sa.Connection) -> None:
        @sa.event.listens_for(connection, "before_cursor_execute", retval=True)
        def _asked(_: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
            plans.extend(row[3] for row in cursor.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall())
            return statement, parameters

        check_open(connection, "key:a", 5)

    database.read(explain)
    searched = [plan for plan in plans if "jobs" in plan]
    assert searched == ["SEARCH jobs USING COVERING INDEX jobs_by_owner_and_state (owner=? AND state=?)"]


def test_many_at_the_same_time_are_no_way_around(kernel: Kernel) -> None:
    barrier = threading.Barrier(12)
    outcomes: list[str] = []

    def submit() -> None:
        barrier.wait()
        try:
            kernel.submit(owner="key:a", max_open=4)
        except TooManyRequests:
            outcomes.append("refused")
        else:
            outcomes.append("accepted")

    threads = [threading.Thread(target=submit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] * 4 + ["refused"] * 8
    assert len(kernel.store.list().jobs) == 4


def test_a_job_that_is_run_again_counts(kernel: Kernel) -> None:
    failed = kernel.finish(kernel.begin(kernel.submit(owner="key:a", max_open=1)), Event.REFUSE)
    kernel.submit(owner="key:a", max_open=1)
    with pytest.raises(TooManyRequests):
        kernel.service.retry(failed.id, max_open=1)
    assert kernel.store.get(failed.id).state is State.FAILED


def test_refusals_are_counted(kernel: Kernel) -> None:
    before = refused()
    kernel.submit(owner="key:a", max_open=1)
    with pytest.raises(TooManyRequests):
        kernel.submit(owner="key:a", max_open=1)
    assert refused() - before == 1
