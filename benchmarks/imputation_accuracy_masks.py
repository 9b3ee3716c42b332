"""Which cells are hidden, and the data without them.

Cells of one target and year are hidden together and answered in one fit, as a question about a year has several
countries to answer for; at most `CELLS` and a fifth of the small island states that have the year, so that the fit
loses little of what it would learn from.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models._indicators import IndicatorSet
from models.imputation.clones import clones_of
from models.imputation.level1 import TARGET_MISSING

Protocol = Literal["gap", "cold"]
PROTOCOLS: tuple[Protocol, ...] = ("gap", "cold")
CELLS = 10
SHARE = 0.2
# A standard deviation of fewer countries measures nothing.
LEAST_OBSERVED = 8


@dataclass(frozen=True)
class Question:
    """Cells of one target and year to hide.

    Attributes:
        countries: indices; missing: share of all countries that miss the target in the year, before hiding.
        truth: (n_countries,) of the target in the year; sd: over the countries that have it.
        clones: indicator indices that repeat the target; their cells are hidden with it.
    """

    protocol: Protocol
    target: int
    year: int
    countries: tuple[int, ...]
    missing: float
    truth: NDArray[np.float64]
    sd: float
    clones: tuple[int, ...]

    def mask(self, data: IndicatorSet) -> IndicatorSet:
        """The data without the cells: of the year (gap), or of the countries' whole series (cold)."""
        values = np.array(data.values)
        years = [data.year_index[self.year]] if self.protocol == "gap" else list(range(len(data.years)))
        values[np.ix_(years, self.countries, [self.target, *self.clones])] = np.nan
        values.setflags(write=False)
        name = f"{data.digest}-{self.protocol}-{self.target}-{self.year}-{self.countries}"
        return replace(data, values=values, digest=name)


def draw(data: IndicatorSet, protocol: Protocol, n_cells: int, seed: int) -> list[Question]:
    """Questions with `n_cells` cells or a few more; each target once, in random order, before any comes again."""
    rng = np.random.default_rng([seed, PROTOCOLS.index(protocol)])
    questions: list[Question] = []
    found = 0
    for target, year in _turns(data, rng):
        question = _question(data, protocol, target, year, rng)
        if question is not None:
            questions.append(question)
            found += len(question.countries)
            if found >= n_cells:
                break
    return questions


def _turns(data: IndicatorSet, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """(target, year), each pair once."""
    n_years, n_indicators = len(data.years), len(data.indicators)
    years = np.stack([rng.permutation(n_years) for _ in range(n_indicators)])
    for turn in range(n_years):
        for target in rng.permutation(n_indicators):
            yield int(target), data.years[int(years[target, turn])]


def _question(
    data: IndicatorSet, protocol: Protocol, target: int, year: int, rng: np.random.Generator
) -> Question | None:
    """None where the target cannot be asked for in the year, or no cell of it suits the protocol."""
    series = np.asarray(data.values[:, :, target])
    truth = series[data.year_index[year]]
    seen = np.isfinite(truth)
    least = max(LEAST_OBSERVED, int(np.floor(len(truth) * (1 - TARGET_MISSING))) + 1)
    if seen.all() or seen.sum() <= least:
        return None
    sd = float(truth[seen].std())
    if not sd > 1e-9 * float(np.abs(truth[seen]).max()):
        return None
    suits = seen & data.sids
    if protocol == "gap":
        suits &= np.isfinite(series).sum(axis=0) > 1
    cells = np.flatnonzero(suits)
    n_hidden = min(CELLS, max(1, round(SHARE * int((seen & data.sids).sum()))), int(seen.sum()) - least, len(cells))
    if n_hidden < 1:
        return None
    hidden = np.sort(rng.choice(cells, n_hidden, replace=False))
    clones = clones_of(data, data.year(year), target, np.arange(len(data.indicators)))
    return Question(
        protocol,
        target,
        year,
        tuple(hidden.tolist()),
        float(1 - seen.mean()),
        truth.copy(),
        sd,
        tuple(clones.tolist()),
    )
