"""With how many executors a run starts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scaleout.decide import Rules, chance, initial
from models.scaleout.decide.initial import worst_s
from models.scaleout.records import Forecast
from tests.models.scaleout.decide.runs import forecast, scaling

KNOWN = [(4, 900.0), (8, 500.0), (16, 300.0)]
STRICT = Rules(miss=1e6)


def test_the_smallest_scale_out_whose_upper_quantile_meets_the_target_is_taken() -> None:
    remaining = scaling(1000, fixed_s=100)
    plan = initial(1, 36, 200, KNOWN, remaining, rules=Rules(miss=0, change=math.inf))
    at, before = remaining([plan.scale_out, plan.scale_out - 1])
    assert chance(at, 200) >= 0.9 > chance(before, 200)


def test_a_chance_that_costs_too_much_is_left() -> None:
    """Nothing scales: nine times the executors would win one point in a hundred."""

    def remaining(scale_outs: object) -> list[Forecast]:
        return [forecast(100 if at < 36 else 98, 0.1) for at in range(4, 37)]

    strict = initial(4, 36, 113, KNOWN, remaining, rules=STRICT)
    assert strict.scale_out == 36
    assert initial(4, 36, 113, KNOWN, remaining).scale_out == 4


def test_where_few_executors_take_far_too_long_more_are_cheaper() -> None:
    def remaining(scale_outs: object) -> list[Forecast]:
        return [forecast(100 if at >= 20 else 2000) for at in range(4, 37)]

    assert initial(4, 36, 10_000, KNOWN, remaining).scale_out == 20


def test_a_target_out_of_reach_takes_what_comes_closest() -> None:
    plan = initial(1, 36, 10, KNOWN, scaling(1000, fixed_s=1), rules=STRICT)
    assert plan.scale_out == 36
    assert plan.probability is not None
    assert plan.probability < 0.01


def test_without_a_target_the_fewest_executor_minutes_win() -> None:
    plan = initial(2, 36, None, KNOWN, scaling(1000, fixed_s=100))
    assert (plan.scale_out, plan.probability) == (2, None)


def test_nothing_known_starts_with_the_most_executors() -> None:
    plan = initial(4, 36, 600, [], None)
    assert (plan.scale_out, plan.model, plan.probability) == (36, "bounds of 0 runs", None)


@pytest.mark.parametrize("known", [[(36, 100.0)], [(36, 100.0), (30, 110.0)], [(36, 100.0)] * 5])
def test_few_runs_are_followed_down_only_as_far_as_perfect_scaling_is_safe(known: list[tuple[int, float]]) -> None:
    plan = initial(4, 36, 200, known, scaling(10))
    assert plan.model.startswith("bounds of")
    assert 18 <= plan.scale_out < 36
    assert worst_s(plan.scale_out, known) < 200


def test_what_caution_takes_has_the_chance_and_the_cost_that_the_curve_says() -> None:
    remaining = scaling(1000, fixed_s=10, spread=0.3)
    plan = initial(2, 36, 300, [(8, 200.0)], remaining)
    chosen = next(choice for choice in plan.choices if choice.scale_out == plan.scale_out)
    assert (plan.probability, plan.executor_minutes) == (chosen.probability, chosen.executor_minutes)
    assert len(plan.choices) == 35


def test_caution_says_how_much_is_known_and_what_the_curve_alone_would_take() -> None:
    plan = initial(1, 36, 600, [(8, 300.0)], scaling(300))
    assert plan.scale_out == 6
    assert plan.why == (
        "only 1 run of the same is known, at 8 executors: the fewest executors that meet the target even if each one "
        "less costs its full share; the curve alone would take 1"
    )
    assert initial(1, 36, 600, [], scaling(300)).why == (
        "nothing is known of such runs: the most executors allowed; the curve alone would take 1"
    )


def test_caution_takes_no_fewer_than_the_curve_asks_for() -> None:
    """The one run was lucky by what the curve says."""
    plan = initial(4, 36, 300, [(8, 200.0)], scaling(3200, spread=0.2))
    assert plan.scale_out > 8
    assert plan.probability is not None
    assert plan.probability >= 0.9


def test_without_a_target_few_runs_have_the_fewest_executor_minutes_named_too() -> None:
    plan = initial(2, 36, None, [(8, 200.0)], scaling(1000, fixed_s=100))
    assert (plan.scale_out, plan.probability) == (2, None)
    assert plan.executor_minutes == min(choice.executor_minutes for choice in plan.choices)
    assert "only 1 run of the same is known" in plan.why


def test_runs_of_other_inputs_are_trusted_once_there_are_many() -> None:
    few, many, alike = [8.0, 16.0] * 3, [8.0, 16.0] * 4, [8.0] * 8
    plans = [initial(4, 36, 600, [], scaling(1000, 10), others=others) for others in (few, alike, many)]
    assert [plan.scale_out for plan in plans] == [36, 36, 4]
    assert plans[0].why.startswith("only 6 runs of other inputs or machines are known: the most executors allowed")


def test_a_run_that_missed_the_target_leads_to_the_most_executors() -> None:
    assert initial(4, 36, 200, [(20, 300.0)], None).scale_out == 36


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -5.0])
def test_a_broken_forecast_is_no_forecast(wrong: float) -> None:
    broken = Forecast(wrong, 1, 2, 1, 2, "broken")
    plan = initial(4, 36, 600, KNOWN, lambda scale_outs: [broken for _ in scale_outs])
    assert plan.model == "bounds of 3 runs"
    assert initial(4, 36, 600, KNOWN, lambda scale_outs: []).model == "bounds of 3 runs"


@pytest.mark.parametrize(("low", "high"), [(0, 4), (5, 4), (-3, -1)])
def test_bounds_that_allow_nothing_are_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="min_scale_out"):
        initial(low, high, 600, KNOWN, scaling(10))


@settings(deadline=None)
@given(
    st.integers(1, 20),
    st.integers(0, 30),
    st.floats(1, 5000),
    st.lists(st.tuples(st.integers(1, 64), st.floats(1, 5000)), max_size=4),
    st.floats(1, 1e5),
)
def test_what_is_chosen_is_allowed(
    low: int, more: int, target_s: float, known: list[tuple[int, float]], work_s: float
) -> None:
    plan = initial(low, low + more, target_s, known, scaling(work_s, 5.0))
    assert low <= plan.scale_out <= low + more
