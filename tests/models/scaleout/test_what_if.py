"""A curve and what is recommended tell the same, however little is known."""

from dataclasses import replace
from typing import Any

import pytest

from models.scaleout.definitions import Question, WhatIf
from models.scaleout.past import History
from models.scaleout.records import Application
from models.scaleout.what_if import what_if
from models.scaleout.whole import whole
from tests.models.scaleout.learning.runs import CONTEXT, whole_run

ONE = [(8, 300.0)]
TWO = [(8, 300.0), (6, 390.0)]
SAME = [(8, 300.0)] * 5
MANY = [(2, 930.0), (4, 480.0), (8, 255.0), (4, 470.0)]


def runs(known: list[tuple[int, float]]) -> list[Application]:
    return [whole_run(f"r{number}", at, time_s, start_s=1000.0 * number) for number, (at, time_s) in enumerate(known)]


def ask(known: list[tuple[int, float]], **question: Any) -> WhatIf:
    past = runs(known)
    asked = Question(algorithm="kmeans", **{"min_scale_out": 2, "max_scale_out": 12} | question)
    return what_if(History((len(past),), tuple(past)), whole(past, CONTEXT), asked)


@pytest.mark.parametrize("target_s", [100.0, 600.0, 5000.0, None])
@pytest.mark.parametrize("known", [ONE, TWO, SAME, MANY])
def test_what_is_recommended_is_a_point_of_the_curve(known: list[tuple[int, float]], target_s: float | None) -> None:
    found = ask(known, target_s=target_s)
    point = next(point for point in found.curve if point.scale_out == found.recommendation.scale_out)
    assert found.recommendation.probability == point.probability
    assert found.recommendation.executor_minutes == point.executor_minutes
    assert found.model == {1: "trend-of-1-run", 2: "trend-of-2-runs", 5: "trend-of-1-scale-out"}.get(
        len(known), "gaussian-process"
    )


def test_the_error_is_that_at_runs_which_the_model_has_not_seen_and_needs_three_of_them() -> None:
    assert ask(ONE).error is None
    assert ask(TWO).error is None
    error = ask(MANY).error
    assert error is not None
    assert 0 < error < 0.5


def test_runs_of_the_same_input_are_told_with_their_scale_outs() -> None:
    found = ask(MANY)
    assert [(one.scale_out, one.runtime_s) for one in found.recorded] == MANY
    assert [one.execution_id for one in found.recorded] == ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (ONE, "only 1 run of the same is known, at 8 executors"),
        (TWO, "only 2 runs of the same are known"),
        (SAME, "5 runs of the same are known, at 8 executors"),
    ],
)
def test_caution_says_how_many_runs_are_known(known: list[tuple[int, float]], said: str) -> None:
    found = ask(known, target_s=2000)
    assert found.recommendation.why.startswith(said)
    best = found.curve[0]
    assert best.scale_out == 2
    assert best.probability is not None
    assert best.probability > 0.9
    assert "the curve alone would take 2" in found.recommendation.why


@pytest.mark.parametrize("known", [ONE, TWO, SAME, MANY])
def test_without_a_target_the_fewest_executor_minutes_are_named(known: list[tuple[int, float]]) -> None:
    found = ask(known)
    assert found.recommendation.executor_minutes == min(point.executor_minutes for point in found.curve)
    assert found.recommendation.why.startswith("there is no target: the fewest executor-minutes")


def test_where_no_run_is_known_there_is_no_curve_and_no_probability() -> None:
    found = ask([], target_s=600)
    told = found.recommendation
    assert (found.curve, found.runs, told.scale_out, told.probability) == ([], 0, 12, None)
    assert told.why == "nothing is known of such runs: the most executors allowed"


def test_runs_of_other_sizes_are_counted_as_such() -> None:
    past = [replace(run, context=replace(CONTEXT, data_size_mb=10.0)) for run in runs(ONE)]
    context = replace(CONTEXT, data_size_mb=1000.0)
    asked = Question(algorithm="kmeans", data_size_mb=1000, target_s=600)
    found = what_if(History((1,), tuple(past)), whole(past, context), asked)
    assert found.runs == 1
    assert found.recommendation.why.startswith("only 1 run of other inputs or machines is known: the most executors")


def test_enough_runs_of_other_sizes_answer_for_a_new_one() -> None:
    past = []
    for number, (at, size) in enumerate((x, mb) for mb in (500.0, 1000.0, 2000.0) for x in (2, 4, 8)):
        run = whole_run(f"r{number}", at, 30 + 1.8 * size / at, start_s=10_000.0 * number)
        past.append(replace(run, context=replace(CONTEXT, data_size_mb=size)))
    asked = Question(algorithm="kmeans", data_size_mb=1500, min_scale_out=2, max_scale_out=12, target_s=900)
    context = replace(CONTEXT, data_size_mb=1500.0)
    found = what_if(History((9,), tuple(past)), whole(past, context), asked)
    # 30 + 2700 / x meets it from 4 on; the most executors allowed would be 12.
    assert 3 <= found.recommendation.scale_out <= 5
