"""What is refused of a folder, and by which words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from common.errors import Invalid
from models.sentiment.pull.folder import read_folder
from tests.support.hugging_face import BERT, DISTILBERT, PIECES, make_classifier, tokenizer_json

Spoil = Callable[[Path], object]


def config(**changes: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return spoil


def weights(change: Callable[[dict[str, Any]], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        change(held)
        save_file(held, folder / "model.safetensors")

    return spoil


def halved(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return spoil


def without(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def other_vocabulary(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(tokenizer_json().replace('"love"', '"loathe"'))


def with_nan(held: dict[str, Any]) -> None:
    held["classifier.bias"] = np.array([np.nan, 0], np.float32)


def with_numbers(held: dict[str, Any]) -> None:
    held["classifier.bias"] = np.array([1, 0], np.int32)


SPOILT = [
    (without("config.json"), r"^config\.json: missing"),
    (without("vocab.txt"), r"^vocab\.txt: missing"),
    (without("model.safetensors"), r"^model\.safetensors: missing"),
    (halved("config.json"), r"^config\.json: cannot be read as JSON"),
    (halved("vocab.txt"), r"^vocab\.txt: has \d+ pieces; config\.json says \d+; fetch it again"),
    (halved("model.safetensors"), r"^model\.safetensors: cannot be read .*fetch it again"),
    (pickled, r"^pytorch_model\.bin: not read, since this format can run code .*save_pretrained"),
    (config(architectures=["GPT2ForSequenceClassification"]), r"^config\.json: `architectures` is .*GPT2"),
    (config(architectures=["DistilBertForMaskedLM"]), r"^config\.json: `architectures`"),
    (config(n_layers=3), r"^model\.safetensors: has no distilbert\.transformer\.layer\.2"),
    (config(n_layers=1), r"^model\.safetensors: has distilbert\.transformer\.layer\.1.* has not"),
    (config(dim=64), r"^model\.safetensors: .* is \(\d+, 32\); config\.json says \(\d+, 64\)"),
    (config(dim="wide"), r"^config\.json: `dim` is 'wide'"),
    (config(n_heads=5), r"^config\.json: 5 heads do not divide 32"),
    (config(activation="swish"), r"^config\.json: the activation is 'swish'"),
    (config(id2label={"0": "A", "1": "B", "2": "C"}), r"^config\.json: `id2label`.*two classes"),
    (config(id2label={"0": "TOXIC", "1": "FINE"}), r"^config\.json: `id2label`.*NEGATIVE and POSITIVE"),
    (weights(lambda held: held.pop("classifier.bias")), r"^model\.safetensors: has no classifier\.bias"),
    (weights(lambda held: held.update(vocab_transform=np.ones(3))), r"^model\.safetensors: has vocab_transform"),
    (weights(with_nan), r"^model\.safetensors: classifier\.bias holds numbers that are not finite"),
    (weights(with_numbers), r"^model\.safetensors: classifier\.bias is of int32"),
    (other_vocabulary, r"^vocab\.txt: names other pieces than tokenizer\.json"),
]


@pytest.mark.parametrize(("spoil", "told"), SPOILT)
def test_a_folder_that_does_not_fit_is_refused_with_the_file_and_the_reason(
    folder: Path, spoil: Spoil, told: str
) -> None:
    spoil(folder)
    with pytest.raises(Invalid, match=told):
        read_folder(folder)


def test_a_vocabulary_of_another_kind_is_refused(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": {}}}')
    with pytest.raises(Invalid, match=r"^tokenizer\.json: the tokenizer is 'BPE'"):
        read_folder(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is no folder"):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("architecture", [DISTILBERT, BERT])
def test_both_architectures_are_read(tmp_path: Path, architecture: Any) -> None:
    read = read_folder(make_classifier(tmp_path / "tiny", architecture))
    assert read.layout.architecture == architecture
    assert read.vocabulary.pieces == tuple(PIECES)
    assert read.weights["token"].shape == (len(PIECES), 32)


def test_classes_in_the_other_order_are_put_right(tmp_path: Path) -> None:
    usual = read_folder(make_classifier(tmp_path / "usual", labels=("LABEL_0", "LABEL_1"))).weights["head.weight"]
    turned = read_folder(make_classifier(tmp_path / "turned", labels=("positive", "Negative"))).weights["head.weight"]
    assert np.array_equal(usual, turned[::-1])


def test_old_names_of_normalisations_are_known(tmp_path: Path) -> None:
    folder = make_classifier(tmp_path / "tiny", BERT)
    held = load_file(folder / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in held.items()
    }
    save_file(renamed, folder / "model.safetensors")
    assert read_folder(folder).layout.segments == 2


def test_the_normalisation_is_that_of_the_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(tokenizer_json(lowercase=False))
    found = read_folder(folder).vocabulary.normalisation
    assert (found.lowercase, found.strip_accents) == (False, False)
