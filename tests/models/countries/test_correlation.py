"""Correlations of profiles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from models._clustering import standardise
from models._clustering.rows import Floats
from models.countries.correlation import correlate, default_min_shared


def planted(seed: int, n: int = 30, m: int = 20, missing: float = 0.3) -> Floats:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, m)) * 10 ** rng.uniform(-3, 9, m) + rng.normal(size=(n, m))
    X[rng.random(X.shape) < missing] = np.nan
    return X


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("min_shared", [3, 8, 15])
def test_it_is_what_pandas_finds_on_scaled_columns(seed: int, min_shared: int) -> None:
    X = planted(seed)
    z, seen, _ = standardise(X)
    frame = pd.DataFrame(X)
    scaled = (frame - frame.mean()) / frame.std(ddof=0)
    expected = scaled.T.corr(min_periods=min_shared)[4].drop(4)
    found = correlate(z, seen, 4, min_shared)
    assert np.delete(found.r, 4) == pytest.approx(expected.to_numpy(), nan_ok=True)
    in_order = expected.dropna().sort_values(ascending=False)
    assert found.order.tolist() == in_order.index.tolist()


@settings(deadline=None, max_examples=200)
@given(
    npst.arrays(
        np.float64,
        st.tuples(st.integers(2, 8), st.integers(3, 8)),
        elements=st.sampled_from([np.nan, 0.0, 1.0, 2.0, -5.0, 1e12]),
    ),
    st.integers(3, 5),
)
def test_whatever_is_observed_the_answer_is_sorted_bounded_and_symmetric(X: Floats, min_shared: int) -> None:
    X = X[:, np.isfinite(X).any(axis=0)]
    if not X.size:
        return
    z, seen, _ = standardise(X)
    results = [correlate(z, seen, at, min_shared) for at in range(len(X))]
    for at, found in enumerate(results):
        ordered = found.r[found.order]
        assert (np.abs(ordered) <= 1).all()
        assert (np.diff(ordered) <= 0).all()
        assert at not in found.order
        # Equal ones in the order of the rows.
        assert all(a < b for a, b in zip(found.order, found.order[1:], strict=False) if found.r[a] == found.r[b])
        assert (found.shared[found.order] >= min_shared).all()
        assert set(found.order.tolist()) == set(np.flatnonzero(np.isfinite(found.r)).tolist())
        for other in found.order.tolist():
            assert results[other].r[at] == pytest.approx(found.r[other], abs=1e-9)


def test_a_unit_does_not_matter() -> None:
    X = planted(0)
    scaled = X * 10.0 ** np.arange(-10, 10) + 5
    first, second = (correlate(*standardise(values)[:2], 0, 3).r for values in (X, scaled))
    assert first == pytest.approx(second, abs=1e-6, nan_ok=True)


def test_a_profile_that_does_not_vary_over_what_is_shared_has_no_correlation() -> None:
    z = np.array([[1.0, 1, 1, 5], [1, 2, 3, 0], [1, 2, 3, 9]])
    seen = np.array([[1.0, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]])
    found = correlate(z, seen, 1, 3)
    assert np.isnan(found.r[0])
    assert found.constant[0]
    assert found.r[2] == pytest.approx(1)


@pytest.mark.parametrize(("has", "asks"), [(1, 3), (12, 3), (16, 4), (100, 25)])
def test_by_default_a_quarter_of_the_countrys_indicators_must_be_shared(has: int, asks: int) -> None:
    assert default_min_shared(has) == asks
