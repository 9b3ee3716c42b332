"""The graph that is served against the encoder that was trained; tiny and random. Where PyTorch is not installed, there
is nothing to export, and these are skipped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[train]'")

import torch

from models._text.nodes import quantise
from models.sentiment import export
from models.sentiment.architecture import Encoder
from models.sentiment.base import vocabulary_of
from models.sentiment.classifier import Classifier
from models.sentiment.export import Parts
from models.sentiment.fitting import predict
from models.sentiment.sizes import Sizes
from models.sentiment.tokenizer import Tokenizer
from models.sentiment.wide import fit_table, margins

TEXTS = [
    f"{word} film {'and ' * number}more" for number, word in enumerate(["good", "bad", "dull", "fine", "grand"] * 4)
]
LABELS = np.array([1, 0, 0, 1, 1] * 4)
PIECES = vocabulary_of(TEXTS, 120)
SIZES = Sizes(len(PIECES), embedding=8, hidden=16, inner=24, layers=2, heads=2, positions=32)
NUMBERS = [Tokenizer(PIECES, 32).encode(text) for text in TEXTS]
TABLE = fit_table(NUMBERS, LABELS, len(PIECES))


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    made = Encoder(SIZES)
    with torch.no_grad():
        # Far enough from zero for differences to show.
        for weight in made.parameters():
            weight.mul_(10 if weight.ndim > 1 else 1)
    return made


def test_the_graph_gives_the_logits_of_the_encoder(encoder: Encoder) -> None:
    served = export.opened(export.files_of(encoder, PIECES, export.measure_ranges(encoder, NUMBERS), Parts(TABLE)))
    original = predict(encoder, NUMBERS)
    assert np.ptp(original) > 0.5
    assert export.logits_of(served, TEXTS) == pytest.approx(original, abs=0.1)


def test_the_graph_adds_the_margin_of_pairs_and_triples(encoder: Encoder) -> None:
    ranges = export.measure_ranges(encoder, NUMBERS)
    served = export.opened(export.files_of(encoder, PIECES, ranges, Parts(TABLE, deep=0.0, wide=2.0)))
    expected = 2 * margins(TABLE, NUMBERS, len(PIECES))
    assert np.ptp(expected) > 0.5
    assert np.diff(export.logits_of(served, TEXTS))[:, 0] == pytest.approx(expected, abs=0.05)


def test_the_shortest_text_has_a_margin(encoder: Encoder) -> None:
    files = export.files_of(encoder, PIECES, export.measure_ranges(encoder, NUMBERS), Parts(TABLE, 0.0, 1.0))
    found = np.diff(export.logits_of(export.opened(files), [""]))[0, 0]
    assert found == pytest.approx(margins(TABLE, [[2, 3]], len(PIECES))[0], abs=0.05)


def test_what_the_encoder_tells_is_weighted(encoder: Encoder) -> None:
    ranges = export.measure_ranges(encoder, NUMBERS)
    whole, part = (export.opened(export.files_of(encoder, PIECES, ranges, Parts(TABLE, deep))) for deep in (1.0, 0.4))
    assert export.logits_of(part, TEXTS) == pytest.approx(export.logits_of(whole, TEXTS) * 0.4, abs=1e-4)


def test_equal_weights_give_equal_bytes(encoder: Encoder) -> None:
    ranges = export.measure_ranges(encoder, NUMBERS)
    assert export.files_of(encoder, PIECES, ranges, Parts(TABLE, 0.5, 0.5)) == export.files_of(
        encoder, PIECES, ranges, Parts(TABLE, 0.5, 0.5)
    )


def test_an_export_says_what_eight_bits_cost(encoder: Encoder) -> None:
    files, nearness = export.export(encoder, PIECES, TABLE, NUMBERS, TEXTS, LABELS)
    assert nearness.agreement >= 0.9
    assert 0 < nearness.difference < 0.1
    assert export.opened(files).classify(TEXTS).shape == (len(TEXTS), 2)


def test_an_export_that_answers_too_differently_is_refused(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = dict.fromkeys(export.measure_ranges(encoder, NUMBERS), (-1e-4, 1e-4))
    monkeypatch.setattr(export, "measure_ranges", lambda *_: narrow)
    logits = predict(encoder, NUMBERS)
    with torch.no_grad():
        # Half of the texts are told either way, and the labels are what the encoder tells.
        encoder.head.bias[1] -= float(np.median(logits[:, 1] - logits[:, 0]))
    told = predict(encoder, NUMBERS).argmax(axis=1)
    monkeypatch.setattr(export, "mix", lambda *_: np.array([1.0, 0.0]))
    with pytest.raises(export.TooFar, match="eight bits"):
        export.export(encoder, PIECES, TABLE, NUMBERS, TEXTS, told)


def test_whole_numbers_are_within_their_levels_and_near_the_weights() -> None:
    weights = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    numbers, scale = quantise(weights, 63, axis=0)
    assert (numbers.min(), numbers.max(), scale.shape) == (-63, 63, (30,))
    assert np.abs(numbers * scale - weights).max() <= scale.max() / 2 + 1e-6


def test_a_folder_of_files_is_opened_as_a_classifier(encoder: Encoder, tmp_path: Path) -> None:
    files, _ = export.export(encoder, PIECES, TABLE, NUMBERS, TEXTS, LABELS)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert Classifier.open(tmp_path).card["sizes"] == replace(SIZES).as_json()
