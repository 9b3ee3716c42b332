"""Measures how well missing years are filled: `python -m benchmarks.timeseries_accuracy --help`.

Known values of small island states are hidden and filled again: in one half of the series a stretch between
observations, in the other the last or the first years. `auto` and its intervals are compared with each named method
on the very same cells.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import data
from models._indicators import IndicatorSet, load
from models.timeseries.choices import check_series
from models.timeseries.filling import Question, solve
from models.timeseries.spec import Direction, Floats, Ints, Mask, Method, SeriesError

SEED = 7
LEAST_OBSERVED = 4
GAPS = ((1, 0.5), (2, 0.25), (3, 0.15), (5, 0.1))
ENDS = ((1, 0.4), (2, 0.3), (3, 0.2), (5, 0.1))
LAST_YEARS = 0.7
METHODS = (Method.auto, Method.linear, Method.pchip, Method.akima, Method.quadratic, Method.cubicspline, Method.nearest)
REACH = (0.87, 0.93)


@dataclass(frozen=True)
class Hidden:
    """One hidden cell: errors by method in standard deviations of the indicator (NaN: not filled)."""

    target: int
    inside: bool
    observed: int
    reach: int
    error: dict[str, float]
    chosen: str
    covered: bool
    width: float


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    names = list(data.NAMES) if "all" in given.data else list(dict.fromkeys(given.data))
    report, missed = [], []
    with tempfile.TemporaryDirectory(prefix="atoll-benchmark-") as scratch:
        found, notes = data.find(names, Path(scratch))
        for note in notes:
            print(note, flush=True)
        for one in found:
            started = time.process_time()
            indicators = load(one.folder, Path(scratch) / "cache")
            cells = list(measure(indicators, given.series))
            spent_s = time.process_time() - started
            text, outside = tables(one.name, cells, spent_s)
            print(text, flush=True)
            report.append(text)
            missed += outside if one.real else []
            if given.json:
                with given.json.open("a") as stream:
                    stream.writelines(json.dumps({"data": one.name} | vars(cell)) + "\n" for cell in cells)
    if given.markdown:
        given.markdown.write_text("\n".join(report))
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if given.strict and missed else 0


def measure(indicators: IndicatorSet, n_series: int) -> Iterator[Hidden]:
    """Hide and fill `n_series` series drawn with a fixed seed."""
    rng = np.random.default_rng(SEED)
    counts = np.isfinite(indicators.values).sum(axis=0)
    pairs = np.argwhere((counts >= LEAST_OBSERVED) & indicators.sids[:, None])
    drawn = 0
    for country, target in rng.permutation(pairs).tolist():
        truth = np.asarray(indicators.values[:, country, target])
        hidden = _hidden(np.flatnonzero(np.isfinite(truth)), rng)
        left = truth.copy()
        left[hidden] = np.nan
        seen = left[np.isfinite(left)]
        if len(seen) < 2 or seen.min() == seen.max():
            continue
        yield from _filled(_alone(indicators, target, country, left), country, target, truth, hidden)
        drawn += 1
        if drawn == n_series:
            return


def _hidden(observed: Ints, rng: np.random.Generator) -> Ints:
    """Places of the cells to hide, among those observed."""
    inside = rng.random() < 0.5
    lengths, shares = zip(*(GAPS if inside else ENDS), strict=True)
    length = int(rng.choice(lengths, p=shares))
    if inside:
        first = int(rng.choice(observed[1:-1]))
        hide = (observed >= first) & (observed < first + length) & (observed < observed[-1])
    elif rng.random() < LAST_YEARS:
        hide = observed > observed[-1] - length
    else:
        hide = observed < observed[0] + length
    places: Ints = observed[hide]
    return places


def _alone(indicators: IndicatorSet, target: int, country: int, left: Floats) -> IndicatorSet:
    """The data set with this indicator only, and `left` as what is known of the country."""
    values = np.ascontiguousarray(indicators.values[:, :, target : target + 1])
    values[:, country, 0] = left
    return replace(
        indicators,
        values=values,
        indicators=(indicators.indicators[target],),
        names=(indicators.names[target],),
        units=(indicators.units[target],),
    )


def _filled(alone: IndicatorSet, country: int, target: int, truth: Floats, hidden: Ints) -> Iterator[Hidden]:
    values = alone.values[:, :, 0]
    sd = float(np.nanstd(values)) or 1.0
    years, seen = np.array(alone.years), np.isfinite(values[:, country])
    errors: dict[str, Floats] = {}
    for method in METHODS:
        question = Question(0, country, method, None, Direction.both, bounded=True)
        try:
            check_series(alone, question)
            found = solve(alone, question)
        except SeriesError:
            errors[method.name] = np.full(len(hidden), np.nan)
            continue
        errors[method.name] = np.abs(found.values[hidden] - truth[hidden]) / sd
        if method is Method.auto:
            best = found
    slack = 1e-9 * np.abs(truth[hidden])
    covered = (truth[hidden] >= best.lower[hidden] - slack) & (truth[hidden] <= best.upper[hidden] + slack)
    for at, place in enumerate(hidden.tolist()):
        inside = bool(seen[:place].any() and seen[place:].any())
        yield Hidden(
            target,
            inside,
            int(seen.sum()),
            int(np.abs(years[seen] - years[place]).min()),
            {name: float(error[at]) for name, error in errors.items()},
            str(best.inside if inside else best.ends),
            bool(covered[at]),
            float((best.upper[place] - best.lower[place]) / sd),
        )


def tables(name: str, cells: list[Hidden], spent_s: float) -> tuple[str, list[str]]:
    """Markdown, and what lies outside of the reach."""
    lines = [
        f"### {name}: {len(cells)} cells of {len({cell.target for cell in cells})} targets, {spent_s:.0f} s of CPU",
        "",
        "| part | cells | " + " | ".join(f"`{method.name}`" for method in METHODS) + " | coverage | width |",
        "|---" * (len(METHODS) + 4) + "|",
    ]
    missed = []
    for part, inside in (("between", True), ("ends", False)):
        here = [cell for cell in cells if cell.inside == inside]
        shown = [_mean([cell.error[method.name] for cell in here]) for method in METHODS]
        coverage = float(np.mean([cell.covered for cell in here]))
        width = float(np.mean([cell.width for cell in here]))
        lines.append(f"| {part} | {len(here)} | {' | '.join(shown)} | {coverage:.1%} | {width:.2f} |")
        if not REACH[0] <= coverage <= REACH[1]:
            missed.append(f"{name} {part}: coverage {coverage:.1%}")
    lines += ["", "| coverage | cells | between | cells | ends |", "|---|---|---|---|---|"]
    groups: list[tuple[str, Mask]] = []
    observed, reach = np.array([cell.observed for cell in cells]), np.array([cell.reach for cell in cells])
    for low, high in ((2, 5), (6, 10), (11, 99)):
        groups.append(
            (f"{low} to {high} observations" if high < 99 else f"{low} or more", (observed >= low) & (observed <= high))
        )
    for low, high in ((1, 1), (2, 3), (4, 99)):
        told = "1 year" if high == 1 else f"{low} to {high} years" if high < 99 else f"{low} years or more"
        groups.append((f"nearest observation {told} away", (reach >= low) & (reach <= high)))
    inner, covered = np.array([cell.inside for cell in cells]), np.array([cell.covered for cell in cells])
    for told, group in groups:
        shown = [
            f"{int(mask.sum())} | {covered[mask].mean():.1%}" if mask.any() else "0 | "
            for mask in (group & inner, group & ~inner)
        ]
        lines.append(f"| {told} | {' | '.join(shown)} |")
    gains = " and ".join(_gain([cell for cell in cells if cell.inside == inside]) for inside in (True, False))
    lines += ["", f"`auto` less `linear`, with its standard error over targets: {gains}."]
    between, ends = (_shares([cell.chosen for cell in cells if cell.inside == inside]) for inside in (True, False))
    lines += ["", f"Chosen between: {between}; at the ends: {ends}.", ""]
    return "\n".join(lines), missed


def _gain(cells: list[Hidden]) -> str:
    """Difference of the errors; cells of one target are taken to go together."""
    targets = np.array([cell.target for cell in cells])
    apart = np.array([cell.error["auto"] - cell.error["linear"] for cell in cells])
    sums = np.array([(apart[targets == target] - apart.mean()).sum() for target in np.unique(targets)])
    return f"{apart.mean():+.4f} ± {np.sqrt((sums**2).sum()) / len(apart):.4f}"


def _mean(errors: list[float]) -> str:
    """The mean, where (nearly) all cells were filled."""
    known = [error for error in errors if error == error]
    return f"{np.mean(known):.3f}" if len(known) > 0.95 * len(errors) else ""


def _shares(names: list[str]) -> str:
    counts = sorted(((names.count(name), name) for name in set(names)), reverse=True)
    return ", ".join(f"{name} {count / len(names):.0%}" for count, name in counts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timeseries_accuracy", description=__doc__)
    parser.add_argument("--data", nargs="+", default=["all"], choices=[*data.NAMES, "all"], help="data sets [all]")
    parser.add_argument("--series", type=int, default=1100, help="series of each data set [1100]")
    parser.add_argument("--json", type=Path, help="append every cell here, a JSON line each")
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    parser.add_argument("--strict", action="store_true", help="end with 1 if coverage is not within 87 to 93 per cent")
    return parser


if __name__ == "__main__":
    sys.exit(main())
