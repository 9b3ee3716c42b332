"""The graph model on our own Spark traces: inputs that it has not seen, the time of a decision, the time of a search.

`python -m benchmarks.scaleout.graph --trials 40`. Each size of input is left out in turn, of all algorithms at once.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.report import NotMeasured
from benchmarks.scaleout.tables import Table
from models.scaleout import space
from models.scaleout.graph.dag import longest_path
from models.scaleout.graph.history import History, Seen
from models.scaleout.graph.model import GraphModel
from models.scaleout.graph.samples import held_out
from models.scaleout.learning.bell import Bell
from models.scaleout.learning.ernest import Ernest, terms
from models.scaleout.records import Application, JobExecution

Floats = NDArray[np.float64]
Curve = Callable[[float, float], float]
Fit = Callable[[Floats, Floats, Floats], Curve]

_JOBS, _CANDIDATES, _DECISIONS = 35, range(4, 37), 200
_FEWEST_RUNS = 12


@dataclass(frozen=True)
class Times:
    """Seconds, predicted and true, by stage and by job (the longest path through its stages)."""

    stages: Floats
    stage_s: Floats
    jobs: Floats
    job_s: Floats

    def cells(self) -> tuple[str, ...]:
        return tuple(
            cell
            for found, true in ((self.stages, self.stage_s), (self.jobs, self.job_s))
            for cell in (f"{100 * np.mean(np.abs(found - true) / true):.1f}", f"{np.mean(np.abs(found - true)):.2f}")
        )


def run(seed: int = 0) -> list[Table]:
    """
    Raises
    ------
    NotMeasured
        PyTorch or the traces are absent.
    """
    runs = traces()
    sizes = sorted({run.context.data_size_mb or 0.0 for run in runs})
    if len(sizes) < 2:
        raise NotMeasured("the traces are of one size: none can be left out")
    found: dict[tuple[bool, str], list[Times]] = {}
    model = None
    for size in sizes:
        known = History([run for run in runs if run.context.data_size_mb != size])
        tests = History([run for run in runs if run.context.data_size_mb == size])
        model = fitted(known, seed)
        for follows in (False, True):
            found.setdefault((follows, "graph model"), []).append(by_graph(model, known, tests, follows=follows))
            for name, fit in CURVES.items():
                found.setdefault((follows, name), []).append(by_curves(fit, known, tests, follows=follows))
    assert model is not None
    head = ("model", "stage, MAPE %", "stage, MAE s", "job, MAPE %", "job, MAE s")
    titles = ("Unseen inputs, before the run begins", "Unseen inputs, the next job after each one")
    tables = [Table(title, head) for title in titles]
    for (follows, name), times in found.items():
        columns = (np.concatenate([getattr(one, field) for one in times]) for field in Times.__dataclass_fields__)
        tables[follows].add(name, *Times(*columns).cells())
    note = f"{len(runs)} runs, sizes {', '.join(f'{size:g}' for size in sizes)} MB, each left out in turn; seed {seed}."
    tables[0].notes.append(note)
    tables[1].notes.append("The curves are multiplied by how much longer the run has taken so far than they said.")
    return [*tables, decision(model, runs)]


def traces() -> list[Application]:
    """The carried runs. Raises NotMeasured."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise NotMeasured("PyTorch is not installed: pip install '.[train]'") from None
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


def by_graph(model: GraphModel, known: History, tests: History, *, follows: bool) -> Times:
    samples = held_out(model.coder, known, tests, next_only=follows)
    log_s = model.log_seconds(samples.inputs)[:, 0, 2]
    return Times(np.exp(log_s), np.exp(samples.log_s), samples.job_times(log_s), samples.job_s)


def by_curves(fit: Fit, known: History, tests: History, *, follows: bool) -> Times:
    """A curve for each stage that an algorithm has, by job and place; where there is none, of stages of that name."""
    curves: dict[tuple[object, ...], Curve | None] = {}

    def curve(*key: object) -> Curve | None:
        if key not in curves:
            rows = table.get(key, [])
            curves[key] = fit(*np.array(rows).T) if rows else None
        return curves[key]

    table: dict[tuple[object, ...], list[tuple[float, float, float]]] = {}
    for past, jobs in zip(known.runs, known.jobs, strict=True):
        for one in jobs:
            for key, row in _rows(past, one):
                table.setdefault(key, []).append(row)
                table.setdefault((key[0], key[3]), []).append(row)
    every = np.median([row[2] for rows in table.values() for row in rows])
    stages, stage_s, paths, path_s = [], [], [], []
    for test, jobs in zip(tests.runs, tests.jobs, strict=True):
        total = expected = 0.0
        for one in jobs:
            predicted, true = [], []
            for key, (x, size, seconds) in _rows(test, one):
                found = curve(*key) or curve(key[0], key[3])
                predicted.append(found(x, size) if found else float(every))
                true.append(seconds)
            if not true:
                continue
            ratio = total / expected if follows and expected > 0 else 1.0
            told = np.array(predicted)
            stages += (told * ratio).tolist()
            stage_s += true
            paths.append(float(longest_path(told * ratio, one.graph.parents)))
            path_s.append(one.path_s)
            total += one.path_s
            expected += float(longest_path(told, one.graph.parents))
    return Times(np.array(stages), np.array(stage_s), np.array(paths), np.array(path_s))


def _rows(run: Application, one: Seen) -> list[tuple[tuple[object, ...], tuple[float, float, float]]]:
    """For each stage (algorithm, job, place, name), and (scale-out, MB, seconds)."""
    size = run.context.data_size_mb or 1.0
    return [
        ((run.context.algorithm, *row.place, stage.name), (float(np.exp(row.log_x)), size, float(np.exp(row.log_s))))
        for stage, row in zip(one.graph.stages, one.rows, strict=True)
    ]


def _ernest(x: Floats, _: Floats, t: Floats) -> Curve:
    found = Ernest.fit(x, t)
    return lambda x, _: float(max(found.predict([x])[0], 1e-3))


def _bell(x: Floats, _: Floats, t: Floats) -> Curve:
    found = Bell.fit(x, t)
    return lambda x, _: float(max(found.predict([x])[0], 1e-3))


def _sized(x: Floats, size: Floats, t: Floats) -> Curve:
    """Ernest as it was published, for data of several sizes: the second term is size over machines."""
    from scipy.optimize import nnls

    def columns(x: Floats, size: Floats) -> Floats:
        found = terms(x)
        found[:, 1] = size / x
        return found

    weights, _ = nnls(columns(x, size) / t[:, None], np.ones_like(t))
    return lambda x, size: float(max((columns(np.array([x]), np.array([size])) @ weights)[0], 1e-3))


CURVES: dict[str, Fit] = {"Ernest": _ernest, "Bell": _bell, "Ernest with the data size": _sized}


def decision(model: GraphModel, runs: Sequence[Application]) -> Table:
    """How long one takes for so many jobs and candidates, on one core, with what was recorded already looked up."""
    past = [longer(run, _JOBS + 1) for run in runs if run.context.algorithm == runs[0].context.algorithm]
    history, asked = History(past), past[-1]
    begun = replace(asked, execution_id="asked", jobs=list(asked.jobs)[:1], end_s=None)
    times_s = []
    with threadpool_limits(1):
        for _ in range(_DECISIONS + 1):
            began = time.perf_counter()
            found = model.coming(history, begun, _CANDIDATES)
            times_s.append(time.perf_counter() - began)
        assert found.job_s.shape == (_JOBS, len(_CANDIDATES))
        first_s, *times_s = times_s
    table = Table("A decision", ("jobs", "candidates", "past runs", "p50 ms", "p95 ms", "first one ms"))
    p50, p95 = (f"{1000 * float(np.quantile(times_s, share)):.0f}" for share in (0.5, 0.95))
    table.add(str(_JOBS), str(len(_CANDIDATES)), str(len(past)), p50, p95, f"{1000 * first_s:.0f}")
    table.notes.append("One core, in this process. The first one also looks up what past runs say of each stage.")
    return table


def longer(run: Application, count: int) -> Application:
    """The run with its last jobs repeated until there are so many."""
    jobs: list[JobExecution] = list(run.jobs)[:count]
    tail = jobs[-min(6, len(jobs)) :]
    while len(jobs) < count:
        again = tail[(len(jobs) - len(tail)) % len(tail)]
        jobs.append(replace(again, job_id=jobs[-1].job_id + 1))
    return replace(run, jobs=jobs)


def search(trials: int, seed: int = 0) -> Table:
    """A whole training, without the job kernel."""
    import optuna

    from models.scaleout.graph.search import Trials
    from models.scaleout.training import one_thread

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    runs, began = traces(), time.perf_counter()
    study = optuna.create_study(direction=space.DIRECTION, sampler=space.sampler(seed), pruner=space.pruner())
    study.enqueue_trial(space.DEFAULTS)
    with one_thread():
        made = Trials(runs, seed)

        def objective(trial: "optuna.Trial") -> float:
            def report(value: float, step: int) -> None:
                trial.report(value, step)
                if trial.should_prune():
                    raise optuna.TrialPruned

            return made.error(space.suggest(trial), report)

        study.optimize(objective, trials)
        model = made.develop(study.best_params, {})
    took_s = time.perf_counter() - began
    head = ("trials", "given up early", "runs", "seconds", "error of the defaults", "of the best")
    table = Table("A training", head)
    pruned = sum(trial.state is optuna.trial.TrialState.PRUNED for trial in study.trials)
    first = study.trials[0].value
    errors = [f"{value:.3f}" for value in (first if first is not None else float("nan"), study.best_value)]
    table.add(str(trials), str(pruned), str(len(runs)), f"{took_s:.0f}", *errors)
    figures: dict[str, Any] = dict(model.card["figures"])
    table.notes.append("Errors are mean absolute ones of ln(job time), of inputs that were not learned from.")
    table.notes.append(f"Best: {study.best_params}; published with {figures}, margins {dict(model.card['margins'])}.")
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scaleout.graph", description=__doc__)
    parser.add_argument("--trials", type=int, default=0, help="also measure a training of so many")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        tables = run(given.seed)
        tables += [search(given.trials, given.seed)] if given.trials else []
    except NotMeasured as exc:
        print(f"graph: {exc}", file=sys.stderr)
        return 1
    for table in tables:
        print(table.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
