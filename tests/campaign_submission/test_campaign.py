"""The campaign itself, in small: a real Atoll, a few kills; and whether it would see what is wrong."""

from typing import Any

import pytest

from tests.campaign_submission import checks, report
from tests.campaign_submission.checks import LOST, ORPHANS, TWINS, WRONG, check
from tests.campaign_submission.host import ALL_STEPS, STEPS
from tests.campaign_submission.run import campaign
from tests.campaign_submission.site import LOCAL

TASK = "1" * 27


def test_three_kills_lose_no_task_and_run_none_twice() -> None:
    said: list[str] = []
    outcome = campaign(LOCAL, 3, 5, said.append)
    assert {promise: found for promise, found in outcome.violations.items() if found} == {}
    assert set(outcome.violations) == set(checks.PROMISES)
    assert outcome.kills == outcome.steps.total() == 3
    page = report.markdown([outcome])
    assert f"| {LOST} | **0** |" in page
    assert "seed 5" in page


@pytest.mark.parametrize("step", ALL_STEPS)
def test_each_step_is_one_of_the_code(step: str) -> None:
    from common.submission.runners.base import Runner

    owner, name = STEPS.get(step, (Runner, step.removeprefix("runner ")))
    assert callable(getattr(owner, name))


def shown(**values: Any) -> dict[str, dict[str, Any]]:
    return {TASK: {"state": "succeeded", "finished": True, "files": "complete", "cluster_job_id": "7", **values}}


def found(
    tasks: dict[str, dict[str, Any]], runs: list[str], live: list[str] | None = None, expected: str = "succeeded"
) -> set[str]:
    violations = check({TASK: expected}, tasks, runs, live or [])
    return {promise for promise, texts in violations.items() if texts}


def test_what_is_as_it_should_be_is_no_finding() -> None:
    assert found(shown(), [f"{TASK} t-1"]) == set()
    # Another attempt is another run.
    assert found(shown(), [f"{TASK} t-1", f"{TASK} t-2"]) == set()


@pytest.mark.parametrize(
    "tasks", [{}, shown(finished=False), shown(files="collecting"), shown(files="missing")], ids=str
)
def test_a_lost_task_is_seen(tasks: dict[str, dict[str, Any]]) -> None:
    assert LOST in found(tasks, [])


def test_what_was_cancelled_before_any_cluster_had_it_has_no_files_to_lose() -> None:
    assert found(shown(state="cancelled", files="missing", cluster_job_id=None), [], expected="cancelled") == set()


def test_a_program_that_ran_twice_is_seen() -> None:
    assert found(shown(), [f"{TASK} t-1", f"{TASK} t-1"]) == {TWINS}


def test_what_is_left_on_the_cluster_is_seen() -> None:
    assert found(shown(), [], ["campaign-x"]) == {ORPHANS}
    assert found(shown(), [f"{'2' * 27} t-1"]) == {ORPHANS}


def test_another_end_than_the_programs_is_seen_but_a_cancel_may_come_too_late() -> None:
    assert found(shown(state="lost"), []) == {WRONG}
    assert found(shown(), [], expected="cancelled") == set()
    assert found(shown(state="failed"), [], expected="cancelled") == {WRONG}
