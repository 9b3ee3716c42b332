"""Training: searches how to fit the model in the box, calibrates and quantises the best fit, and publishes it.

`python -m models.sentiment --help` does the same outside of the job kernel, into a folder.
"""

import enum
import importlib.util
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.jobs.errors import JobRefused
from common.plugins import BaseDefinition, Whole, param
from common.settings import get_settings
from common.storage.location import open_share
from models.sentiment import space
from models.sentiment.base import PACKAGE, Base, vocabulary_of
from models.sentiment.classifier import CARD, MODEL
from models.sentiment.corpus import Corpus, Part
from models.sentiment.sizes import Sizes
from models.sentiment.tokenizer import Tokenizer
from models.sentiment.wide import fit_table

if TYPE_CHECKING:
    from optuna import Trial

    from common.jobs.train_context import TrainContext
    from models.sentiment.architecture import Encoder
    from models.sentiment.fitting import Fit

# How often an epoch a trial tells how good it is, and is saved.
_LOOKS = 4
# Texts by which the ranges of the quantisation are measured.
_RANGE_TEXTS = 1000
_NEEDS = ("torch", "safetensors", "onnx")
_SOURCES = {
    "SST-2": "Stanford Sentiment Treebank (Socher et al. 2013), two classes, as in GLUE (Wang et al. 2019)",
    "all-MiniLM-L6-v2": "Reimers and Gurevych 2019, Wang et al. 2020; Apache-2.0; some layers and embeddings are its",
    "BERT's vocabulary": "Devlin et al. 2019; Apache-2.0",
}


class Start(enum.Enum):
    """What the weights are before training."""

    MINILM = "all-MiniLM-L6-v2"
    NONE = "Random weights, and a vocabulary from the texts"


class SentimentTraining(BaseDefinition):
    """What to learn from, and for how long."""

    dataset: str = param(
        "sst2",
        title="Data set",
        description="Folder in `datasets` on the share with train.tsv.gz, dev.tsv.gz and test.tsv.gz.",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
    )
    base: Start = param(Start.MINILM, title="Base", description=f"MINILM needs the package {PACKAGE}.")
    epochs: Whole = param(1, title="Epochs", description="Times that a trial sees each text.", ge=1, le=50)
    trials: Whole = param(1, title="Trials", description="Fits to try, the first with the defaults.", ge=1, le=200)
    timeout_s: float | None = param(None, title="Seconds", description="After which no trial is begun.", gt=0)
    seed: Whole = param(0, title="Seed", description="The same seed gives the same model on the same machine.", ge=0)
    texts: Whole | None = param(None, title="Texts", description="Train on the first ones only; all by default.", ge=1)


def check_train(request: SentimentTraining) -> None:
    """Refuse at once a training whose data set is not there.

    Raises
    ------
    Invalid
        See `Corpus.read`.
    """
    corpus_of(request)


def train(context: "TrainContext", request: SentimentTraining) -> None:
    """Trains the model in the box, and publishes it as a version: `model.onnx`, `vocabulary.txt`, `model.json`."""
    absent = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if absent:
        raise JobRefused(
            f"{', '.join(absent)} not installed here; `pip install '.[train]'`, or use a worker that has it"
        )
    base = Base.of_package() if request.base is Start.MINILM else None
    develop(context, corpus_of(request), base, Sizes(), request)


def corpus_of(request: SentimentTraining) -> Corpus:
    """The data set on the share. Raises `Invalid`; see `Corpus.read`."""
    return Corpus.read(open_share(get_settings().storage), f"datasets/{request.dataset}")


def develop(
    context: "TrainContext", corpus: Corpus, base: Base | None, sizes: Sizes, request: SentimentTraining
) -> None:
    """`train` with all that it works on given.

    Parameters
    ----------
    base : None to begin with random weights.
    sizes : `pieces` is the most there may be.
    """
    # Brings PyTorch.
    from models.sentiment.export import Figures, TooFar, card, export, logits_of, opened

    trials = _Trials(context, corpus, base, sizes, request)
    best = context.optimize(
        trials.accuracy, request.trials, request.timeout_s, seed=request.seed, first=[space.DEFAULTS]
    )
    encoder = trials.best(best)
    context.progress(0.97, "calibrating and quantising")
    dev, test = corpus.dev, corpus.test
    ranged = trials.spread(_RANGE_TEXTS)
    try:
        files, nearness = export(encoder, trials.tokenizer.pieces, trials.table(), ranged, dev.texts, dev.labels)
    except TooFar as exc:
        raise JobRefused(str(exc)) from None
    classifier = opened(files)
    figures = {
        name: Figures.of(logits_of(classifier, part.texts), part.labels).as_json()
        for name, part in (("dev", dev), ("test", test))
    }
    made = {
        "license": "the weights are under Apache-2.0, as those that they come from" if base else "trained from nothing",
        "sources": _SOURCES if base else {"SST-2": _SOURCES["SST-2"]},
        "labels": ["NEGATIVE", "POSITIVE"],
        **classifier.card,
        "figures": figures,
        "quantised": asdict(nearness),
        "training": {
            **request.model_dump(mode="json"),
            "best": best,
            "base_sha256": base.digest() if base else None,
            "data_sha256": corpus.digest,
            "texts": len(trials.part.texts),
            "python": platform.python_version(),
        },
    }
    metrics = {f"{name}_{key}": value for name, part in figures.items() for key, value in part.items()}
    context.publish({**files, CARD: card(made)}, {**metrics, "bytes": len(files[MODEL])}, data_hash=corpus.digest)


@dataclass
class _Best:
    """The best fit that ended: its values, its accuracy, its weights packed."""

    values: dict[str, Any]
    accuracy: float
    encoder: bytes


class _Trials:
    """The fits of one search. What is under way, and the best one so far, outlive the attempt by its checkpoint."""

    def __init__(
        self, context: "TrainContext", corpus: Corpus, base: Base | None, sizes: Sizes, request: SentimentTraining
    ) -> None:
        from models.sentiment.fitting import unpack

        self.part = corpus.train.first(request.texts)
        pieces = base.vocabulary(sizes.pieces) if base else vocabulary_of(self.part.texts, sizes.pieces)
        self.tokenizer = Tokenizer(pieces, sizes.positions)
        self._context = context
        self._base = base
        self._sizes = replace(sizes, pieces=len(pieces))
        self._request = request
        self._numbers = self._encode(self.part)
        self._dev, self._labels = self._encode(corpus.dev), corpus.dev.labels
        saved = context.checkpoint.load()
        state = unpack(saved) if saved else {}
        self._under_way: Mapping[str, Any] = state.get("under_way") or {}
        self._best = _Best(**state["best"]) if state.get("best") else None

    def accuracy(self, values: dict[str, Any], trial: "Trial") -> float:
        """Fit with these values; the share of the dev texts that is told rightly."""
        if self._best and self._best.values == values:
            return self._best.accuracy
        fit = self._fit(values)
        accuracy = self._accuracy_of(fit.encoder) if fit.step == fit.steps else 0.0
        while fit.step < fit.steps:
            look = fit.step * _LOOKS * self._request.epochs // fit.steps + 1
            loss = fit.run(-(-look * fit.steps // (_LOOKS * self._request.epochs)))
            accuracy = self._accuracy_of(fit.encoder)
            share = min(1.0, (trial.number + fit.step / fit.steps) / self._request.trials)
            text = f"trial {trial.number + 1}: step {fit.step} of {fit.steps}"
            self._context.progress(0.95 * share, text, loss=round(loss, 4), dev_accuracy=round(accuracy, 4))
            self._context.log(f"{text}: loss {loss:.4f}, accuracy on dev {accuracy:.4f}")
            self._save(values, fit)
            self._context.report(trial, accuracy, look)
        self._keep(values, accuracy, fit.encoder)
        return accuracy

    def best(self, values: dict[str, Any]) -> "Encoder":
        """The encoder that was fitted with the best values; fitted again if another process did it."""
        from models.sentiment.fitting import unpack

        if self._best is None or self._best.values != values:
            fit = self._fit(values)
            fit.run(fit.steps)
            return fit.encoder
        encoder = self._encoder(values)
        encoder.load_state_dict(unpack(self._best.encoder))
        return encoder

    def spread(self, count: int) -> list[list[int]]:
        """Token numbers of so many of the texts, evenly from the shortest to the longest."""
        ordered = sorted(self._numbers, key=len)
        return ordered[:: max(1, len(ordered) // count)]

    def table(self) -> NDArray[np.float32]:
        """The wide part of the model."""
        return fit_table(self._numbers, self.part.labels, self._sizes.pieces)

    def _encode(self, part: Part) -> list[list[int]]:
        return [self.tokenizer.encode(text) for text in part.texts]

    def _accuracy_of(self, encoder: "Encoder") -> float:
        from models.sentiment.fitting import predict

        return float((predict(encoder, self._dev).argmax(axis=1) == self._labels).mean())

    def _encoder(self, values: Mapping[str, Any]) -> "Encoder":
        import torch

        from models.sentiment.architecture import Encoder

        torch.manual_seed(self._request.seed)
        encoder = Encoder(self._sizes, values["dropout"])
        if self._base:
            counts = np.bincount(np.concatenate(self._numbers), minlength=self._sizes.pieces)
            layers = space.LAYERS[values["layers"]]
            weights = self._base.weights(self.tokenizer.pieces, self._sizes, layers, counts)
            encoder.load_state_dict(weights, strict=False)
        return encoder

    def _fit(self, values: dict[str, Any]) -> "Fit":
        from models.sentiment.fitting import Fit, Plan

        request = self._request
        plan = Plan(request.epochs, values["learning_rate"], values["token_dropout"], request.seed)
        fit = Fit(self._encoder(values), self._numbers, self.part.labels, plan)
        if self._under_way.get("values") == values:
            fit.restore(self._under_way["fit"])
        return fit

    def _save(self, values: dict[str, Any], fit: "Fit") -> None:
        self._under_way = {"values": values, "fit": fit.state()}
        self._save_all()

    def _keep(self, values: dict[str, Any], accuracy: float, encoder: "Encoder") -> None:
        from models.sentiment.fitting import pack

        self._under_way = {}
        if self._best is None or accuracy > self._best.accuracy:
            self._best = _Best(values, accuracy, pack(encoder.state_dict()))
        self._save_all()

    def _save_all(self) -> None:
        from models.sentiment.fitting import pack

        best = vars(self._best) if self._best else None
        self._context.checkpoint.save(pack({"under_way": dict(self._under_way), "best": best}))
