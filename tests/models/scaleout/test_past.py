"""Which runs of the past are learned from, and how often they are read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.clock import FakeClock
from common.database import Database
from models.scaleout import past
from models.scaleout.past import Past, finished
from models.scaleout.records import Application, Context
from models.scaleout.store import RunStore
from models.scaleout.traces import carried
from tests.models.scaleout.learning.runs import run_of_jobs

LONG_AFTER_S = 1e6
CONTEXT = Context("spark", "kmeans")


def names(runs: list[Application], now_s: float = LONG_AFTER_S) -> list[str]:
    return [run.execution_id for run in finished(runs, now_s)]


def silent(name: str, jobs: int, *, start_s: float = 0.0, job_s: float = 100.0) -> Application:
    """A run of a listener that tells of no end."""
    return run_of_jobs(name, [job_s] * jobs, [4] * jobs, start_s=start_s, ended=False)


def test_a_run_whose_end_was_told_is_finished_whatever_it_had() -> None:
    assert names([run_of_jobs("a", [10.0], [4]), run_of_jobs("b", [10.0] * 5, [4] * 5)]) == ["a", "b"]


def test_without_a_told_end_a_run_with_nearly_all_jobs_is_finished_by_its_last_one() -> None:
    runs = [run_of_jobs("told", [10.0] * 10, [4] * 10), silent("nearly", 9), silent("half", 5)]
    assert names(runs) == ["told", "nearly"]
    assert finished(runs, LONG_AFTER_S)[1].runtime_s == 900.0


def test_runs_that_are_both_under_way_are_not_finished() -> None:
    """With nothing else to compare with, each would have all the jobs that there are."""
    runs = [silent("a", 5), silent("b", 5, start_s=50.0)]
    assert names(runs, 560.0) == []


def test_a_run_with_nearly_all_jobs_goes_on_until_nothing_was_heard_for_longer_than_its_longest_job() -> None:
    runs = [run_of_jobs("told", [100.0] * 10, [4] * 10), silent("now", 9, start_s=5000.0)]
    assert names(runs, 5000.0 + 900 + 99) == ["told"]
    assert names(runs, 5000.0 + 900 + 101) == ["told", "now"]


def test_the_next_job_may_take_as_long_as_it_took_others() -> None:
    others = run_of_jobs("told", [10.0] * 9 + [2000.0], [4] * 10)
    runs = [others, silent("now", 9, start_s=5000.0, job_s=10.0)]
    assert names(runs, 5000.0 + 90 + 1900) == ["told"]


def test_a_run_that_broke_off_and_told_its_end_teaches_nothing() -> None:
    whole = [run_of_jobs(f"r{number}", [10.0] * 10, [4] * 10) for number in range(3)]
    assert names([*whole, run_of_jobs("failed", [10.0] * 3, [4] * 3)]) == ["r0", "r1", "r2"]


def test_runs_without_jobs_are_taken_as_they_were_told() -> None:
    whole = [run_of_jobs(f"r{number}", [10.0] * 10, [4] * 10) for number in range(3)]
    assert "imported" in names([*whole, replace(whole[0], execution_id="imported", jobs=())])


def test_a_run_of_more_iterations_does_not_make_the_others_unfinished() -> None:
    more = silent("more", 40)
    more = replace(more, context=replace(more.context, arguments=("--iterations", "40")))
    assert names([silent("a", 10), silent("b", 10), more]) == ["a", "b", "more"]


def test_of_the_carried_runs_none_is_taken_for_broken_off() -> None:
    assert len(finished(carried(), LONG_AFTER_S)) == len(carried())


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RunStore, list[list[str]]]:
    """A store, and the runs that are read of it, a list each time."""
    read: list[list[str]] = []
    load = RunStore.load

    def counting(self: RunStore, execution_ids: list[str]) -> list[Application]:
        read.append(list(execution_ids))
        return load(self, execution_ids)

    store = RunStore(Database(f"sqlite:///{tmp_path}/runs.db"))
    monkeypatch.setattr(RunStore, "load", counting)
    return store, read


def test_only_what_has_changed_is_read_again(counted: tuple[RunStore, list[list[str]]]) -> None:
    store, read = counted
    known = Past(store)
    for name in "abc":
        store.add(run_of_jobs(name, [10.0], [4]))
    before = known.history(CONTEXT)
    assert known.history(CONTEXT) == before
    store.update("b", {"end_s": 20.0})
    after = known.history(CONTEXT)
    assert read == [["a", "b", "c"], ["b"]]
    assert [run.runtime_s for run in after.runs] == [10.0, 20.0, 10.0]
    assert after.key != before.key


def test_what_another_thread_forgets_meanwhile_is_in_the_history_all_the_same(
    counted: tuple[RunStore, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = counted
    known = Past(store)
    for name in "ab":
        store.add(run_of_jobs(name, [10.0], [4]))
    known.history(CONTEXT)
    store.add(run_of_jobs("c", [10.0], [4]))
    load = RunStore.load

    def forgetful(self: RunStore, execution_ids: list[str]) -> list[Application]:
        for name in list(known._read):
            known._forget(name)
        return load(self, execution_ids)

    monkeypatch.setattr(RunStore, "load", forgetful)
    assert [run.execution_id for run in known.history(CONTEXT).runs] == ["a", "b", "c"]


def test_threads_that_ask_while_runs_are_added_find_them_whole_and_count_them_rightly(tmp_path: Path) -> None:
    store = RunStore(Database(f"sqlite:///{tmp_path}/runs.db"))
    known = Past(store)

    def add(first: int) -> None:
        for number in range(first, first + 5):
            store.add(run_of_jobs(f"run-{number}", [10.0] * 3, [4] * 3))

    def ask(_: int) -> list[int]:
        return [len(run.jobs) for _ in range(5) for run in known.history(CONTEXT).runs]

    with ThreadPoolExecutor(8) as threads:
        adding = [threads.submit(add, first) for first in (0, 5, 10)]
        asked = [threads.submit(ask, number) for number in range(5)]
        assert all(set(future.result(60)) <= {3} for future in asked)
        for future in adding:
            future.result(60)
    assert len(known.history(CONTEXT).runs) == 15
    assert known._parts == sum(read.parts for read in known._read.values()) == 15 * 4


def test_what_a_run_under_way_tells_does_not_change_the_history_of_the_others(tmp_path: Path) -> None:
    store, clock = RunStore(Database(f"sqlite:///{tmp_path}/runs.db")), FakeClock(datetime.fromtimestamp(150, UTC))
    known = Past(store, clock)
    store.add(run_of_jobs("a", [10.0] * 2, [4] * 2))
    before = known.history(CONTEXT)
    store.add(silent("now", 1))
    assert known.history(CONTEXT).key == before.key


def test_what_was_not_asked_for_long_is_forgotten(
    counted: tuple[RunStore, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, read = counted
    known = Past(store)
    for algorithm in ("kmeans", "gbt"):
        for number in range(3):
            run = run_of_jobs(f"{algorithm}-{number}", [10.0] * 2, [4] * 2)
            store.add(replace(run, signature="", context=replace(run.context, algorithm=algorithm)))
    # A run has three parts, so that both together are too much.
    monkeypatch.setattr(past, "_MOST_PARTS", 14)
    for algorithm in ("kmeans", "gbt", "gbt", "kmeans"):
        assert len(known.history(replace(CONTEXT, algorithm=algorithm)).runs) == 3
        assert known._parts <= 14
    assert [len(one) for one in read] == [3, 3, 2]
