"""The graph in 32 bits is the original; the one in eight bits is near it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models._text.bert import fused
from models.sentiment.pull.folder import Checkpoint, read_folder
from models.sentiment.pull.quantise import Distance, Original, served_graph, served_logits
from models.sentiment.pull.sample import read_sample
from models.sentiment.wordpiece import BertTokenizer
from tests.support.hugging_face import BERT, DISTILBERT, make_classifier

TEXTS = read_sample().texts[:40]
LABELS = read_sample().labels[:40]


def ignore(_done: int, _total: int) -> None:
    pass


def numbers(checkpoint: Checkpoint) -> list[list[int]]:
    found = checkpoint.vocabulary
    tokenizer = BertTokenizer(found.pieces, checkpoint.layout.positions, found.normalisation)
    return [tokenizer.encode(text) for text in TEXTS]


def exact(checkpoint: Checkpoint) -> NDArray[np.float32]:
    return Original(checkpoint.layout, fused(checkpoint.layout, checkpoint.weights)).logits(numbers(checkpoint), ignore)


@pytest.mark.parametrize("architecture", [DISTILBERT, BERT])
@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize("bits", [7, 8])
def test_eight_bits_are_near_the_original(tmp_path: Path, architecture: Any, by_token: bool, bits: int) -> None:
    checkpoint = read_folder(make_classifier(tmp_path / "tiny", architecture))
    weights, asked = fused(checkpoint.layout, checkpoint.weights), numbers(checkpoint)
    original = Original(checkpoint.layout, weights)
    ranges = None if by_token else original.ranges(asked, ignore)
    served = served_logits(served_graph(checkpoint.layout, weights, ranges, bits), asked, ignore)
    assert Distance.between(original.logits(asked, ignore), served, LABELS).is_within(0.1, 0.02)


def test_texts_are_told_apart_by_the_model_of_these_tests(tmp_path: Path) -> None:
    # Else a graph that lost its input would pass.
    found = exact(read_folder(make_classifier(tmp_path / "tiny")))
    assert np.ptp(found[:, 1] - found[:, 0]) > 0.5


@pytest.mark.parametrize("architecture", [DISTILBERT, BERT])
def test_the_graph_answers_as_the_library_does(tmp_path: Path, architecture: Any) -> None:
    reason = "transformers and torch are not installed; the extra `train` has them"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    folder = make_classifier(tmp_path / "tiny", architecture)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    checkpoint = read_folder(folder)
    with torch.inference_mode():
        said = [theirs(input_ids=torch.tensor([one])).logits.numpy()[0] for one in numbers(checkpoint)]
    assert exact(checkpoint) == pytest.approx(np.array(said), abs=1e-4)


def test_a_distance_tells_what_changed() -> None:
    original = np.array([[0, 2], [2, 0], [0, 0.1]], np.float32)
    served = np.array([[0, 2], [2, 0], [0.1, 0]], np.float32)
    found = Distance.between(original, served, np.array([1, 0, 1]))
    assert found.original_accuracy == 1
    assert found.accuracy == pytest.approx(0.66667)
    assert found.agreement == pytest.approx(0.66667)
    assert found.most_apart == pytest.approx(0.05, abs=0.001)
    assert found.mean_apart == pytest.approx(found.most_apart / 3, abs=0.001)
    assert not found.is_within(0.04, 1)
    assert not found.is_within(1, 0.01)
