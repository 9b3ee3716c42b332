"""What `auto` chooses, and how wide its intervals are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models._indicators.bounds import Bounds
from models.timeseries.auto import Filled, fill
from models.timeseries.scale import usual_variance
from models.timeseries.spec import Course, Direction, Floats, Mask, Method, fillable
from models.timeseries.statespace import Family
from tests.models.timeseries.series import walks

YEARS = np.arange(2000, 2020)
WIDE = Bounds(-1e6, 1e6)


def filled(panel: Floats, country: int = 0, bounds: Bounds = WIDE) -> tuple[Filled, Mask]:
    asked = fillable(np.isfinite(panel[:, country]), Direction.both)
    course = Course(YEARS, panel[:, country])
    return fill(panel, course, country, asked, usual_variance(panel, YEARS), bounds), asked


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.floats(0.1, 0.8), low=st.floats(44, 50), high=st.floats(50, 56))
def test_values_lie_in_their_intervals_and_both_within_the_bounds(
    seed: int, missing: float, low: float, high: float
) -> None:
    panel = walks(20, 8, missing=missing, seed=seed)
    seen = panel[:, 0][np.isfinite(panel[:, 0])]
    if len(seen) < 2 or len(seen) == 20:
        return
    found, asked = filled(panel, bounds=Bounds(low, high))
    assert len(found.value) == asked.sum()
    assert (low <= found.lower).all()
    assert (found.lower <= found.value).all()
    assert (found.value <= found.upper).all()
    assert (found.upper <= high).all()


def test_the_same_question_gets_the_same_answer() -> None:
    first, second = (filled(walks(20, 10))[0] for _ in range(2))
    np.testing.assert_array_equal(first.value, second.value)
    np.testing.assert_array_equal(first.upper, second.upper)


def test_the_method_with_the_least_score_is_chosen_in_the_middle_and_at_the_ends() -> None:
    panel = walks(20, 10)
    panel[-1, 0], panel[10, 0], panel[:2, 0] = np.nan, np.nan, 50.0
    found, _ = filled(panel)
    assert set(found.chosen) == {True, False}
    for inside, chosen in found.chosen.items():
        scores = {item.candidate: item.score for item in found.compared if item.inside is inside}
        assert scores[chosen] == min(scores.values())
        assert {Method.linear, Method.pchip, *Family} <= set(scores)


def test_a_straight_line_is_continued() -> None:
    rng = np.random.default_rng(2)
    panel = np.arange(20)[:, None] * np.linspace(1, 2, 12) + 0.02 * rng.normal(size=(20, 12))
    panel[-3:, 0] = np.nan
    found, _ = filled(panel)
    np.testing.assert_allclose(found.value, [17, 18, 19], atol=0.2)
    assert (np.abs(found.value - [17, 18, 19]) <= found.upper - found.value + 1e-9).all()


def test_a_smooth_curve_is_not_cut_straight() -> None:
    at = np.arange(20)[:, None]
    panel = 10 * np.sin(at / 3 + np.linspace(0, 3, 12))
    truth = panel[9:12, 0].copy()
    panel[9:12, 0] = np.nan
    found, _ = filled(panel)
    straight = np.interp([9, 10, 11], [8, 12], panel[[8, 12], 0])
    assert np.abs(found.value - truth).mean() < 0.3 * np.abs(straight - truth).mean()


def test_intervals_are_wider_the_longer_the_gap() -> None:
    panel = walks(20, 30, missing=0.0)
    panel[4, 0] = panel[8:17, 0] = np.nan
    found, _ = filled(panel)
    width = found.upper - found.lower
    assert width[0] < width[5]


@pytest.mark.parametrize("n_countries", [1, 2])
def test_a_series_without_others_to_learn_from_is_filled_too(n_countries: int) -> None:
    panel = np.full((20, n_countries), np.nan)
    panel[[0, 5, 10], 0] = [1.0, 2.0, 4.0]
    found, asked = filled(panel)
    assert np.isfinite(found.value).all()
    assert (found.upper > found.lower).all()
    assert len(found.value) == asked.sum() == 17


def test_nine_of_ten_random_walks_lie_in_their_intervals() -> None:
    truth = walks(20, 40, missing=0.0, seed=5)
    rng = np.random.default_rng(6)
    held: list[bool] = []
    for country in range(40):
        panel = truth.copy()
        hidden = rng.random(20) < 0.3
        hidden[rng.integers(0, 20)] = True
        panel[hidden, country] = np.nan
        found, asked = filled(panel, country)
        inside = (truth[asked, country] >= found.lower) & (truth[asked, country] <= found.upper)
        held += inside.tolist()
    assert 0.85 <= float(np.mean(held)) <= 0.95
