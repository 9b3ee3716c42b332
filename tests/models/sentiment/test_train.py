"""Training through the job kernel: a tiny encoder on a few made texts. Skipped where PyTorch is not installed."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[train]'")

import torch
from safetensors.torch import save_file

from common.jobs.errors import JobCancelled
from common.jobs.records import Job
from common.jobs.states import State
from common.jobs.train_context import TrainContext
from common.storage.directory import DirectoryShare
from models.sentiment import base as base_module
from models.sentiment import space, train
from models.sentiment.architecture import Encoder
from models.sentiment.base import Base
from models.sentiment.classifier import FILES, Classifier
from models.sentiment.corpus import Corpus
from models.sentiment.fitting import Fit, Plan, predict
from models.sentiment.local import LocalContext
from models.sentiment.sizes import Sizes
from models.sentiment.tokenizer import SPECIAL
from models.sentiment.train import SentimentTraining, develop
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_invalid
from tests.support.trainings import TrainingClient

PLUGIN = """
    from fastapi import APIRouter
    from common.plugins import Plugin
    from models.sentiment import space
    from models.sentiment.sizes import Sizes
    from models.sentiment.train import SentimentTraining, check_train, corpus_of, develop

    router = APIRouter(prefix="/feeling")

    def train(context, request):
        develop(context, corpus_of(request), None, Sizes(200, 16, 32, 32, 1, 2, 32), request)

    plugin = Plugin(train=train, train_request=SentimentTraining, check_train=check_train, space=space)
"""
GOOD, BAD = ["good", "grand", "lovely", "fine"], ["bad", "dull", "awful", "poor"]
TINY = Sizes(200, 16, 32, 32, 1, 2, 32)


@pytest.fixture(autouse=True, scope="module")
def fast() -> Iterator[None]:
    """So small an encoder learns in as few steps only by large ones."""
    threads = torch.get_num_threads()
    # Equal bits need an equal number of threads, and such small arrays are slower on several.
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "DEFAULTS", {**space.DEFAULTS, "learning_rate": 2e-3})
        yield
    torch.set_num_threads(threads)


def write_corpus(folder: Path, texts: int = 600) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", texts), ("dev", 40), ("test", 40)):
        lines = ["label\tsentence"]
        for _ in range(count):
            label = int(rng.integers(2))
            word = rng.choice(GOOD if label else BAD)
            lines.append(f"{label}\tthe {rng.choice(['film', 'play', 'book'])} is {word} {rng.choice(['.', '!', ''])}")
        (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return folder


@pytest.fixture(scope="module")
def client(fast: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingClient]:
    folder = tmp_path_factory.mktemp("sentiment")
    share = folder / "share"
    write_corpus(share / "datasets" / "made")
    write_corpus(share / "datasets" / "broken")
    (share / "datasets" / "broken" / "dev.tsv.gz").write_bytes(gzip.compress(b"label\tsentence\nneither\n"))
    (share / "datasets" / "half").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # The plugin asks the process's settings for its data, which each test begins anew.
        patch.setattr(train, "open_share", lambda _: DirectoryShare(share))
        made = TrainingClient(
            make_app(folder / "state", path=(write_plugin(folder, "feeling", PLUGIN),), serve=("feeling",))
        )
        yield made
        made.jobs.stop(0)


@pytest.fixture(scope="module")
def job(client: TrainingClient) -> Job:
    ended = client.train("/feeling/train", dataset="made", base="NONE", epochs=12, trials=1, seed=3)
    assert ended.state is State.SUCCEEDED, ended.error
    return ended


def published(client: TrainingClient, folder: Path, version: int) -> Path:
    registry = client.runtime.registry
    for name in FILES:
        (folder / name).write_bytes(registry.blobs.read(registry.get("feeling", version).artefact(name).ref))
    return folder


def test_a_training_publishes_a_classifier_that_has_learned(client: TrainingClient, job: Job, tmp_path: Path) -> None:
    classifier = Classifier.open(published(client, tmp_path, 1))
    assert classifier.classify(["a grand play", "an awful book"]).argmax(axis=1).tolist() == [1, 0]


def test_what_is_published_says_how_good_it_is_and_what_it_was_trained_on(
    client: TrainingClient, job: Job, tmp_path: Path
) -> None:
    card = Classifier.open(published(client, tmp_path, 1)).card
    assert card["figures"]["test"]["accuracy"] > 0.9
    assert card["figures"]["test"]["texts"] == 40
    assert card["training"]["seed"] == 3
    version = client.runtime.registry.get("feeling", 1)
    assert version.data_hash == card["training"]["data_sha256"]
    assert version.metrics["test_accuracy"] == card["figures"]["test"]["accuracy"]


def test_a_training_tells_how_far_it_is(client: TrainingClient, job: Job) -> None:
    assert job.metrics["dev_accuracy"] > 0.9
    lines = [line.text for line in client.jobs.store.logs(job.id)]
    assert sum("accuracy on dev" in line for line in lines) == 48


def test_the_same_seed_gives_the_same_bytes(client: TrainingClient, job: Job) -> None:
    again = client.train("/feeling/train", dataset="made", base="NONE", epochs=12, trials=1, seed=3)
    assert again.state is State.SUCCEEDED, again.error
    registry = client.runtime.registry
    found = [registry.get("feeling", number).artefact("model.onnx").ref.sha256 for number in (1, 2)]
    assert found[0] == found[1]


def test_a_search_publishes_the_best_of_its_trials(client: TrainingClient) -> None:
    ended = client.train("/feeling/train", dataset="made", base="NONE", epochs=1, trials=3, texts=120)
    assert ended.state is State.SUCCEEDED, ended.error
    found = client.jobs.store.result(ended)
    assert found is not None
    result = json.loads(found.body)
    assert result["trials"]["complete"] + result["trials"]["pruned"] == 3
    assert set(result["best_params"]) == {"learning_rate", "dropout", "token_dropout", "layers"}


@pytest.mark.parametrize(
    ("dataset", "told"), [("absent", "train.tsv.gz"), ("half", "train.tsv.gz"), ("broken", "dev.tsv.gz, line 2")]
)
def test_a_data_set_that_cannot_be_read_is_refused_by_the_file(client: TrainingClient, dataset: str, told: str) -> None:
    assert_invalid(client.post("/feeling/train", json={"dataset": dataset}), "body.dataset", told=told)


def test_a_path_is_no_name_of_a_data_set(client: TrainingClient) -> None:
    assert_invalid(client.post("/feeling/train", json={"dataset": "../made"}), "body.dataset", told="pattern")


class Cut(LocalContext):
    """A training that is stopped at its third look."""

    looks = 0

    def report(self, trial: object, value: float, step: int) -> None:
        self.looks += 1
        if self.looks == 3:
            raise JobCancelled


def test_a_training_that_was_cut_short_goes_on_and_ends_in_the_same_model(tmp_path: Path) -> None:
    corpus = Corpus.read(DirectoryShare(write_corpus(tmp_path / "data")))
    request = SentimentTraining(base="NONE", epochs=2, seed=1)
    whole, cut, parts = LocalContext(tmp_path / "whole"), Cut(tmp_path / "parts"), LocalContext(tmp_path / "parts")
    develop(cast(TrainContext, whole), corpus, None, TINY, request)
    with pytest.raises(JobCancelled):
        develop(cast(TrainContext, cut), corpus, None, TINY, request)
    assert parts.checkpoint.load()
    develop(cast(TrainContext, parts), corpus, None, TINY, request)
    digests = [hashlib.sha256((tmp_path / name / "model.onnx").read_bytes()).digest() for name in ("whole", "parts")]
    assert digests[0] == digests[1]
    assert parts.checkpoint.load() is None


def test_a_fit_goes_through_every_text_each_epoch() -> None:
    numbers = [[2, *[5] * length, 3] for length in range(1, 40)]
    fit = Fit(Encoder(TINY), numbers, np.zeros(39, np.int64), Plan(2, 1e-3, 0.0, 0, batch_tokens=120, batch_texts=8))
    seen = [sorted(place for batch in fit._batches(epoch) for place in batch) for epoch in (0, 1)]
    assert seen == [list(range(39))] * 2
    assert fit._batches(0) != fit._batches(1)


def bert(folder: Path, pieces: list[str]) -> Base:
    """A base of two layers, random."""
    torch.manual_seed(0)
    hidden, inner = 32, 48
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(pieces), hidden),
        "embeddings.position_embeddings.weight": (64, hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
    }
    for layer in range(2):
        for name, shape in {
            **{f"attention.self.{part}": (hidden, hidden) for part in ("query", "key", "value")},
            "attention.output.dense": (hidden, hidden),
            "attention.output.LayerNorm": (hidden,),
            "intermediate.dense": (inner, hidden),
            "output.dense": (hidden, inner),
            "output.LayerNorm": (hidden,),
        }.items():
            shapes[f"encoder.layer.{layer}.{name}.weight"] = shape
            shapes[f"encoder.layer.{layer}.{name}.bias"] = shape[:1]
    folder.mkdir(exist_ok=True)
    save_file({name: torch.randn(shape) for name, shape in shapes.items()}, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return Base(folder)


def test_an_encoder_of_the_bases_own_sizes_begins_as_the_base(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *(chr(code) for code in range(97, 97 + 26)), *(f"w{number}" for number in range(10))]
    base = bert(tmp_path, pieces)
    sizes = Sizes(len(pieces), 32, 32, 48, 2, 4, 64)
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.BertConfig(
        vocab_size=len(pieces), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64,
    )  # fmt: skip
    from safetensors.torch import load_file

    original = transformers.BertModel(config, add_pooling_layer=False).eval()
    original.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=False)
    encoder = Encoder(sizes)
    missing = encoder.load_state_dict(base.weights(pieces, sizes, (0, 1), np.ones(len(pieces), np.int64)), strict=False)
    assert [name for name in missing.missing_keys if not name.startswith("head.")] == []
    ids, mask = torch.tensor([[2, 5, 9, 3, 0], [2, 30, 31, 32, 3]]), torch.tensor([[1, 1, 1, 1, 0], [1] * 5])
    with torch.inference_mode():
        hidden = original(ids, mask).last_hidden_state
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        expected = encoder.head(mean)
        assert encoder.eval()(ids, mask).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_fewer_layers_and_numbers_than_the_base_has_can_be_taken(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *"abcdefgh"]
    sizes = Sizes(6, 4, 32, 20, 1, 4, 16)
    encoder = Encoder(sizes)
    encoder.load_state_dict(bert(tmp_path, pieces).weights(pieces[:6], sizes, (1,), np.ones(6, np.int64)), strict=False)
    assert predict(encoder, [[2, 4, 5, 3]]).shape == (1, 2)


def test_a_base_that_is_not_the_one_checked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from common.jobs.errors import JobRefused

    monkeypatch.setattr(base_module, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(JobRefused, match="pip install"):
        Base.of_package()
