"""The tables of imputation's accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.imputation_accuracy import Cell

Array = NDArray[np.float64]


def report(cells: list[Cell], notes: list[str]) -> str:
    groups = list(dict.fromkeys((cell.data, cell.protocol) for cell in cells))
    lines = [*(f"> {note}" for note in notes)]
    for data, protocol in groups:
        some = [cell for cell in cells if (cell.data, cell.protocol) == (data, protocol)]
        truth, sd = (np.array([getattr(cell, name) for cell in some]) for name in ("truth", "sd"))
        low, high = (np.array([getattr(cell, name) for cell in some]) for name in ("lower", "upper"))
        inside = (low <= truth) & (truth <= high)
        width = (high - low) / sd
        n_targets = len({cell.target for cell in some})
        lines.append(f"{data} {protocol}: {len(some)} cells, {n_targets} targets, "
                     f"coverage {inside.mean():.3f}, width mean {width.mean():.3f} median {np.median(width):.3f}, "
                     f"seconds mean {np.mean([c.seconds for c in some]):.2f} "
                     f"p95 {np.quantile([c.seconds for c in some], 0.95):.2f}")  # fmt: skip
        for who in some[0].guesses:
            error = np.abs(np.array([cell.guesses[who] for cell in some]) - truth) / sd
            lines.append(f"   {who:12s} mean {error.mean():.4f} rms {np.sqrt((error**2).mean()):.4f} "
                         f"median {np.median(error):.4f}")  # fmt: skip
        fifth = fifths(some)
        lines.append("   by fifth: " + "  ".join(
            f"{inside[fifth == k].mean():.3f} (w {width[fifth == k].mean():.2f})" for k in range(5)))  # fmt: skip
    return "\n".join(lines)


def fifths(cells: list[Cell]) -> NDArray[np.int64]:
    """0..4: in which fifth of the questions, by missingness of the target, a cell's question lies."""
    asked = sorted({(cell.missing, cell.target, cell.year) for cell in cells})
    place = {question: 5 * at // len(asked) for at, question in enumerate(asked)}
    return np.array([place[cell.missing, cell.target, cell.year] for cell in cells])
