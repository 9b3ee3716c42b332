"""The tables of imputation's accuracy, with what has to be attained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.imputation_accuracy import Cell
    from benchmarks.imputation_accuracy_sanity import Counts

Array = NDArray[np.float64]

OURS = "Atoll"
COVERAGE = (0.87, 0.93)
COVERAGE_OF_FIFTH = (0.80, 0.97)
# By protocol, whose mean error has to be undercut.
TO_BEAT = {"gap": ("linear",), "cold": ("train mean", "plain", "MICE forest")}
# Fewer cells say too little of a reach: a tenth of a percent of coverage is then one or two cells.
LEAST_CELLS, LEAST_TARGETS = 2000, 200


@dataclass(frozen=True)
class Group:
    """The cells of one data set under one protocol, as arrays (n_cells,).

    Attributes:
        errors: |guess - truth| / sd by method; inside: whether the interval holds the truth; width: over sd.
        fifth: 0..4, of the questions by the share of countries that miss the target.
    """

    data: str
    protocol: str
    n_targets: int
    n_questions: int
    errors: dict[str, Array]
    inside: NDArray[np.bool_]
    width: Array
    fifth: NDArray[np.int64]
    missing: Array

    @property
    def by_fifth(self) -> list[float]:
        """Coverage of each fifth; those without a cell are left out."""
        return [float(self.inside[self.fifth == k].mean()) for k in range(5) if (self.fifth == k).any()]

    @property
    def missed(self) -> list[str]:
        """Which reaches were not attained."""
        name = f"{self.data} {self.protocol}"
        found = []
        if not COVERAGE[0] <= self.inside.mean() <= COVERAGE[1]:
            found.append(f"{name}: coverage")
        low, high = COVERAGE_OF_FIFTH
        if not all(low <= share <= high for share in self.by_fifth):
            found.append(f"{name}: coverage of a fifth")
        ours = self.errors[OURS].mean()
        found += [
            f"{name}: {who}"
            for who in TO_BEAT[self.protocol]
            if who in self.errors and not ours < self.errors[who].mean()
        ]
        if len(self.inside) < LEAST_CELLS or self.n_targets < LEAST_TARGETS:
            found.append(f"{name}: too few cells")
        return found


def groups(cells: Sequence[Cell]) -> list[Group]:
    found = []
    for data, protocol in dict.fromkeys((cell.data, cell.protocol) for cell in cells):
        some = [cell for cell in cells if (cell.data, cell.protocol) == (data, protocol)]
        truth, sd, low, high = (
            np.array([getattr(cell, name) for cell in some]) for name in ("truth", "sd", "lower", "upper")
        )
        found.append(
            Group(
                data,
                protocol,
                len({cell.target for cell in some}),
                len({(cell.target, cell.year) for cell in some}),
                {who: np.abs(np.array([cell.guesses[who] for cell in some]) - truth) / sd for who in some[0].guesses},
                (low <= truth) & (truth <= high),
                (high - low) / sd,
                _fifths(some),
                np.array([cell.missing for cell in some]),
            )
        )
    return found


def _fifths(cells: Sequence[Cell]) -> NDArray[np.int64]:
    asked = sorted({(cell.missing, cell.target, cell.year) for cell in cells})
    place = {question: 5 * at // len(asked) for at, question in enumerate(asked)}
    return np.array([place[cell.missing, cell.target, cell.year] for cell in cells])


def report(found: Sequence[Group], notes: Sequence[str]) -> str:
    """Markdown."""
    parts = [f"> {note}" for note in notes]
    parts.append(_table(("data", "protocol", "cells", "targets", "method", "mean", "RMS", "median"), _errors(found), 5))
    head = ("data", "protocol", "coverage", "mean width", "median width", *(f"fifth {k + 1}" for k in range(5)))
    parts.append(_table(head, [_intervals(group) for group in found], 2))
    missed = [name for group in found for name in group.missed]
    parts.append("Missed: " + "; ".join(missed) if missed else "Every reach attained.")
    return "\n\n".join(parts) + "\n"


def _errors(found: Sequence[Group]) -> list[list[str]]:
    rows = []
    for group in found:
        for who, error in group.errors.items():
            figures = (error.mean(), np.sqrt((error**2).mean()), np.median(error))
            start = [group.data, group.protocol, f"{len(error):,}", str(group.n_targets)]
            rows.append([*(start if who == OURS else [""] * 4), who, *(f"{figure:.3f}" for figure in figures)])
    return rows


def _intervals(group: Group) -> list[str]:
    by_fifth = [f"{share:.1%}" for share in group.by_fifth]
    by_fifth += [""] * (5 - len(by_fifth))
    widths = f"{group.width.mean():.2f}", f"{np.median(group.width):.2f}"
    return [group.data, group.protocol, f"{group.inside.mean():.1%}", *widths, *by_fifth]


def counted(found: dict[str, Counts]) -> str:
    """Markdown of `Counts` by data set."""
    names = [one.name for one in fields(next(iter(found.values())))]
    head = ("data", *(name.replace("_", " ") for name in names))
    return _table(head, [[data, *(f"{getattr(one, name):,}" for name in names)] for data, one in found.items()], 1)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], first_number: int) -> str:
    rule = ["--:" if at >= first_number else "---" for at in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))
