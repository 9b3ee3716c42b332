"""Series made for tests."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from models.timeseries.spec import Course, Floats

FIRST_YEAR = 2000


def course(*values: float | None) -> Course:
    """A series from 2000 on, None where missing."""
    given = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return Course(np.arange(FIRST_YEAR, FIRST_YEAR + len(given)), given)


@st.composite
def courses(draw: Any, least: int = 2, most_years: int = 25) -> Course:
    """Series with gaps anywhere, of any size, with `least` observations or more."""
    n = draw(st.integers(least + 1, most_years))
    numbers = st.floats(-100, 100, allow_nan=False, width=32)
    values = np.array(draw(st.lists(numbers, min_size=n, max_size=n)))
    seen = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    places = draw(st.permutations(range(n)))[:least]
    seen[list(places)] = True
    scale = 10.0 ** draw(st.integers(-4, 8))
    return course(*(float(value * scale) if here else None for value, here in zip(values, seen, strict=True)))


def walks(n_years: int, n_countries: int, *, missing: float = 0.3, seed: int = 1) -> Floats:
    """Random walks with gaps: (n_years, n_countries)."""
    rng = np.random.default_rng(seed)
    panel = 50 + np.cumsum(rng.normal(size=(n_years, n_countries)), axis=0)
    panel[rng.random(panel.shape) < missing] = np.nan
    return panel
