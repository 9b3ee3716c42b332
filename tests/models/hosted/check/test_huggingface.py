"""Text classifiers as Hugging Face keeps them: answers are those of its own library's models."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import Invalid
from models.hosted.check import Checked, Limits, check
from models.hosted.formats import Runner, format_of
from tests.models.hosted.makers import archive
from tests.support.hugging_face import BERT, DISTILBERT, make_classifier, tokenizer_json
from tests.support.onnx_models import add

TEXTS = ["i love this film so much!", "bad", "it makes me hate all of it, more and more. " * 30]


def packed(folder: Path, *, without: str | None = None, **more: bytes | Path) -> Path:
    """The folder as an archive, within a folder of its own as most programs pack it."""
    files: dict[str, bytes | Path] = {f"m/{path.name}": path for path in folder.iterdir() if path.name != without}
    return archive(folder.parent / "m.zip", files | {f"m/{name}": content for name, content in more.items()})


def opened(found: Checked) -> Runner:
    return format_of("huggingface").open(found.card, lambda name: found.artefacts[name], 1)


def asked(runner: Runner, texts: list[str]) -> tuple[list[str], NDArray[np.float32]]:
    outputs = runner.run({"text": np.array([text.encode() for text in texts], object)})
    return [label.decode() for label in outputs["label"]], outputs["scores"].astype(np.float32)


@pytest.mark.parametrize("architecture", [DISTILBERT, BERT])
def test_answers_are_those_of_the_model_that_was_sent(tmp_path: Path, architecture: str) -> None:
    reason = "compared with the library itself where it is installed: pip install '.[train]'"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    folder = make_classifier(tmp_path / "m", architecture, labels=("gloomy", "glad"))  # type: ignore[arg-type]
    with check(packed(folder), "m.zip", Limits()) as found:
        assert (found.format, found.library) == ("huggingface", "transformers")
        assert [(spec.name, spec.datatype, spec.shape) for spec in found.card.outputs] == [
            ("label", "BYTES", (-1,)),
            ("scores", "FP32", (-1, 2)),
        ]
        assert found.card.batches
        labels, scores = asked(opened(found), TEXTS)
    original = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    cut = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    for text, label, score in zip(TEXTS, labels, scores, strict=True):
        with torch.no_grad():
            fed = cut(text, return_tensors="pt", truncation=True, max_length=128)
            fed = fed if architecture == BERT else {key: fed[key] for key in ("input_ids", "attention_mask")}
            expected = original(**fed).logits.softmax(-1)[0].numpy()
        assert score == pytest.approx(expected, abs=1e-5)
        assert label == ("gloomy", "glad")[expected.argmax()]


def test_a_tokenizer_of_one_file_cuts_the_same(tmp_path: Path) -> None:
    folder = make_classifier(tmp_path / "m")
    with check(packed(folder), "m.zip", Limits()) as found:
        expected = asked(opened(found), TEXTS)
    post = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            name: {"id": name, "ids": [number], "tokens": [name]} for name, number in (("[CLS]", 5), ("[SEP]", 6))
        },
    }
    told = json.loads(tokenizer_json()) | {"version": "1.0", "truncation": None, "padding": None, "added_tokens": []}
    told |= {"pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": post, "decoder": None}
    (folder / "tokenizer.json").write_text(json.dumps(told))
    with check(packed(folder, without="vocab.txt"), "m.zip", Limits()) as found:
        labels, scores = asked(opened(found), TEXTS)
    assert labels == expected[0]
    assert scores == pytest.approx(expected[1])


@pytest.mark.parametrize(
    ("without", "changes", "told"),
    [
        ("vocab.txt", {}, "neither tokenizer.json nor vocab.txt"),
        ("model.safetensors", {}, "neither model.safetensors nor an .onnx file"),
        (None, {"architectures": ["RobertaForSequenceClassification"]}, "optimum-cli export onnx"),
        (None, {"architectures": ["BertForMaskedLM"]}, "only text classifiers"),
        (None, {"dim": 48}, "config.json says"),
        (None, {"id2label": {"0": "a", "7": "b"}}, "does not name the classes"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(
    tmp_path: Path, without: str | None, changes: dict[str, object], told: str
) -> None:
    folder = make_classifier(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(Invalid, match=told):
        check(packed(folder, without=without), "m.zip", Limits())


def test_a_graph_that_takes_no_tokens_is_refused(tmp_path: Path) -> None:
    folder = make_classifier(tmp_path / "m")
    add(folder / "model.onnx", 1)
    with pytest.raises(Invalid, match="give one that takes input_ids"):
        check(packed(folder), "m.zip", Limits())
