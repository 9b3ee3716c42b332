"""The model in the box: what it says, and what it says of itself."""

import gzip
import pickle
import shutil
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from models.sentiment.classifier import BOX, CARD, FILES, MODEL, BrokenModel, Classifier, Tokens, by_length
from models.sentiment.tokenizer import UNKNOWN
from tests.support.datasets import CHECKOUT

DATA = CHECKOUT.parent / "shared" / "data" / "sst2"
TEXTS = ["I love this", "I hate this", "", "a film that is neither good nor bad, and rather long at that", "ok"]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.open()


def part(name: str) -> tuple[list[str], np.ndarray]:
    file = DATA / f"{name}.tsv.gz"
    if not file.exists():
        pytest.skip("the texts of SST-2 are not in ../shared/data/sst2")
    lines = [line.split("\t") for line in gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")[1:]]
    return [line[1] for line in lines], np.array([int(line[0]) for line in lines])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this", 1),
        ("I hate this", 0),
        ("I don't like this movie", 0),
        ("it is hard not to love it", 1),
        ("This is not good at all", 0),
        ("Absolutely wonderful!", 1),
        ("What a waste of time.", 0),
        ("The food was cold and the staff were rude.", 0),
        ("best purchase I've made this year", 1),
    ],
)
def test_plain_sentences_are_told_rightly(classifier: Classifier, text: str, label: int) -> None:
    assert classifier.classify([text])[0].argmax() == label


@pytest.mark.parametrize("name", ["dev", "test"])
def test_the_accuracy_stated_is_the_accuracy_found(classifier: Classifier, name: str) -> None:
    texts, labels = part(name)
    found = np.mean(classifier.classify(texts).argmax(axis=1) == labels)
    # Rounding differs between processors, and turns the odd text that is near one half.
    assert found == pytest.approx(classifier.card["figures"][name]["accuracy"], abs=0.004)


def test_the_figures_stated_are_those_promised(classifier: Classifier) -> None:
    stated = classifier.card["figures"]["test"]
    assert stated["accuracy"] > 0.85
    assert stated["calibration_error"] <= 0.05


def test_the_box_takes_at_most_eight_megabytes() -> None:
    assert sum((BOX / name).stat().st_size for name in FILES) <= 8_000_000


def test_what_a_text_is_told_does_not_depend_on_the_others(classifier: Classifier) -> None:
    alone = np.concatenate([classifier.run(classifier.encode([text])) for text in TEXTS])
    together = classifier.run(classifier.encode(TEXTS))
    assert together == pytest.approx(alone, abs=0.01)
    assert classifier.classify(TEXTS, most_tokens=24) == pytest.approx(alone, abs=0.01)


def test_no_ascii_word_is_unknown(classifier: Classifier) -> None:
    numbers = classifier.tokenizer.encode(string.printable + " xqzwv 123456789 supercalifragilistic")
    assert classifier.tokenizer.pieces.index(UNKNOWN) not in numbers


def test_probabilities_add_up_to_one(classifier: Classifier) -> None:
    found = classifier.classify(TEXTS)
    assert found.shape == (len(TEXTS), 2)
    assert found.sum(axis=1) == pytest.approx(1)


def test_no_texts_have_no_answers(classifier: Classifier) -> None:
    assert classifier.classify([]).shape == (0, 2)
    assert classifier.run(classifier.encode([])).shape == (0, 2)


def test_a_text_beyond_the_longest_is_answered(classifier: Classifier) -> None:
    tokens = classifier.encode(["wonderful " * 5000])
    assert tokens.ids.shape == (1, classifier.tokenizer.max_length)
    assert classifier.run(tokens)[0, 1] > 0.5


def test_a_batch_is_padded_to_its_longest_text() -> None:
    tokens = Tokens.pad([[2, 7, 3], [2, 3]])
    assert tokens.ids.tolist() == [[2, 7, 3], [2, 3, 0]]
    assert tokens.mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_batches_are_of_like_length_and_within_the_budget() -> None:
    lengths = [9, 2, 30, 2, 3, 9, 1]
    batches = by_length(lengths, 12)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or max(lengths[place] for place in batch) * len(batch) <= 12 for batch in batches)
    assert batches[-1] == [2]


def test_serving_imports_neither_torch_nor_onnx() -> None:
    code = (
        "import sys; from models.sentiment.classifier import Classifier; Classifier.open().classify(['fine']); "
        "print(sorted({'torch', 'transformers', 'onnx', 'tokenizers', 'optuna'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "cut", "foreign"])
def test_a_broken_folder_is_refused_by_the_name_of_the_file(tmp_path: Path, name: str, how: str) -> None:
    folder = shutil.copytree(BOX, tmp_path / "box")
    file = folder / name
    content = file.read_bytes()
    file.unlink()
    if how == "cut":
        file.write_bytes(content[: len(content) // 2])
    if how == "foreign":
        file.write_bytes(pickle.dumps({"weights": [0.5] * 1000}))
    with pytest.raises(BrokenModel, match=f"^{name}"):
        Classifier.open(folder)


def test_a_model_of_other_sizes_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(BOX, tmp_path / "box")
    card = orjson.loads((folder / CARD).read_bytes())
    card["sizes"]["pieces"] += 1
    (folder / CARD).write_bytes(orjson.dumps(card))
    with pytest.raises(BrokenModel, match="pieces"):
        Classifier.open(folder)


def test_the_model_has_one_file_without_others_beside_it() -> None:
    assert sorted(path.name for path in BOX.iterdir()) == sorted([*FILES, "LICENSE"])
    assert (BOX / MODEL).stat().st_size > 1_000_000
