"""How long a decision by the graph model takes, and a training."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.report import NotMeasured
from benchmarks.scaleout.tables import Table
from common.registry.held import Held
from models.scaleout import serving, space
from models.scaleout.artefact import pack
from models.scaleout.graph.model import GraphModel
from models.scaleout.records import Application, JobExecution

_JOBS, _CANDIDATES, _DECISIONS = 35, range(4, 37), 200


def decision(model: GraphModel, runs: Sequence[Application]) -> Table:
    """How long one takes for so many jobs and candidates, on one core, of a published version; the first one too."""
    past = [longer(run, _JOBS + 1) for run in runs if run.context.algorithm == runs[0].context.algorithm]
    asked = past[-1]
    begun = replace(asked, execution_id="asked", jobs=list(asked.jobs)[:1], end_s=None)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        for name, content in pack(model).items():
            Path(folder, name).write_bytes(content)
        serving.serve_version(Held(1, Path(folder), dict.fromkeys(pack(model), ""), lambda name: Path(folder, name)))
        serving.load()
        times_s = []
        for _ in range(_DECISIONS + 1):
            began = time.perf_counter()
            found, why = serving.forecasts(past, begun, _CANDIDATES, current=4, key="the same runs")
            times_s.append(time.perf_counter() - began)
            if found is None:
                raise NotMeasured(why)
        assert found is not None
        assert found.coming.job_s.shape == (_JOBS, len(_CANDIDATES))
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


def search(runs: Sequence[Application], trials: int, seed: int = 0) -> Table:
    """A whole training, without the job kernel."""
    import optuna

    from models.scaleout.graph.search import Trials
    from models.scaleout.training import one_thread

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began, cpu_s = time.perf_counter(), time.process_time()
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
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    head = ("trials", "given up early", "runs", "seconds", "CPU seconds", "error of the defaults", "of the best")
    table = Table("A training", head)
    pruned = sum(trial.state is optuna.trial.TrialState.PRUNED for trial in study.trials)
    first = study.trials[0].value
    errors = [f"{value:.3f}" for value in (first if first is not None else float("nan"), study.best_value)]
    table.add(str(trials), str(pruned), str(len(runs)), f"{took_s:.0f}", f"{cpu_s:.0f}", *errors)
    figures: dict[str, Any] = dict(model.card["figures"])
    table.notes.append("Errors are mean absolute ones of ln(job time), of inputs that were not learned from.")
    table.notes.append(f"Best: {study.best_params}; published with {figures}, margins {dict(model.card['margins'])}.")
    return table
