"""The structural models are those of the textbook."""

import numpy as np
import pytest

from models.timeseries import statespace
from models.timeseries.spec import Floats, Ints
from models.timeseries.statespace import Family, process, smooth

DIFFUSE = 1e6
ONLY = (1.0, 0.4, 0.7)  # variances of level steps, slope steps, noise


def kalman(
    transition: Floats, steps: Floats, start: Floats, noise: float, values: Floats, unknown: int
) -> tuple[Floats, Floats, float]:
    """Filter and smoother, year by year (Durbin and Koopman 2012, sections 4.3 to 4.5), from an almost diffuse start.

    Returns the smoothed level, the variance of an observation around it, and the sum of squared standardised
    innovations after the first `unknown`, which the start takes up.
    """
    n, m = len(values), len(transition)
    a, p = np.zeros(m), start
    kept: list[tuple[Floats, Floats, Floats, Floats]] = []
    squares, innovations = 0.0, 0
    for value in values:
        predicted = (a, p)
        if np.isfinite(value):
            f = p[0, 0] + noise
            gain = p[:, 0] / f
            innovations += 1
            if innovations > unknown:
                squares += float((value - a[0]) ** 2 / f)
            a, p = a + gain * (value - a[0]), p - np.outer(gain, p[0])
        kept.append((*predicted, a, p))
        a, p = transition @ a, transition @ p @ transition.T + steps
    level, variance = np.empty(n), np.empty(n)
    later_a, later_p = kept[-1][2], kept[-1][3]
    level[-1], variance[-1] = later_a[0], later_p[0, 0]
    for at in range(n - 2, -1, -1):
        next_a, next_p = kept[at + 1][0], kept[at + 1][1]
        back = kept[at][3] @ transition.T @ np.linalg.pinv(next_p)
        later_a = kept[at][2] + back @ (later_a - next_a)
        later_p = kept[at][3] + back @ (later_p - next_p) @ back.T
        level[at], variance[at] = later_a[0], later_p[0, 0]
    return level, variance + noise, squares


VALUES = np.array([np.nan, 3.0, 3.5, np.nan, np.nan, 6.0, 5.0, 7.5, np.nan, 9.0, np.nan, np.nan])


@pytest.mark.parametrize("family", [Family.level, Family.trend], ids=lambda family: family.name)
def test_mean_and_variance_are_those_of_the_kalman_smoother(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    level, slope, noise = ONLY if family is Family.trend else (ONLY[0], 0.0, ONLY[2])
    monkeypatch.setitem(statespace._GRID, family, [(level, slope, noise, 1.0)])
    process.cache_clear()
    size = level + 2 * noise + slope
    years: Ints = np.arange(2000, 2000 + len(VALUES))
    seen = np.isfinite(VALUES)
    found = smooth(family, years[seen], VALUES[seen][:, None], years[~seen], np.ones(1))
    process.cache_clear()
    transition = np.array([[1.0, 1.0], [0.0, 1.0]]) if slope else np.ones((1, 1))
    steps = np.diag([level, slope][: len(transition)]) / size
    unknown = len(transition)
    mean, variance, squares = kalman(transition, steps, DIFFUSE * np.eye(unknown), noise / size, VALUES, unknown)
    scale = (statespace.PRIOR + squares) / (statespace.PRIOR + seen.sum() - unknown)
    np.testing.assert_allclose(found.mean[:, 0], mean[~seen], rtol=1e-3)
    np.testing.assert_allclose(found.sd[:, 0], np.sqrt(scale * variance[~seen]), rtol=1e-3)


@pytest.mark.parametrize("family", list(Family), ids=lambda family: family.name)
def test_a_series_read_backwards_gives_the_same_values(family: Family) -> None:
    years, asked = np.array([2000, 2001, 2004, 2006, 2009]), np.array([2002, 2003, 2011])
    values = np.array([[1.0], [3.0], [2.0], [5.0], [4.0]])
    forward = smooth(family, years, values, asked, np.ones(1))
    backward = smooth(family, 4020 - years[::-1], values[::-1], 4020 - asked, np.ones(1))
    np.testing.assert_allclose(forward.mean, backward.mean, rtol=1e-6)


@pytest.mark.parametrize("family", list(Family), ids=lambda family: family.name)
def test_units_and_origin_do_not_matter(family: Family) -> None:
    years, asked = np.array([2000, 2001, 2004, 2006]), np.array([2002, 2008])
    values = np.array([[1.0], [3.0], [2.0], [5.0]])
    plain = smooth(family, years, values, asked, np.ones(1))
    moved = smooth(family, years, 1e6 * values - 7e6, asked, np.full(1, 1e6))
    np.testing.assert_allclose(moved.mean, 1e6 * plain.mean - 7e6, rtol=1e-6)
    np.testing.assert_allclose(moved.sd, 1e6 * plain.sd, rtol=1e-6)


def test_several_series_at_once_are_each_what_they_are_alone() -> None:
    years, asked = np.array([2000, 2001, 2004, 2006]), np.array([2002, 2008])
    values = np.array([[1.0, 20.0], [3.0, 10.0], [2.0, 40.0], [5.0, 30.0]])
    steps = np.array([1.0, 8.0])
    together = smooth(Family.damped, years, values, asked, steps)
    for at in range(2):
        alone = smooth(Family.damped, years, values[:, at : at + 1], asked, steps[at : at + 1])
        np.testing.assert_allclose(together.mean[:, at], alone.mean[:, 0])
        np.testing.assert_allclose(together.sd[:, at], alone.sd[:, 0])


def test_a_trend_goes_on_and_is_less_sure_the_further_it_goes() -> None:
    years = np.arange(2000, 2010)
    values = (2.0 * np.arange(10) + 0.01 * np.sin(np.arange(10)))[:, None]
    found = smooth(Family.trend, years, values, np.array([2010, 2014]), np.full(1, 2.0))
    np.testing.assert_allclose(found.mean[:, 0], [20.0, 28.0], atol=0.5)
    assert found.sd[1, 0] > found.sd[0, 0]
