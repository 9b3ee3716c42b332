"""Measures how right imputation is, on cells of small island states that it does not see.

`python -m benchmarks.imputation_accuracy --help`
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

# Two processes on two cores, not two times two threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks import data as data_sets
from benchmarks import imputation_accuracy_pictures as pictures
from benchmarks.imputation_accuracy_masks import PROTOCOLS, Protocol, Question, draw
from benchmarks.imputation_accuracy_peers import COMPARED, PREDICTORS, TREES, said
from benchmarks.imputation_accuracy_sanity import Counts, count, targets
from benchmarks.imputation_accuracy_tables import OURS, counted, groups, report
from models._indicators import IndicatorSet, load
from models.imputation.engine import Interval, Level1Memory, Model, Spec, impute

QUICK, FULL = 300, 2000
Known = dict[tuple[str, str, int], list[tuple[float, ...]]]
CACHE = Path(tempfile.gettempdir()) / "atoll-accuracy-cache"


@dataclass(frozen=True)
class Cell:
    """One hidden value and what was said of it, in the target's units."""

    data: str
    protocol: str
    target: str
    year: int
    country: str
    missing: float
    sd: float
    truth: float
    guesses: dict[str, float]
    lower: float
    upper: float
    seconds: float


def ask(data: IndicatorSet, question: Question, spec: Spec) -> list[tuple[float, ...]]:
    """For each hidden cell: prediction, lower and upper end, and the CPU seconds that the answer took."""
    memory = Level1Memory()
    memory.get(data, question.year, spec.interpolator)
    started = time.process_time()
    answer = impute(data, spec, memory)
    seconds = time.process_time() - started
    at = np.searchsorted(answer.rows, question.countries)
    ends = np.stack([answer.prediction[at], answer.lower[at], answer.upper[at], np.full(len(at), seconds)], axis=1)
    return [tuple(row) for row in ends.tolist()]


def measure(data: IndicatorSet, question: Question, settings: "Settings") -> list[Cell]:
    """The cells of one question; only the memory of the peers is filled where `settings` say so."""
    masked = question.mask(data)
    names = COMPARED[question.protocol] if settings.peers else ()
    guesses = said(CACHE / "peers", names, masked, question)
    if not settings.ours:
        return []
    spec = Spec(
        question.target,
        question.year,
        number_predictor=PREDICTORS,
        estimators=TREES,
        model=settings.model,
        interval=settings.interval,
    )
    target = data.indicators[question.target]
    known = settings.known.get((question.protocol, target, question.year))
    answers = known or ask(masked, question, spec)
    return [
        Cell(
            settings.name,
            question.protocol,
            target,
            question.year,
            data.countries[country],
            question.missing,
            question.sd,
            float(question.truth[country]),
            {OURS: centre} | {who: float(values[i]) for who, values in guesses.items()},
            lower,
            upper,
            seconds,
        )
        for i, (country, (centre, lower, upper, seconds)) in enumerate(zip(question.countries, answers, strict=True))
    ]


@dataclass(frozen=True)
class Settings:
    """How a data set is measured; `known`: answers of an earlier run, by protocol, target and year."""

    name: str
    ours: bool
    peers: bool
    interval: Interval
    model: Model
    trees: int
    known: Known


# Of a working process.
_data: IndicatorSet
_memory = Level1Memory(200_000_000)


def _open(folder: Path) -> None:
    global _data
    _data = load(folder, CACHE)


def _work(question: Question, settings: Settings) -> list[Cell]:
    return measure(_data, question, settings)


def _count(asked: tuple[int, int], settings: Settings) -> Counts:
    # One after the other, so that the state of a year serves all its targets.
    year, target = asked
    return count(_data, year, target, settings.trees, _memory)


def cells_of(given: argparse.Namespace, settings: Settings, folder: Path, protocol: Protocol) -> Iterator[Cell]:
    questions = draw(load(folder, CACHE), protocol, given.cells, given.seed)
    for cells in _spread(given, f"{settings.name} {protocol}", folder, partial(_work, settings=settings), questions):
        yield from cells


def _spread(
    given: argparse.Namespace, name: str, folder: Path, work: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[Any]:
    """`work` on every item, by several processes, in order."""
    context = multiprocessing.get_context("spawn")
    # Unlike a Pool it says so when a process is killed, instead of waiting for it.
    with ProcessPoolExecutor(given.jobs, context, initializer=_open, initargs=(folder,)) as pool:
        for number, result in enumerate(pool.map(work, items, chunksize=4)):
            if number % 25 == 0:
                print(f"  {name}: {number} of {len(items)} fits", file=sys.stderr, flush=True)
            yield result


def _known(paths: Sequence[Path], name: str) -> Known:
    found: Known = {}
    for path in paths:
        for cell in json.loads(path.read_text()):
            if cell["data"] == name:
                answer = (cell["guesses"][OURS], cell["lower"], cell["upper"], cell["seconds"])
                found.setdefault((cell["protocol"], cell["target"], cell["year"]), []).append(answer)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    given.cells = given.cells or (QUICK if given.quick else FULL)
    cells: list[Cell] = []
    counts: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as scratch:
        found, notes = data_sets.find(given.data, Path(scratch))
        for one in found:
            settings = Settings(
                one.name,
                given.only != "peers",
                given.only != "ours",
                Interval[given.interval],
                Model[given.model],
                given.trees,
                _known(given.answers, one.name),
            )
            if given.sanity:
                asked = list(targets(load(one.folder, CACHE)))
                work = partial(_count, settings=settings)
                counts[one.name] = sum(_spread(given, f"{one.name} sanity", one.folder, work, asked), Counts())
                continue
            for protocol in given.protocol:
                cells += cells_of(given, settings, one.folder, protocol)
                if given.json:
                    given.json.write_text(json.dumps([asdict(cell) for cell in cells]) + "\n")
    if counts:
        print(counted(counts))
    if cells:
        figures = groups(cells)
        print(report(figures, notes))
        if given.pictures:
            (given.pictures / "imputation-errors.svg").write_text(pictures.errors(figures))
            (given.pictures / "imputation-coverage.svg").write_text(pictures.coverage(figures))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imputation_accuracy", description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(data_sets.NAMES), choices=data_sets.NAMES, help="[both]")
    parser.add_argument("--protocol", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS, help="[both]")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} cells each instead of {FULL}: to steer by")
    parser.add_argument("--cells", type=int, help="so many cells each")
    parser.add_argument("--interval", default="quantile", choices=[kind.name for kind in Interval])
    parser.add_argument("--model", default="rfr", choices=[kind.name for kind in Model])
    parser.add_argument(
        "--only", choices=["ours", "peers"], help="ours: nothing is compared with; peers: remember what the others say"
    )
    parser.add_argument("--answers", nargs="+", type=Path, default=[], help="take Atoll's answers from earlier --json")
    parser.add_argument("--sanity", action="store_true", help="count answers that cannot be right, of all targets")
    parser.add_argument("--trees", type=int, default=TREES, help=f"with --sanity [{TREES}]")
    parser.add_argument("--pictures", type=Path, help="a folder to draw two SVG files in")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2, help="processes [2]")
    parser.add_argument("--json", type=Path, help="write every cell here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
