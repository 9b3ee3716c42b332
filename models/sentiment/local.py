"""`python -m models.sentiment`: a training without the job kernel, from folders into a folder."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from common.storage.directory import DirectoryShare
from models.sentiment import space
from models.sentiment.base import Base
from models.sentiment.classifier import BOX
from models.sentiment.corpus import Corpus
from models.sentiment.sizes import Sizes
from models.sentiment.train import SentimentTraining, Start, develop

if TYPE_CHECKING:
    import optuna

    from common.jobs.train_context import TrainContext

Objective = Callable[[dict[str, Any], "optuna.Trial"], float]


class FileCheckpoint:
    """A checkpoint in a file, so that a training that was stopped goes on when it is begun again."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def load(self) -> bytes | None:
        return self.file.read_bytes() if self.file.exists() else None

    def save(self, content: bytes) -> None:
        new = self.file.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self.file)


class LocalContext:
    """What `develop` uses of a `TrainContext`, for a terminal: prints, and publishes into a folder.

    Parameters
    ----------
    folder : where the files go; the checkpoint lies beside it until then.
    """

    def __init__(self, folder: Path) -> None:
        self.checkpoint = FileCheckpoint(folder.with_name(f"{folder.name}.checkpoint"))
        self._folder = folder
        self._began = time.monotonic()

    def progress(self, fraction: float | None = None, message: str | None = None, **metrics: Any) -> None:
        """Progress is shown by what is logged."""

    def log(self, text: str, level: str = "info") -> None:
        sys.stdout.write(f"{time.monotonic() - self._began:6.0f} s  {text}\n")
        sys.stdout.flush()

    def optimize(
        self,
        objective: Objective,
        n_trials: int,
        timeout_s: float | None = None,
        *,
        seed: int,
        first: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """As the kernel's, in memory."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler, pruner = optuna.samplers.TPESampler(seed=seed), optuna.pruners.SuccessiveHalvingPruner()
        study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        for values in first:
            study.enqueue_trial(dict(values))
        study.optimize(lambda trial: objective(space.suggest(trial), trial), n_trials, timeout_s)
        return study.best_params

    def report(self, trial: "optuna.Trial", value: float, step: int) -> None:
        import optuna

        trial.report(value, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    def publish(
        self, artefacts: Mapping[str, bytes], metrics: Mapping[str, Any], *, data_hash: str | None = None
    ) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, content in artefacts.items():
            (self._folder / name).write_bytes(content)
        self.checkpoint.file.unlink(missing_ok=True)
        self.log(f"written to {self._folder}: {dict(metrics)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.sentiment", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.tsv.gz, dev.tsv.gz, test.tsv.gz")
    parser.add_argument("--base", type=Path, help="folder with model.safetensors and vocab.txt; else the package")
    parser.add_argument("--scratch", action="store_true", help="begin with random weights")
    parser.add_argument("--out", type=Path, default=BOX, help="folder to write to; by default the box")
    for name in ("epochs", "trials", "seed", "texts"):
        parser.add_argument(f"--{name}", type=int, help=SentimentTraining.model_fields[name].description)
    given = parser.parse_args()
    start = Start.NONE if given.scratch else Start.MINILM
    asked = {name: getattr(given, name) for name in ("epochs", "trials", "seed", "texts")}
    request = SentimentTraining(base=start, **{name: value for name, value in asked.items() if value is not None})
    base = None
    if not given.scratch:
        base = Base(given.base) if given.base else Base.of_package()
    context = cast("TrainContext", LocalContext(given.out))
    develop(context, Corpus.read(DirectoryShare(given.data)), base, Sizes(), request)
