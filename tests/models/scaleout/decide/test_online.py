"""Whether executors are changed once a job has ended."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scaleout.decide import Plan, Rescaling, Rules, Standing, online
from models.scaleout.decide.plan import Choice
from models.scaleout.records import Forecast
from tests.models.scaleout.decide.runs import forecast, scaling

STANDING = Standing(job_id=3, scale_out=8, elapsed_s=300, target_s=600, low=4, high=36)


def test_a_run_that_will_be_in_time_is_left_alone() -> None:
    plan = online(STANDING, scaling(8 * 240))
    assert plan.scale_out == 8
    assert plan.probability is not None
    assert plan.probability > 0.9


def test_a_run_that_will_be_late_gets_executors() -> None:
    plan = online(STANDING, scaling(8 * 500))
    assert plan.scale_out > 13
    assert "raises the chance" in plan.why


def test_a_run_with_time_to_spare_gives_executors_back_where_they_gain_little() -> None:
    plan = online(STANDING, scaling(100, fixed_s=100))
    assert plan.scale_out < 8
    assert "saves" in plan.why


def test_executors_that_would_come_too_late_are_not_asked_for() -> None:
    """Two seconds are missing, ten are left: the executors join after twelve."""
    late = replace(STANDING, elapsed_s=590)
    assert online(late, scaling(8 * 12, spread=0.01)).scale_out == 8
    assert online(late, scaling(8 * 12, spread=0.01), rescaling=Rescaling(0, 0, 0)).scale_out > 8


@settings(deadline=None)
@given(st.floats(50, 1000), st.floats(0, 200), st.floats(0.02, 0.5))
def test_what_was_decided_is_not_taken_back_at_once(work_s: float, fixed_s: float, spread: float) -> None:
    remaining, standing = scaling(8 * work_s, fixed_s, spread), replace(STANDING, spent_minutes=40.0)
    first = online(standing, remaining)
    again = online(replace(standing, scale_out=first.scale_out), remaining)
    # It may go on in the same direction, since what had to be paid for the change is paid.
    assert (again.scale_out - first.scale_out) * (first.scale_out - 8) >= 0


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(0, 20), st.integers(-3, 99), st.floats(0, 2000), st.floats(0, 1e5))
def test_what_is_decided_is_allowed(low: int, more: int, current: int, elapsed_s: float, work_s: float) -> None:
    standing = Standing(0, current, elapsed_s, 600, low, low + more)
    assert low <= online(standing, scaling(work_s, 1.0)).scale_out <= low + more


@settings(deadline=None)
@given(st.floats(10, 1000), st.floats(0, 5000), st.floats(0.02, 0.5), st.integers(4, 36), st.floats(1, 200))
def test_a_run_that_is_late_keeps_its_executors(
    work_s: float, fixed_s: float, spread: float, scale_out: int, spent_minutes: float
) -> None:
    lost = replace(STANDING, elapsed_s=700, scale_out=scale_out, spent_minutes=spent_minutes)
    assert online(lost, scaling(work_s, fixed_s, spread)).scale_out >= scale_out


def test_a_lost_target_still_pays_for_being_less_late() -> None:
    lost = replace(STANDING, elapsed_s=700)
    plan = online(lost, scaling(8 * 500))
    assert plan.scale_out > 8
    assert plan.probability == 0
    assert "late instead of" in plan.why


def test_executors_that_gain_nothing_are_not_added_to_a_lost_run() -> None:
    plan = online(replace(STANDING, elapsed_s=700), scaling(1, fixed_s=100))
    assert plan.scale_out == 8
    assert "cannot be met" in plan.why


def test_executors_are_not_taken_from_a_run_that_would_then_be_later() -> None:
    """With 3 it is 70 s late, with 2 it would be 80 s late, and cheaper."""
    standing = Standing(3, 3, 400, 500, 1, 3, 20.0)
    assert online(standing, scaling(60, fixed_s=150)).scale_out == 3


@given(st.floats(0, 1), st.floats(1, 1e5), st.floats(1, 1e5), st.floats(-1e4, 1e4))
def test_a_later_end_is_never_the_lesser_loss(probability: float, first_s: float, then_s: float, left_s: float) -> None:
    losses = [
        Rules().loss(Choice(8, forecast(seconds), probability, 10.0), left_s, 600.0, 50.0)
        for seconds in sorted((first_s, then_s))
    ]
    assert losses[0] <= losses[1]
    if left_s < min(first_s, then_s) < max(first_s, then_s) - 1:
        assert losses[0] < losses[1]


def test_without_a_target_nothing_is_changed() -> None:
    plan = online(replace(STANDING, target_s=None), scaling(1000))
    assert (plan.scale_out, plan.probability) == (8, None)


def test_the_plan_names_each_job_to_come_with_its_time() -> None:
    plan = online(STANDING, scaling(8 * 240), by_job=lambda at: [(4, 100.0 / at), (5, 80.0 / at)])
    assert plan.scale_outs == ((4, 8), (5, 8))
    assert plan.runtimes_s == ((4, 12.5), (5, 10.0))


LAST = Plan(12, 0.9, 30.0, "because", "graph v3", ((3, 12), (4, 12), (5, 12)), ((3, 9.0), (4, 9.0), (5, 9.0)))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -5.0, None])
def test_without_a_forecast_the_last_plan_stands_and_says_so(wrong: float | None) -> None:
    broken = None if wrong is None else lambda scale_outs: [Forecast(wrong, 1, 2, 1, 2, "broken")] * len(scale_outs)
    plan = online(STANDING, broken, last=LAST)
    assert plan.scale_outs == ((4, 12), (5, 12))
    assert plan.runtimes_s == ((4, 9.0), (5, 9.0))
    assert plan.model == "last plan (graph v3)"


def test_the_last_plan_of_a_last_plan_is_named_once() -> None:
    once = online(STANDING, None, last=LAST)
    assert online(replace(STANDING, job_id=4), None, last=once).model == "last plan (graph v3)"


def test_without_a_forecast_or_a_plan_nothing_is_changed() -> None:
    plan = online(STANDING, None)
    assert (plan.scale_out, plan.scale_outs, plan.runtimes_s) == (8, (), ())


def test_a_last_plan_outside_the_bounds_is_brought_inside() -> None:
    plan = online(replace(STANDING, high=10), None, last=LAST)
    assert plan.scale_out == 10
    assert plan.scale_outs == ((4, 10), (5, 10))


def test_bounds_that_allow_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="min_scale_out"):
        online(replace(STANDING, low=9, high=8), scaling(10))


def test_a_miss_that_counts_for_nothing_buys_nothing() -> None:
    assert online(STANDING, scaling(8 * 500, fixed_s=100), rules=Rules(miss=0)).scale_out <= 8
