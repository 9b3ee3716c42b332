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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

# Two processes on two cores, not two times two threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks import data as data_sets
from benchmarks.imputation_accuracy_masks import PROTOCOLS, Protocol, Question, draw
from benchmarks.imputation_accuracy_peers import COMPARED, PEERS, PREDICTORS, TREES, said
from models._indicators import IndicatorSet, load
from models.imputation.engine import Interval, Level1Memory, Model, Spec, impute

OURS = "Atoll"
QUICK, FULL = 300, 2000
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


def ask(data: IndicatorSet, question: Question, interval: Interval, model: Model) -> tuple[np.ndarray, ...]:
    """Prediction, lower and upper end (n_cells,) of the hidden cells, and the seconds the answer took."""
    spec = Spec(question.target, question.year, number_predictor=PREDICTORS, estimators=TREES, model=model,
                interval=interval)  # fmt: skip
    memory = Level1Memory()
    memory.get(data, question.year, spec.interpolator)
    started = time.process_time()
    answer = impute(data, spec, memory)
    seconds = time.process_time() - started
    at = np.searchsorted(answer.rows, question.countries)
    return answer.prediction[at], answer.lower[at], answer.upper[at], np.full(len(at), seconds)


def measure(
    question: Question, *, data: IndicatorSet, name: str, peers: Sequence[str], interval: Interval, model: Model | None
) -> list[Cell]:
    masked = question.mask(data)
    if model is None:
        said(CACHE / "peers", [peer for peer in COMPARED[question.protocol] if peer in peers], masked, question)
        return []
    centre, lower, upper, seconds = ask(masked, question, interval, model)
    guesses = {OURS: centre}
    guesses |= said(CACHE / "peers", [peer for peer in COMPARED[question.protocol] if peer in peers], masked, question)
    return [
        Cell(
            name,
            question.protocol,
            data.indicators[question.target],
            question.year,
            data.countries[country],
            question.missing,
            question.sd,
            float(question.truth[country]),
            {who: float(values[i]) for who, values in guesses.items()},
            float(lower[i]),
            float(upper[i]),
            float(seconds[i]),
        )
        for i, country in enumerate(question.countries)
    ]


_data: IndicatorSet


def _open(folder: Path) -> None:
    global _data
    _data = load(folder, CACHE)


def _work(question: Question, **settings: object) -> list[Cell]:
    return measure(question, data=_data, **settings)  # type: ignore[arg-type]


def cells_of(given: argparse.Namespace, name: str, folder: Path, protocol: Protocol) -> Iterator[Cell]:
    questions = draw(load(folder, CACHE), protocol, given.cells, given.seed)
    peers = () if given.ours else tuple(PEERS)
    model = None if given.peers else Model[given.model]
    work = partial(_work, name=name, peers=peers, interval=Interval[given.interval], model=model)
    context = multiprocessing.get_context("spawn")
    with context.Pool(given.jobs, initializer=_open, initargs=(folder,)) as pool:
        for number, cells in enumerate(pool.imap(work, questions)):
            if number % 25 == 0:
                print(f"  {name} {protocol}: {number} of {len(questions)} fits", file=sys.stderr, flush=True)
            yield from cells


def main(arguments: Sequence[str] | None = None) -> int:
    from benchmarks.imputation_accuracy_tables import report

    given = _parser().parse_args(arguments)
    given.cells = given.cells or (QUICK if given.quick else FULL)
    cells: list[Cell] = []
    with tempfile.TemporaryDirectory() as scratch:
        found, notes = data_sets.find(given.data, Path(scratch))
        for one in found:
            for protocol in given.protocol:
                cells += cells_of(given, one.name, one.folder, protocol)
                if given.json:
                    given.json.write_text(json.dumps([asdict(cell) for cell in cells]) + "\n")
    if cells:
        print(report(cells, notes))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imputation_accuracy", description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(data_sets.NAMES), choices=data_sets.NAMES, help="[both]")
    parser.add_argument("--protocol", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS, help="[both]")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} cells each instead of {FULL}: to steer by")
    parser.add_argument("--cells", type=int, help="so many cells each")
    parser.add_argument("--interval", default="quantile", choices=[kind.name for kind in Interval])
    parser.add_argument("--model", default="rfr", choices=[kind.name for kind in Model])
    parser.add_argument("--ours", action="store_true", help="without the methods compared with")
    parser.add_argument("--peers", action="store_true", help="only fill the memory of what the other methods say")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2, help="processes [2]")
    parser.add_argument("--json", type=Path, help="write every cell here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
