"""Text classifiers as Hugging Face keeps them, packed as zip: `config.json`, the tokenizer, and the weights.

BERT and DistilBERT are served from `model.safetensors`, which becomes an ONNX graph in 32 bits here; any other from the
`model.onnx` that Optimum exports beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from common.errors import Invalid
from common.serving.tensors import Array, TensorSpec
from common.storage.archives import unpack
from models.hosted.formats import Found, onnx_file
from models.hosted.formats.bert_folder import built
from models.hosted.formats.card import Card
from models.hosted.formats.needs import needed
from models.hosted.formats.onnx_zip import ARCHIVE, beside

_CONFIG, _TOKENIZER, _VOCABULARY, _WEIGHTS = "config.json", "tokenizer.json", "vocab.txt", "model.safetensors"
_SETTINGS = "tokenizer_config.json"
_FED = ("input_ids", "attention_mask", "token_type_ids")
_MOST_TOKENS = 8192
TEXT, LABEL, SCORES = "text", "label", "scores"


def read(path: Path, request: Mapping[str, Any], folder: Path) -> Found:
    files = unpack(path, folder, max_bytes=request["unpacked_bytes"], max_files=request["files"])
    config = _config(files)
    labels = _labels(config)
    tokenizer = _tokenizer_file(files, folder)
    models = sorted((name for name in files if name.endswith(".onnx")), key=lambda name: (name.count("/"), name))
    if models:
        graph, inside = files[models[0]], models[0]
        data = beside(inside, onnx_file.external(onnx_file.mapped(graph)), files)
        producer = "onnx export"
    else:
        graph, data, producer = built(config, files.get(_WEIGHTS), len(labels), folder), {}, "safetensors"
    described = onnx_file.described(graph, onnx_file.mapped(graph), request, data)
    strange = [spec.name for spec in described.card.inputs if spec.name not in _FED]
    if strange or not any(spec.name == "input_ids" for spec in described.card.inputs):
        raise Invalid(f"the graph takes {', '.join(strange) or 'no input_ids'}; give one that takes {', '.join(_FED)}")
    card = replace(
        described.card,
        format="huggingface",
        library="transformers",
        library_version=str(request.get("library_version") or config.get("transformers_version", "unknown"))[:100],
        producer=producer,
        original=ARCHIVE,
        inputs=(TensorSpec(TEXT, "BYTES", (-1,)),),
        files={**described.card.files, _TOKENIZER: _TOKENIZER},
        labels=labels,
        options={
            "tokens": _most_tokens(config, files),
            "activation": _activation(config, labels),
            "pad": config.get("pad_token_id") if isinstance(config.get("pad_token_id"), int) else 0,
        },
    )
    values = {TEXT: [b"a text", b"another text, of more words than the first one had"]}
    return Found(card, {**described.artefacts, _TOKENIZER: tokenizer, ARCHIVE: path}, values=values)


class ClassifierRunner:
    """Labels and scores of texts; a text beyond the model's length is cut."""

    def __init__(self, graph: Any, card: Card, tokenizer: Any) -> None:
        self._run = graph.run
        self._takes = [one.name for one in graph.get_inputs()]
        self._output = graph.get_outputs()[0].name
        self._labels = np.array([label.encode() for label in card.labels], object)
        self._activation = card.options["activation"]
        tokenizer.enable_truncation(card.options["tokens"])
        tokenizer.enable_padding(pad_id=card.options["pad"])
        self._encode = tokenizer.encode_batch

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        encoded = self._encode(onnx_file.as_text(feeds[TEXT]).tolist())
        parts = {
            "input_ids": [one.ids for one in encoded],
            "attention_mask": [one.attention_mask for one in encoded],
            "token_type_ids": [one.type_ids for one in encoded],
        }
        fed = {name: np.array(parts[name], np.int64) for name in self._takes}
        logits = self._run([self._output], fed)[0].astype(np.float64)
        scores = _scores(logits, self._activation).astype(np.float32)
        return {LABEL: self._labels[logits.argmax(axis=1)], SCORES: scores}


def open(card: Card, files: Callable[[str], Path], threads: int, cache: Path | None = None) -> ClassifierRunner:  # noqa: A001 - what a format does
    data = {name: files(artefact) for name, artefact in card.files.items() if name != _TOKENIZER}
    graph = onnx_file.open_session(files(card.main), data, threads, cache)
    return ClassifierRunner(graph, card, _tokenizer(files(_TOKENIZER)))


def _scores(logits: NDArray[np.float64], activation: str) -> NDArray[np.float64]:
    if activation == "none":
        return logits
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-logits)))
    away = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(away / away.sum(axis=1, keepdims=True))


def _activation(config: Mapping[str, Any], labels: tuple[str, ...]) -> str:
    """As the library's own pipeline does it."""
    if config.get("problem_type") == "regression":
        return "none"
    multiple = config.get("problem_type") == "multi_label_classification" or len(labels) == 1
    return "sigmoid" if multiple else "softmax"


def _config(files: Mapping[str, Path]) -> dict[str, Any]:
    if _CONFIG not in files:
        raise Invalid(f"{_CONFIG} does not lie where the other files do; pack the folder as `save_pretrained` wrote it")
    try:
        found = orjson.loads(files[_CONFIG].read_bytes())
    except ValueError as exc:
        raise Invalid(f"{_CONFIG} is no JSON ({exc})") from None
    named = found.get("architectures") if isinstance(found, dict) else None
    if not isinstance(named, list) or not named or not str(named[0]).endswith("ForSequenceClassification"):
        raise Invalid(
            f"{_CONFIG} names {str(named)[:100]}; only text classifiers (…ForSequenceClassification) are served"
        )
    return dict(found)


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not isinstance(names, dict) or sorted(names) != sorted(map(str, range(len(names)))) or len(names) > 10_000:
        raise Invalid(f"`id2label` in {_CONFIG} does not name the classes 0, 1, 2, …")
    return tuple(str(names[str(number)])[:200] for number in range(len(names)))


def _tokenizer_file(files: Mapping[str, Path], folder: Path) -> Path:
    """The tokenizer as one file, checked."""
    if _TOKENIZER in files:
        _tokenizer(files[_TOKENIZER])
        return files[_TOKENIZER]
    if _VOCABULARY not in files:
        raise Invalid(f"the archive has neither {_TOKENIZER} nor {_VOCABULARY}; save the tokenizer beside the model")
    tokenizers = needed("tokenizers", "The library that cuts texts (tokenizers)")
    settings: dict[str, Any] = {}
    if _SETTINGS in files:
        try:
            settings = dict(orjson.loads(files[_SETTINGS].read_bytes()))
        except (ValueError, TypeError) as exc:
            raise Invalid(f"{_SETTINGS} is no JSON object ({exc})") from None
    try:
        made = tokenizers.BertWordPieceTokenizer(
            str(files[_VOCABULARY]),
            lowercase=settings.get("do_lower_case", True) is not False,
            strip_accents=settings.get("strip_accents"),
            handle_chinese_chars=settings.get("tokenize_chinese_chars") is not False,
        )
    except Exception as exc:  # noqa: BLE001 - the library raises plain exceptions
        raise Invalid(f"{_VOCABULARY} is no vocabulary of BERT's tokenizer: {str(exc)[:200]}") from None
    target = folder / "made-tokenizer.json"
    made.save(str(target))
    return target


def _tokenizer(path: Path) -> Any:
    tokenizers = needed("tokenizers", "The library that cuts texts (tokenizers)")
    try:
        return tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as exc:  # noqa: BLE001 - as above
        raise Invalid(f"{_TOKENIZER} cannot be read: {str(exc)[:200]}") from None


def _most_tokens(config: Mapping[str, Any], files: Mapping[str, Path]) -> int:
    """Tokens of the longest text."""
    given = config.get("max_position_embeddings", 512)
    most = given if isinstance(given, int) and 0 < given <= _MOST_TOKENS else 512
    # RoBERTa's positions begin behind that of the padding.
    if str(config.get("model_type")) in {"roberta", "xlm-roberta", "camembert"}:
        most -= 2
    if _SETTINGS in files:
        told = orjson.loads(files[_SETTINGS].read_bytes()).get("model_max_length")
        most = min(most, told) if isinstance(told, int) and told > 0 else most
    return most
