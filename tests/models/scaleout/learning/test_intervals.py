import numpy as np
import pytest

from models.scaleout.learning.intervals import Spread


def test_a_normal_spread_has_the_known_quantiles() -> None:
    (one,) = Spread.normal().forecasts([np.log(100.0)], 0.1, "m")
    assert one.median_s == pytest.approx(100.0)
    assert (one.low90_s, one.high90_s) == pytest.approx((84.83, 117.88), abs=0.01)
    assert one.low90_s < one.low80_s < one.median_s < one.high80_s < one.high90_s


def test_nine_of_ten_new_errors_lie_between_the_ends_learnt_from_old_ones() -> None:
    random = np.random.default_rng(3)
    held = []
    for _ in range(300):
        spread = Spread.of(random.exponential(size=60) - 0.5)
        new = random.exponential(size=50) - 0.5
        held.append([np.mean((low <= new) & (new <= high)) for low, high in zip(spread.low, spread.high, strict=True)])
    assert np.mean(held, axis=0) == pytest.approx([0.8, 0.9], abs=0.02)


def test_errors_that_hang_together_make_wider_intervals() -> None:
    errors = np.linspace(-1, 1, 1001)
    apart, together = Spread.of(errors), Spread.of(errors, independent=25)
    assert together.high[0] > apart.high[0]
    assert together.low[1] < apart.low[1]


def test_too_few_errors_are_doubled_and_none_are_taken_for_normal() -> None:
    assert Spread.of([0.5]).high == (1.0, 1.0)
    assert Spread.of([]) == Spread.normal()


def test_the_median_lies_within_even_if_all_errors_had_one_sign() -> None:
    (one,) = Spread.of(np.linspace(0.2, 0.3, 100)).forecasts(0.0, 1.0, "m")
    assert one.low90_s <= one.low80_s <= one.median_s <= one.high80_s <= one.high90_s


def test_no_end_is_infinite() -> None:
    (one,) = Spread.normal().forecasts(5.0, 1e9, "m")
    assert np.isfinite(one.high90_s)
    assert one.low90_s > 0
