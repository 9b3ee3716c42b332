"""What the campaign reads from the lines that the jobs' own code wrote."""

import math
from pathlib import Path

import pytest

from tests.campaign import ledger
from tests.campaign.ledger import Hit, Line, Loss


def line(t_s: float, event: str, number: int = 0, *, of: str = "a", **more: object) -> Line:
    return Line(**{"t_s": t_s, "pid": 1, "event": event, "token": of, "run": "r1", "number": number, **more})  # type: ignore[arg-type]


def test_lines_are_read_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ledger.FILE, str(tmp_path / "ledger"))
    ledger.note("begin", "a", "r1", attempt="job/1")
    ledger.note("trial", "a", "r1", 7)
    found = ledger.read(tmp_path / "ledger")
    assert [(item.event, item.number, item.attempt) for item in found] == [("begin", 0, "job/1"), ("trial", 7, "")]
    assert found[0].t_s <= found[1].t_s


def test_nothing_is_written_outside_a_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger.FILE, raising=False)
    ledger.note("begin", "a", "r1")


def test_a_trial_that_begins_twice_is_found() -> None:
    lines = [line(1, "trial", 0), line(2, "trial", 1), line(3, "trial", 1, run="r2")]
    assert ledger.trials_run_twice(lines) == ["trial 1 of a ran 2 times"]


def test_a_run_that_goes_on_from_before_a_saved_step_is_found() -> None:
    lines = [line(1, "start"), line(2, "saved", 3), line(3, "start", 2, run="r2")]
    assert ledger.steps_run_twice(lines) == ["a went on from step 2, but 3 had been saved"]


def test_a_run_that_goes_on_from_the_saved_step_is_not() -> None:
    # A zombie may say later that it had saved what the next run has found.
    lines = [line(1, "start"), line(2, "start", 3, run="r2"), line(3, "saved", 3)]
    assert ledger.steps_run_twice(lines) == []


def test_two_runs_with_one_epoch_are_found() -> None:
    lines = [line(1, "begin", attempt="job/1"), line(2, "begin", run="r2", attempt="job/1")]
    assert ledger.epochs_given_twice(lines) == ["attempt job/1 was begun 2 times"]


def test_a_loss_hits_what_runs_in_its_processes() -> None:
    lines = [
        line(1, "begin"),
        line(2, "begin", of="b", run="r2", pid=2),
        line(9, "begin", run="r3", pid=3),
    ]
    assert ledger.hits(lines, [Loss(5, frozenset({1}))]) == [Hit("a", 5, 9)]


def test_a_loss_does_not_hit_what_has_ended_or_not_begun() -> None:
    lines = [line(1, "begin"), line(3, "end"), line(7, "begin", of="b", run="r2")]
    assert ledger.hits(lines, [Loss(5, frozenset({1}))]) == []


def test_a_loss_does_not_hit_a_job_that_has_begun_again_elsewhere() -> None:
    lines = [line(1, "begin"), line(3, "begin", run="r2", pid=2)]
    assert ledger.hits(lines, [Loss(5, frozenset({1}))]) == []


def test_a_job_that_never_begins_again_waits_for_ever() -> None:
    assert ledger.hits([line(1, "begin")], [Loss(5, frozenset({1}))]) == [Hit("a", 5, math.inf)]


def test_a_helper_is_a_job_of_its_own() -> None:
    lines = [line(1, "begin", attempt="job-1/1"), line(1, "begin", run="r2", pid=2, attempt="job-2/1")]
    assert ledger.hits(lines, [Loss(5, frozenset({2}))]) == [Hit("job-2", 5, math.inf)]


def test_a_loss_is_noticed_at_the_next_change_of_the_job() -> None:
    assert ledger.noticed([Hit("a", 5), Hit("b", 5)], [(4, "a"), (7, "a"), (8, "a")]) == [2, math.inf]
