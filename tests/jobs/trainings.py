"""Trainings to test with: a plugin made of a function, a kernel that runs it, and a worker process to kill."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import optuna
from fastapi import APIRouter

from common.clock import SystemClock
from common.database import Database
from common.jobs.records import Job
from common.jobs.states import Kind
from common.jobs.studies import trials_of
from common.jobs.train_context import TrainContext
from common.jobs.training import TrainingExecutor
from common.plugins import BaseDefinition, Plugin, param
from common.plugins.record import PluginRecord
from common.registry import tables
from common.registry.service import Registry
from common.registry.versions import Version
from common.storage.blobs import Blobs
from common.storage.directory import DirectoryShare
from tests.jobs.kernel import Kernel

MODEL = "line"
TRIALS = 20

Train = Callable[[TrainContext, Any], None]


class Ask(BaseDefinition):
    """The body of the tests' trainings."""

    trials: int = param(TRIALS, title="Trials", ge=1)
    seed: int = param(0, title="Seed")
    timeout_s: float | None = param(None, title="Time-out")


def space(suggest: Callable[[optuna.Trial], dict[str, Any]], **more: Any) -> ModuleType:
    """A space module."""
    made = ModuleType("space")
    vars(made).update(suggest=suggest, **more)
    return made


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    return {"x": trial.suggest_float("x", -10, 10), "kind": trial.suggest_categorical("kind", ["a", "b"])}


def distance(values: dict[str, Any], trial: optuna.Trial) -> float:
    return float(abs(values["x"] - 3) + (values["kind"] == "a"))


def searching(objective: Callable[[dict[str, Any], optuna.Trial], float] = distance) -> Train:
    """A `train` that searches and publishes the best."""

    def train(context: TrainContext, request: Ask) -> None:
        best = context.optimize(objective, request.trials, request.timeout_s, seed=request.seed)
        context.publish({"best.json": json.dumps(best).encode()}, {"error": context.best_value})

    return train


class Trainings:
    """A kernel whose trainings are those of one plugin."""

    def __init__(
        self, database: Database, folder: Path, clock: Any, train: Train | None = None, **settings: Any
    ) -> None:
        with database.transaction() as connection:
            tables.metadata.create_all(connection)
        self.kernel = Kernel(database, folder, clock, **{"retry_base_s": 0, **settings})
        self.database = database
        self.blobs = Blobs(DirectoryShare(folder / "share"), folder / "cache")
        self.registry = Registry(database, self.blobs, clock=clock, poll_s=0)
        self.declare(train or searching())

    def declare(self, train: Train | None, *, load: Callable[[], None] | None = None, **space_parts: Any) -> None:
        """Let the plugin be trained by `train`."""
        module = space(**{"suggest": suggest, **space_parts})
        plugin = Plugin(load=load, train=train, train_request=Ask if train else None, space=module)
        self.record = PluginRecord(MODEL, router=APIRouter(prefix="/line"), plugin=plugin, module="models.sample")
        kernel: Any = self.kernel
        # The service runs jobs by the executor, which submits jobs by the service.
        kernel.training = TrainingExecutor(
            lambda name: {MODEL: self.record}.get(name), self.database, self.blobs, kernel.clock, kernel.service
        )
        kernel.wire()
        kernel.training._service = kernel.service

    def submit(self, *, model: str = MODEL, path: str = "/line/train", **body: Any) -> Job:
        return self.kernel.service.submit(
            Kind.TRAINING, path, json.dumps(body).encode(), model=model, owner="ada", max_attempts=3
        ).job

    def run(self, **body: Any) -> Job:
        """Submit a training and run one attempt of it."""
        return self.kernel.run(self.submit(**body))

    def result(self, job: Job) -> dict[str, Any]:
        found = self.kernel.store.result(self.kernel.get(job))
        answer: dict[str, Any] = json.loads(found.body)
        return answer

    def versions(self) -> list[Version]:
        return self.registry.list_versions(MODEL)

    def artefact(self, version: Version, name: str) -> bytes:
        return self.blobs.read(version.artefact(name).ref)

    def trials(self, job: Job) -> list[dict[str, Any]]:
        return trials_of(self.database, job.id)

    def logged(self, job: Job) -> str:
        return "\n".join(line.text for line in self.kernel.store.logs(job.id))


def values_of(trials: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What finished trials tried, and what came of it."""
    return [(t["params"], t["value"]) for t in trials if t["state"] in ("complete", "pruned")]


def noting(file: Path, pause_s: float = 0.0) -> Train:
    """A training whose trials write a line when they begin and when they end, for readers in other processes."""

    def objective(values: dict[str, Any], trial: optuna.Trial) -> float:
        _add(file, f"begin {trial.number}")
        time.sleep(pause_s)
        _add(file, f"end {trial.number}")
        return distance(values, trial)

    return searching(objective)


def lines(file: Path, word: str) -> list[str]:
    """The lines of `noting` that begin with a word."""
    found = file.read_text().splitlines() if file.exists() else []
    return [line for line in found if line.startswith(word)]


def _add(file: Path, line: str) -> None:
    with file.open("a") as out:
        out.write(f"{line}\n")


def real(url: str, folder: Path, file: Path, pause_s: float) -> Trainings:
    """With the real clock, and a lost worker noticed soon."""
    return Trainings(Database(url), folder, SystemClock(), noting(file, pause_s), lease_s=1, stall_s=1)


if __name__ == "__main__":
    # A worker that is killed from outside: url, folder, file of the lines, seconds a trial.
    real(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])).kernel.worker(concurrency=1).run()
