"""From what was recorded to a plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from common.database import Database
from models.scaleout.planner import PATIENCE_S, Planner, current_scale_out, plan_json, plan_of, standing_of
from models.scaleout.records import Application, JobExecution
from models.scaleout.store import RunStore
from tests.models.scaleout.decide.runs import CONTEXT, history

SOON_S, LATE_S = 0.5 * PATIENCE_S, 1.5 * PATIENCE_S


def under_way(*ends: tuple[float, int | None], told: int | None = None) -> Application:
    """A run with a job that ended at each of these times, with so many executors.

    Parameters
    ----------
    told : what the listener says that it was told for the last one.
    """
    starts = [0.0, *(end for end, _ in ends)]
    jobs = tuple(
        JobExecution(number, starts[number], end, at, at, predicted_scale_out=told if number == len(ends) - 1 else None)
        for number, (end, at) in enumerate(ends)
    )
    return Application("now", CONTEXT, start_s=0.0, start_scale_out=3, min_scale_out=2, jobs=jobs)


def asked(scale_out: int, at_s: float | None = None) -> dict[str, Any]:
    return {"scale_out": scale_out} if at_s is None else {"scale_out": scale_out, "asked_s": at_s}


@pytest.mark.parametrize(
    ("run", "last", "expected"),
    [
        # Nothing was told.
        (under_way(), None, 3),
        (under_way(), asked(6), 6),
        (under_way((100.0, None)), asked(6, 50.0), 6),
        # They are there.
        (under_way((100.0, 4)), None, 4),
        (under_way((100.0, 4)), asked(4, 0.0), 4),
        # They are on their way; or have not come for so long that they never will.
        (under_way((100.0, 4), (100.0 + SOON_S, 4)), asked(8, 100.0), 8),
        (under_way((100.0, 4), (100.0 + SOON_S, 5)), asked(8, 100.0), 8),
        (under_way((100.0, 4), (100.0 + LATE_S, 4)), asked(8, 100.0), 4),
        # One was lost, and is replaced; or not.
        (under_way((1000.0, 8), (1000.0 + SOON_S, 7)), asked(8, 0.0), 8),
        (under_way((1000.0, 8), (1000.0 + LATE_S, 7)), asked(8, 0.0), 7),
        # The listener did not wait for the last plan, and was told the one before it.
        (under_way((100.0, 4), (110.0, 4), told=4), asked(8, 100.0), 4),
        (under_way((100.0, 4), (110.0, 4), told=8), asked(8, 100.0), 8),
        (under_way((100.0, 4), (110.0, 8), told=4), asked(8, 100.0), 8),
        # Of an earlier version, which did not keep when it asked.
        (under_way((100.0, 4), (100.0 + SOON_S, 4)), asked(8), 8),
        (under_way((100.0, 4), (100.0 + LATE_S, 4)), asked(8), 4),
    ],
)
def test_executors_count_that_are_there_or_may_still_come(
    run: Application, last: Mapping[str, Any] | None, expected: int
) -> None:
    assert current_scale_out(run, last) == expected


def test_what_was_spent_is_what_the_jobs_had() -> None:
    run = under_way((60.0, 10), (120.0, 2))
    assert standing_of(run, asked(2, 60.0)).spent_minutes == pytest.approx(12.0)


def test_where_no_job_tells_its_executors_what_was_spent_is_not_known() -> None:
    assert standing_of(under_way((60.0, None)), None).spent_minutes is None


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    found = RunStore(Database(f"sqlite:///{tmp_path}/runs.db"))
    for run in history((2, 4, 8, 4, 2, 8), jobs=6):
        found.add(run)
    return found


def begun(store: RunStore, *, ended: int, target_s: float | None = 1e9, solution: str = "enel") -> None:
    jobs = tuple(JobExecution(at, 2000.0 + 40 * at, 2040.0 + 40 * at, 4, 4) for at in range(ended))
    store.add(
        Application("now", CONTEXT, solution=solution, target_s=target_s, start_s=2000.0, max_scale_out=12, jobs=jobs)
    )


def test_a_plan_keeps_since_when_so_many_executors_are_asked_for(store: RunStore) -> None:
    planner = Planner(store)
    begun(store, ended=1, target_s=230.0)
    first = planner.plan("now")
    assert first is not None
    assert first["asked_s"] == 2040.0
    begun(store, ended=2, target_s=230.0)
    second = planner.plan("now", {**first})
    assert second is not None
    assert second["asked_s"] == (2040.0 if second["scale_out"] == first["scale_out"] else 2080.0)
    other = planner.plan("now", {**first, "scale_out": 99, "asked_s": 0.0})
    assert other is not None
    assert other["asked_s"] == 2080.0


def test_executors_that_are_on_their_way_are_not_asked_for_a_second_time_at_a_cost(store: RunStore) -> None:
    """What is asked for already is kept where going on, and where the present number, would be kept too."""
    planner = Planner(store)
    begun(store, ended=2, target_s=None)
    plan = planner.plan("now", {**asked(7, 2040.0), "why": "", "model": ""})
    assert plan is not None
    assert plan["scale_out"] == 7


def test_a_run_that_asked_for_ellis_is_planned_by_it_and_a_second_plan_fits_nothing(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.scaleout.learning.ellis import Ellis

    planner = Planner(store)
    begun(store, ended=1, solution="ellis")
    first = planner.plan("now")
    assert first is not None
    assert first["model"] == "ellis"

    def fail(*_: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr(Ellis, "fit", fail)
    assert planner.plan("now") == first


def test_a_plan_is_the_same_after_it_was_kept(store: RunStore) -> None:
    begun(store, ended=1)
    made = Planner(store).plan("now")
    assert made is not None
    again = plan_json(plan_of(made), made["instead_of"]) | {name: made[name] for name in ("asked_s", "after_job")}
    assert again == made
