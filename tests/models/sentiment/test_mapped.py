"""Copies of large models that processes share."""

from pathlib import Path

import numpy as np
import pytest

from common.serving import mapped_onnx as module
from common.serving.mapped_onnx import Cpu, mapped
from models.sentiment.classifier import BOX, FILES, MODEL, Classifier

TEXTS = ["I love this", "a film that is neither good nor bad"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model in the box counts as large."""
    monkeypatch.setattr(module, "WORTH_BYTES", 1)
    return tmp_path / "cache"


def opened(cache: Path) -> Classifier:
    return Classifier.of_files({name: BOX / name for name in FILES}, cache=cache)


def copies(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def test_a_copy_answers_as_the_model_itself(cache: Path) -> None:
    assert opened(cache).classify(TEXTS) == pytest.approx(Classifier.open().classify(TEXTS), abs=1e-6)
    assert len(copies(cache)) == 1


def test_weights_are_mapped_from_the_copy(cache: Path) -> None:
    classifier = opened(cache)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux tells what is mapped")
    assert f"{copies(cache)[0]}/model.weights" in maps.read_text()
    assert classifier.classify(TEXTS).shape == (2, 2)


def test_a_copy_is_written_once(cache: Path) -> None:
    first = mapped(BOX / MODEL, cache)
    assert first is not None
    written = first.stat().st_mtime_ns
    again = mapped(BOX / MODEL, cache)
    assert (again, first.stat().st_mtime_ns) == (first, written)


def test_a_copy_that_was_cut_is_written_anew(cache: Path) -> None:
    copy = mapped(BOX / MODEL, cache)
    assert copy is not None
    weights = copy.with_name("model.weights")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    opened(cache)
    assert weights.read_bytes() == whole


def test_a_small_model_is_opened_as_it_is(tmp_path: Path) -> None:
    assert mapped(BOX / MODEL, tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


def test_without_a_place_to_write_the_model_is_opened_as_it_is(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert np.array_equal(opened(cache).classify(TEXTS), Classifier.open().classify(TEXTS))


def test_copies_of_old_models_are_removed(cache: Path, tmp_path: Path) -> None:
    for number in range(6):
        model = tmp_path / f"{number}.onnx"
        model.write_bytes((BOX / MODEL).read_bytes())
        mapped(model, cache)
    assert len(copies(cache)) == 4


def test_weights_of_eight_bits_are_refused_where_they_would_overflow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import orjson

    from models.sentiment.classifier import CARD, BrokenModel

    for name in FILES:
        (tmp_path / name).write_bytes((BOX / name).read_bytes())
    card = orjson.loads((tmp_path / CARD).read_bytes())
    (tmp_path / CARD).write_bytes(orjson.dumps(card | {"weight_bits": 8}))
    monkeypatch.setattr(Cpu, "here", lambda: Cpu("old", has_vnni=False))
    with pytest.raises(BrokenModel, match="pull the model with --bits 7"):
        Classifier.open(tmp_path)
