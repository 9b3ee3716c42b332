"""Runs in the SQL store, on SQLite and on PostgreSQL."""

import threading
from datetime import timedelta

import pytest

from common.clock import FakeClock
from common.database import Database
from common.errors import NotFound
from models.scaleout.records import Application, Context, JobExecution, Stage
from models.scaleout.store import RunStore

GBT = Context("spark", "gbt")


def run(name: str, *, algorithm: str = "gbt", signature: str = "", jobs: int = 1) -> Application:
    found = [JobExecution(number, 1.0, 2.0, 4, 4, stages={0: Stage(0, "s")}) for number in range(jobs)]
    return Application(
        name, Context("spark", algorithm), signature=signature, start_s=1.0, end_s=9.0, jobs=tuple(found)
    )


def test_a_run_comes_back_as_it_was_told(store: RunStore) -> None:
    store.add(run("a", jobs=3))
    assert store.get("a") == run("a", jobs=3)


def test_a_run_that_is_not_known_is_said_not_to_be(store: RunStore) -> None:
    with pytest.raises(NotFound, match="no run 'a' is known"):
        store.get("a")


def test_the_end_of_a_job_before_the_start_of_its_application_makes_the_run(store: RunStore) -> None:
    store.update("a", {}, [{"job_id": 0, "end_s": 9.0}])
    store.update("a", {"start_s": 1.0, "context": {"algorithm": "gbt"}})
    found = store.get("a")
    assert (found.start_s, found.context.algorithm, [job.end_s for job in found.jobs]) == (1.0, "gbt", [9.0])


def test_the_same_event_twice_changes_nothing(store: RunStore, clock: FakeClock) -> None:
    store.add(run("a"))
    before = store.versions(algorithm="gbt")
    clock.advance(5)
    store.add(run("a"))
    assert (store.versions(algorithm="gbt"), store.get("a")) == (before, run("a"))


def test_another_job_makes_another_version_of_the_run(store: RunStore, clock: FakeClock) -> None:
    store.add(run("a"))
    before = store.versions(algorithm="gbt")
    clock.advance(5)
    store.update("a", {}, [{"job_id": 7, "end_s": 9.0}])
    assert store.versions(algorithm="gbt") != before


def test_listeners_that_race_lose_nothing(store: RunStore) -> None:
    barrier = threading.Barrier(6)
    errors: list[BaseException] = []

    def listen(number: int) -> None:
        try:
            barrier.wait()
            for job in range(5):
                stages = {str(number): {"stage_id": number, "name": "s", "end_s": 1.0 + number}}
                store.update("a", {f"told_{number}": True}, [{"job_id": job, "end_s": number + 1.0, "stages": stages}])
        except BaseException as exc:  # noqa: BLE001 - shown by the test
            errors.append(exc)

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = store.get("a")
    assert [(job.job_id, job.end_s, len(job.stages)) for job in found.jobs] == [(job, 6.0, 6) for job in range(5)]
    assert {name for name in store.page()[0].told if name.startswith("told")} == {f"told_{n}" for n in range(6)}


def test_history_is_of_the_algorithm_or_the_signature_and_in_the_order_of_time(
    store: RunStore, clock: FakeClock
) -> None:
    for name, algorithm, signature in [("a", "gbt", ""), ("b", "", "same"), ("c", "kmeans", ""), ("d", "gbt", "same")]:
        store.add(run(name, algorithm=algorithm, signature=signature))
        clock.advance(1)
    assert [one.execution_id for one in store.history(algorithm="gbt")] == ["a", "d"]
    assert [one.execution_id for one in store.history(algorithm="gbt", signature="same")] == ["a", "b", "d"]
    assert [one.execution_id for one in store.history(algorithm="gbt", limit=1)] == ["d"]
    assert store.history() == []


def test_runs_of_another_system_are_no_history(store: RunStore) -> None:
    store.add(run("a"))
    assert store.history(system="flink", algorithm="gbt") == []


def test_runs_are_listed_a_page_at_a_time_the_newest_first(store: RunStore, clock: FakeClock) -> None:
    for number in range(5):
        store.add(run(f"run{number}", jobs=number))
        clock.advance(1)
    first = store.page(limit=3)
    second = store.page(limit=3, before=first[-1].execution_id)
    assert [(one.execution_id, one.jobs) for one in [*first, *second]] == [(f"run{n}", n) for n in (4, 3, 2, 1, 0)]
    assert first[0].created_at - second[-1].created_at == timedelta(seconds=4)


def test_algorithms_are_those_of_which_there_are_runs(store: RunStore) -> None:
    for name, algorithm in [("a", "gbt"), ("b", "kmeans"), ("c", "gbt"), ("d", "")]:
        store.add(run(name, algorithm=algorithm))
    assert store.algorithms() == ["gbt", "kmeans"]


def test_a_run_that_is_deleted_is_gone_with_its_jobs(store: RunStore) -> None:
    store.add(run("a", jobs=2))
    store.delete("a")
    assert store.find("a") is None
    store.update("a", {})
    assert store.get("a").jobs == ()
    with pytest.raises(NotFound):
        store.delete("b")


def test_the_last_plan_is_kept_beside_what_is_known(store: RunStore) -> None:
    assert store.plan("a") is None
    store.add(run("a"))
    store.keep_plan("a", {"jobs": [[1, 4]]})
    store.add(run("a", jobs=2))
    assert store.plan("a") == {"jobs": [[1, 4]]}


def test_of_each_plan_is_kept_what_was_decided_and_why_until_the_run_is_deleted(
    store: RunStore, clock: FakeClock
) -> None:
    store.add(run("a"))
    store.keep_plan("a", {"scale_out": 4, "why": "to begin with", "model": "gaussian-process"})
    for scale_out in (5, 6):
        clock.advance(5)
        store.keep_plan("a", {"scale_out": scale_out, "why": "late", "model": "graph", "after_job": 3})
    first, second = store.decisions("a")
    assert (first["after_job"], first["scale_out"], first["why"]) == (-1, 4, "to begin with")
    assert (second["after_job"], second["scale_out"], second["decided_at"]) == (3, 6, clock.now())
    store.delete("a")
    store.add(run("a"))
    assert store.decisions("a") == []


def test_a_plan_for_a_run_that_is_gone_leaves_nothing_behind(store: RunStore) -> None:
    store.keep_plan("gone", {"scale_out": 4, "why": "", "model": ""})
    assert (store.plan("gone"), store.decisions("gone")) == (None, [])


def test_runs_without_an_end_are_found_as_long_as_something_is_told_of_them(store: RunStore, clock: FakeClock) -> None:
    store.update("open", {"start_s": 1.0})
    store.add(run("ended"))
    begun = clock.now()
    clock.advance(5)
    assert [one.execution_id for one in store.page(open_since=begun)] == ["open"]
    assert store.page(open_since=clock.now()) == []


def test_each_time_a_model_is_asked_for_its_generation_grows(store: RunStore) -> None:
    assert [store.ask_preload("gbt"), store.ask_preload("gbt"), store.ask_preload("mpc")] == [1, 2, 1]
    assert store.preloads() == {"gbt": 2, "mpc": 1}


def test_stores_of_several_processes_may_be_opened_at_once(database: Database, database_url: str) -> None:
    others = [Database(database_url) for _ in range(4)]
    threads = [threading.Thread(target=RunStore, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = RunStore(others[0])
    store.add(run("a"))
    assert RunStore(database).get("a") == run("a")
    for other in others:
        other.close()
