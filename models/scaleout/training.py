"""Training of the graph model: searches how to fit it, fits it to all runs, calibrates its intervals, publishes it."""

import contextlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from common.errors import Invalid
from common.jobs.errors import JobRefused
from common.plugins import BaseDefinition, Whole, param
from common.settings import get_settings
from models.scaleout import space
from models.scaleout.records import Application

if TYPE_CHECKING:
    from optuna import Trial

    from common.jobs.train_context import TrainContext

# Fewer say nothing of what a scale-out does.
FEWEST = 4
# Of each algorithm; what is above would make a training longer, and tell little more.
MOST = 200
_NEEDS = ("torch",)


class ScaleoutTraining(BaseDefinition):
    """What to learn from, and for how long."""

    algorithm: str | None = param(
        None,
        title="Algorithm",
        description="Trials are judged by its runs; all runs are learned from. By default, by the runs of all.",
        min_length=1,
        max_length=128,
    )
    system: str | None = param(
        None, title="System", description="Learn from runs of this system only: `spark`, say.", max_length=128
    )
    name: str = param("", title="Name", description="For people: the version's description.", max_length=128)
    trials: Whole = param(
        space.TRIALS, title="Trials", description="Fits to try, the first with the defaults.", ge=1, le=500
    )
    timeout_s: float | None = param(None, title="Seconds", description="After which no trial is begun.", gt=0)
    seed: Whole = param(0, title="Seed", description="The same seed and runs give the same model.", ge=0)


def check_train(request: ScaleoutTraining) -> None:
    """Refuse at once a training that has nothing to learn from. Raises `Invalid`."""
    check_runs(chosen(recorded(), request), request)


def train(context: "TrainContext", request: ScaleoutTraining) -> None:
    """Trains the graph model on the recorded runs, and publishes it as a version: `graph.npz`, `model.json`."""
    absent = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if absent:
        raise JobRefused(f"{', '.join(absent)} not installed here; `make torch`, or use a worker that has it")
    develop(context, recorded(), request)


def recorded() -> list[Application]:
    """The newest runs of each algorithm in the store that have stages."""
    from common.database import Database
    from models.scaleout.store import RunStore

    database = Database.build(get_settings())
    try:
        store = RunStore(database)
        found = [store.history(algorithm=algorithm, limit=MOST) for algorithm in store.algorithms()]
    finally:
        database.close()
    return learnable([run for runs in found for run in runs])


def learnable(runs: Sequence[Application]) -> list[Application]:
    """Those with a stage that ran."""
    return [
        run for run in runs if any(stage.runtime_s is not None for job in run.jobs for stage in job.stages.values())
    ]


def chosen(runs: Sequence[Application], request: ScaleoutTraining) -> list[Application]:
    """Of the system that was asked for; a run whose system was never told may be of any."""
    return [run for run in runs if request.system is None or run.context.system in ("", request.system)]


def named(runs: Sequence[Application], algorithm: str) -> str | None:
    """How the runs spell an algorithm: `KMeans` is `kmeans`. None where none is of it."""
    spelt = {_plain(run.context.algorithm): run.context.algorithm for run in runs}
    return algorithm if algorithm in spelt.values() else spelt.get(_plain(algorithm))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def check_runs(runs: Sequence[Application], request: ScaleoutTraining) -> None:
    """
    Raises
    ------
    Invalid
        There are too few, or none of the algorithm.
    """
    known = sorted({run.context.algorithm for run in runs})
    if request.algorithm is not None and named(runs, request.algorithm) is None:
        told = f"known are {', '.join(known)}" if known else "no run has been recorded"
        raise Invalid.field("algorithm", f"no run of it with stages is recorded; {told}", request.algorithm)
    if len(runs) < FEWEST:
        raise Invalid(
            f"{len(runs)} runs with stages are recorded, and a training needs at least {FEWEST}: "
            "`atoll scaleout import FILE`, or let a listener record some"
        )


def develop(context: "TrainContext", runs: Sequence[Application], request: ScaleoutTraining) -> None:
    """`train` with the runs given.

    Raises
    ------
    Invalid
    """
    from models.scaleout.artefact import pack
    from models.scaleout.graph.search import Trials, data_hash

    runs = chosen(learnable(runs), request)
    check_runs(runs, request)
    with one_thread():
        judged = request.algorithm and named(runs, request.algorithm)
        trials = Trials(runs, request.seed, judged, check=context.check_cancelled)
        context.log(f"{len(runs)} runs, of which {trials.held} are kept to judge by; {trials.samples} stages to learn")

        def objective(values: dict[str, Any], trial: "Trial") -> float:
            return trials.error(values, lambda value, step: context.report(trial, value, step))

        best = context.optimize(objective, request.trials, request.timeout_s, seed=request.seed, first=[space.DEFAULTS])
        context.progress(message="fitting the best one to all runs")
        digest = data_hash(runs)
        model = trials.develop(best, {"data_sha256": digest, "seed": request.seed, "best": best})
    context.publish(pack(model), model.card["figures"], data_hash=digest, description=request.name)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Arrays so small are slower on several threads, and the same sums need the same number of them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
