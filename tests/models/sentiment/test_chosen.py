"""Which version answers, and that no answer is of two."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from common.errors import ModelUnavailable
from common.plugins.pull import ModelPull
from common.registry.held import Held
from models.sentiment import chosen
from models.sentiment.chosen import Served, serve_version, served_now
from models.sentiment.classifier import FILES, MODEL, Classifier
from models.sentiment.predictor import Asked, predict_batch
from models.sentiment.pull import pull
from tests.support.hugging_face import make_classifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version's files."""
    folder = tmp_path_factory.mktemp("version")
    for name, content in pull(ModelPull(str(make_classifier(folder / "tiny")))).artefacts.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def own_again(tmp_path: Path) -> Iterator[None]:
    """What a test chose serves no other one."""
    yield
    serve_version(Held(None, tmp_path))


def held(folder: Path, number: int = 7) -> Held:
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    return Held(number, folder / "cache", digests, lambda name: folder / name)


def positive(served: Served, text: str) -> float:
    return float(served.classifier.classify([text])[0, 1])


def test_a_version_serves_from_when_it_is_given(folder: Path, tmp_path: Path) -> None:
    assert served_now().name == "box"
    serve_version(held(folder))
    assert served_now().name == "7"
    assert positive(served_now(), "good") == pytest.approx(float(Classifier.open(folder).classify(["good"])[0, 1]))
    serve_version(Held(None, tmp_path))
    assert served_now().name == "box"


def test_a_version_that_is_broken_leaves_the_one_before(folder: Path, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / MODEL).write_bytes(b"nothing")
    with pytest.raises(ModelUnavailable, match=r"^model\.onnx in version 7"):
        serve_version(held(tmp_path))
    assert served_now().name == "box"


def test_a_version_without_a_file_is_told(folder: Path) -> None:
    given = held(folder)
    without = {name: digest for name, digest in given.artefacts.items() if name != MODEL}
    with pytest.raises(ModelUnavailable, match=r"has no model\.onnx"):
        serve_version(Held(7, given.cache, without, given.path))


def test_texts_of_two_versions_in_a_batch_are_each_answered_by_their_own(folder: Path) -> None:
    box = served_now()
    serve_version(held(folder))
    seventh = served_now()
    asked = [Asked("good film", served=served) for served in (box, seventh, box, seventh)]
    found = [{one["label"]: one["score"] for one in answer}["POSITIVE"] for answer in predict_batch(asked)]
    expected = [positive(served, "good film") for served in (box, seventh, box, seventh)]
    assert found == pytest.approx(expected, abs=1e-4)
    assert found[0] != pytest.approx(found[1], abs=1e-3)


def test_equal_texts_of_two_versions_are_kept_apart(folder: Path) -> None:
    before = Asked("good film")
    serve_version(held(folder))
    assert Asked("good film").key() != before.key()


def test_a_text_stays_with_the_version_that_it_was_asked_of(folder: Path) -> None:
    asked = Asked("good film")
    serve_version(held(folder))
    # Counted by the box's tokenizer, not by that of the version which serves now.
    assert asked.numbers == Classifier.open().tokenizer.numbers("good film")


def test_words_are_explained_by_the_version_that_answers(folder: Path) -> None:
    serve_version(held(folder))
    (answer,) = predict_batch([Asked("do n't love", explain=True)])
    assert [one["token"] for one in answer["explanations"]] == ["do", "n", "'", "t", "love"]


def test_what_is_baked_into_an_image_goes_before_the_box(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen, "BAKED", folder)
    serve_version(Held(None, tmp_path))
    assert served_now().name == folder.name
    monkeypatch.undo()
