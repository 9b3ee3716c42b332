"""The graph model on our own Spark traces: inputs that it has not seen, the time of a decision, the time of a search.

`python -m benchmarks.scaleout.graph --trials 40`. Each size of input of the carried runs is left out in turn, of all
algorithms at once; and all carried runs predict those of `unseen.jsonl.gz`, which were made of other sizes after the
model was as it is, so that nothing of it can have been chosen by them.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import NotMeasured
from benchmarks.scaleout.graph_curves import CURVES, by_curves
from benchmarks.scaleout.graph_errors import Times, errors, mape
from benchmarks.scaleout.graph_times import decision, search
from benchmarks.scaleout.tables import Table, printed
from models.scaleout import space
from models.scaleout.graph.history import History
from models.scaleout.graph.model import GraphModel
from models.scaleout.graph.samples import held_out
from models.scaleout.learning.context import ContextModel
from models.scaleout.records import Application

Floats = NDArray[np.float64]

_FEWEST_RUNS = 12
UNSEEN = Path(__file__).with_name("unseen.jsonl.gz")
_GRAPH, _CARRY = "graph model", "its starting point alone"


@dataclass(frozen=True)
class Part:
    """Runs of one size, and those of the others."""

    size_mb: float
    known: History
    tests: History
    model: GraphModel


def run(seed: int = 0) -> list[Table]:
    """
    Raises
    ------
    NotMeasured
        PyTorch or the traces are absent.
    """
    runs = traces()
    parts = parts_of(runs, seed)
    tables = compared(parts, "Unseen inputs")
    killed = sum(run.context.experiment == "killed" for run in runs)
    tables[0].notes.append(
        f"{len(runs)} runs, {killed} of them with a killed executor; each size left out in turn, of all algorithms; "
        f"seed {seed}. ln: mean absolute error of the natural logarithm."
    )
    tables[1].notes.append("The curves are multiplied by how much longer the run has taken so far than they said.")
    later = unseen_parts(runs, seed)
    others = compared(later, "Inputs of later runs")
    count = sum(len(part.tests.runs) for part in later)
    others[0].notes.append(f"All {len(runs)} carried runs predict {count} that were made later, of other sizes.")
    return [*tables, *others, decision(parts[-1].model, runs)]


def compared(parts: Sequence[Part], title: str) -> list[Table]:
    """Before the run, after each job, each size apart, whole runs."""
    names = (_GRAPH, _CARRY, *CURVES)
    times = {
        (name, follows, part.size_mb): predicted(name, part, follows=follows)
        for name in names
        for follows in (False, True)
        for part in parts
    }
    head = ("model", *(f"{what}, {error}" for what in ("stage", "job") for error in ("MAPE %", "ln %", "MAE s")))
    tables = []
    for follows, asked in enumerate(("before the run begins", "the next job after each one")):
        table = Table(f"{title}, {asked}", head)
        for name in names:
            table.add(name, *joined([times[name, bool(follows), part.size_mb] for part in parts]).cells())
        tables.append(table)
    sizes = [f"{part.size_mb:g} MB" for part in parts]
    apart = Table(f"{title}, each size apart: MAPE % of a stage / of a job", ("model", "asked", *sizes))
    for name in names:
        for follows, asked in enumerate(("before the run", "after each job")):
            of_each = [times[name, bool(follows), part.size_mb] for part in parts]
            shown = (f"{mape(one.stages, one.stage_s):.1f} / {mape(one.jobs, one.job_s):.1f}" for one in of_each)
            apart.add(name, asked, *shown)
    return [*tables, apart, whole_runs(parts, title)]


def unseen_parts(runs: Sequence[Application], seed: int) -> list[Part]:
    """The later runs by their sizes, all predicted from the carried ones."""
    from models.scaleout.traces import read

    later = list(read(UNSEEN))
    known = History(runs)
    model = fitted(known, seed)
    sizes = sorted({run.context.data_size_mb or 0.0 for run in later})
    return [
        Part(size, known, History([run for run in later if run.context.data_size_mb == size]), model) for size in sizes
    ]


def parts_of(runs: Sequence[Application], seed: int) -> list[Part]:
    """Raises NotMeasured."""
    sizes = sorted({run.context.data_size_mb or 0.0 for run in runs})
    if len(sizes) < 2:
        raise NotMeasured("the traces are of one size: none can be left out")
    found = []
    for size in sizes:
        known = History([run for run in runs if run.context.data_size_mb != size])
        tests = History([run for run in runs if run.context.data_size_mb == size])
        found.append(Part(size, known, tests, fitted(known, seed)))
    return found


def traces() -> list[Application]:
    """The carried runs. Raises NotMeasured."""
    if importlib.util.find_spec("torch") is None:
        raise NotMeasured("PyTorch is not installed: make torch")
    from models.scaleout.traces import carried

    try:
        runs = list(carried())
    except FileNotFoundError:
        raise NotMeasured("there are no carried traces: models/scaleout/traces") from None
    if len(runs) < _FEWEST_RUNS:
        raise NotMeasured(f"only {len(runs)} runs are carried")
    return runs


def fitted(known: History, seed: int) -> GraphModel:
    """The model with the values that a search begins with: a search for each fold would take an hour."""
    from models.scaleout.graph.search import Trials
    from models.scaleout.training import one_thread

    with one_thread():
        return Trials(known.runs, seed, folds=0).fit(space.DEFAULTS)


def predicted(name: str, part: Part, *, follows: bool) -> Times:
    """Of every stage and job of the size left out, by the model of that name."""
    if name in CURVES:
        return by_curves(CURVES[name], part.known, part.tests, follows=follows)
    samples = held_out(part.model.coder, part.known, part.tests, next_only=follows)
    if name == _GRAPH:
        log_s = part.model.log_seconds(samples.inputs)[:, 0, 2]
    else:
        inputs = samples.inputs
        log_s = np.empty(len(inputs.order))
        log_s[inputs.order] = inputs.anchor[:, 0]
    return Times(np.exp(log_s), np.exp(samples.log_s), samples.job_times(log_s), samples.job_s)


def joined(parts: Sequence[Times]) -> Times:
    return Times(*(np.concatenate([getattr(one, name) for one in parts]) for name in Times.__dataclass_fields__))


def whole_runs(parts: Sequence[Part], title: str) -> Table:
    """The time of whole runs before they begin, at the scale-out that they had."""
    found: dict[str, list[tuple[float, float]]] = {}
    for part in parts:
        for test in part.tests.runs:
            scale_out, true = test.start_scale_out or 1, test.runtime_s or 0.0
            past = [run for run in part.known.runs if run.context.algorithm == test.context.algorithm]
            x, size, t = np.array(
                [(run.start_scale_out or 1, run.context.data_size_mb or 1.0, run.runtime_s or 0.0) for run in past]
            ).T
            begun = replace(test, jobs=[], end_s=None)
            answers = {
                _GRAPH: part.model.coming(part.known, begun, [scale_out]).remaining[0].median_s,
                "Gaussian process": ContextModel.fit(past, test.context).predict(test.context, [scale_out])[0].median_s,
            }
            answers |= {
                name: fit(x, size, t)(float(scale_out), test.context.data_size_mb or 1.0)
                for name, fit in CURVES.items()
            }
            for name, seconds in answers.items():
                found.setdefault(name, []).append((seconds, true))
    table = Table(f"{title}, the time of the whole run before it begins", ("model", "MAPE %", "ln %", "MAE s"))
    for name, pairs in found.items():
        table.add(name, *errors(*np.array(pairs).T))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scaleout.graph", description=__doc__)
    parser.add_argument("--trials", type=int, default=0, help="also measure a training of so many")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    def measured() -> list[Table]:
        tables = run(given.seed)
        return [*tables, search(traces(), given.trials, given.seed)] if given.trials else tables

    return printed("graph", measured)


if __name__ == "__main__":
    sys.exit(main())
