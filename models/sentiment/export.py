"""From the encoder that was trained to the files that are served, and how near the one is to the other."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from numpy.typing import NDArray
from torch import nn

from models._text.nodes import Ranges
from models.sentiment.architecture import EPSILON, Encoder
from models.sentiment.calibration import calibration_error, interval, log_loss, mix, softmax
from models.sentiment.classifier import CARD, MODEL, VOCABULARY, Classifier, Tokens, by_length
from models.sentiment.fitting import predict
from models.sentiment.onnx_graph import build
from models.sentiment.wide import margins

Margins = NDArray[np.float64]

# The file that is served may be wrong where the encoder was right at this share of the texts more, at most.
MOST_LOST = 0.01
# Share of the inputs of a linear map that its range leaves out: rare outliers must not coarsen the rest. Of 0, 1e-5 and
# 1e-4 the one with which scores on the dev texts of SST-2 stay nearest to the encoder's (0.011 away in the mean).
_CUT = 1e-4


class TooFar(ValueError):
    """The file that would be served answers too differently from the encoder that was trained."""


@dataclass(frozen=True)
class Figures:
    """Of scores against labels.

    Attributes
    ----------
    texts : how many.
    accuracy, low, high : share told rightly, with its 95% interval.
    calibration_error : see `calibration.calibration_error`.
    log_loss : in nats.
    """

    texts: int
    accuracy: float
    low: float
    high: float
    calibration_error: float
    log_loss: float

    @classmethod
    def of(cls, logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> "Figures":
        right = int((logits.argmax(axis=1) == labels).sum())
        low, high = interval(right, len(labels))
        error = calibration_error(softmax(logits), labels)
        found = (right / len(labels), low, high, error, log_loss(logits, labels))
        return cls(len(labels), *(round(figure, 4) for figure in found))

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def measure_ranges(encoder: Encoder, numbers: Sequence[Sequence[int]]) -> Ranges:
    """Between what the inputs of each linear map of the layers lie, at these texts, padding left out.

    Parameters
    ----------
    numbers : token numbers of texts like those to be served; some hundreds.
    """
    seen: dict[str, list[NDArray[np.float32]]] = {}
    mask = torch.ones(0)

    def note(name: str) -> Any:
        def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            seen.setdefault(name, []).append(inputs[0][mask].numpy().ravel())

        return look

    linear = [(name, module) for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_pre_hook(note(name)) for name, module in linear if name != "head"]
    encoder.eval()
    try:
        with torch.inference_mode():
            for places in by_length([len(one) for one in numbers], 2048):
                tokens = Tokens.pad([numbers[place] for place in places])
                mask = torch.from_numpy(tokens.mask).bool()
                encoder(torch.from_numpy(tokens.ids), torch.from_numpy(tokens.mask))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _range(np.concatenate(values)) for name, values in seen.items()}


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    count = int(len(values) * _CUT / 2)
    ordered = np.partition(values, [count, len(values) - 1 - count])
    return float(ordered[count]), float(ordered[-1 - count])


@dataclass(frozen=True)
class Parts:
    """What the logits are made of.

    Parameters
    ----------
    table : of `wide.fit_table`.
    deep, wide : what the margins of the encoder and of the table are multiplied with.
    """

    table: NDArray[np.float32]
    deep: float = 1.0
    wide: float = 0.0


def files_of(encoder: Encoder, pieces: Sequence[str], ranges: Ranges, parts: Parts) -> dict[str, bytes]:
    """The files of a `Classifier`, its card holding the sizes and the shares of its parts."""
    weights = {name: value.detach().numpy() for name, value in encoder.state_dict().items()}
    for name in ("head.weight", "head.bias"):
        weights[name] = weights[name] * np.float32(parts.deep)
    graph = build(encoder.sizes, weights, ranges, EPSILON, parts.table * np.float32(parts.wide))
    vocabulary = "".join(f"{piece}\n" for piece in pieces)
    return {
        MODEL: graph.SerializeToString(deterministic=True),
        VOCABULARY: vocabulary.encode(),
        CARD: card({"sizes": encoder.sizes.as_json(), "parts": {"deep": parts.deep, "wide": parts.wide}}),
    }


def card(content: Mapping[str, Any]) -> bytes:
    """`model.json`."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)


def opened(files: Mapping[str, bytes]) -> Classifier:
    """The classifier that a folder with these files would be."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return Classifier.open(Path(folder))


@dataclass(frozen=True)
class Nearness:
    """What eight bits cost, on the same texts.

    Attributes
    ----------
    deep, wide : shares told rightly by each of the parts alone, before.
    original, served : shares told rightly by both together, before and after.
    difference : greatest between two scores of a text, 0 to 1.
    agreement : share of the texts that are told the same.
    """

    deep: float
    wide: float
    original: float
    served: float
    difference: float
    agreement: float


def export(
    encoder: Encoder,
    pieces: Sequence[str],
    table: NDArray[np.float32],
    ranged: Sequence[Sequence[int]],
    texts: Sequence[str],
    labels: NDArray[np.int64],
) -> tuple[dict[str, bytes], Nearness]:
    """The files to serve: both parts, mixed and calibrated on texts with labels, and compared with what was trained.

    Parameters
    ----------
    table : of `wide.fit_table`.
    ranged : token numbers of the texts by which the ranges of the quantisation are measured.

    Raises
    ------
    TooFar
        More than `MOST_LOST` of the texts are lost by it.
    """
    ranges = measure_ranges(encoder, ranged)
    plain = opened(files_of(encoder, pieces, ranges, Parts(table)))
    numbers = [plain.tokenizer.encode(text) for text in texts]
    quantised = np.diff(logits_of(plain, texts).astype(np.float64))[:, 0]
    deep = np.diff(predict(encoder, numbers).astype(np.float64))[:, 0]
    wide = margins(table, numbers, len(pieces))
    parts = Parts(table, *mix(np.stack([quantised, wide], axis=1), labels).tolist())
    files = files_of(encoder, pieces, ranges, parts)
    found = np.diff(logits_of(opened(files), texts).astype(np.float64))[:, 0]
    nearness = _compare(deep, wide, parts, found, labels)
    if nearness.original - nearness.served > MOST_LOST:
        raise TooFar(
            f"in eight bits {nearness.served:.4f} of the texts are told rightly, before {nearness.original:.4f}"
        )
    return files, nearness


def _compare(deep: Margins, wide: Margins, parts: Parts, served: Margins, labels: NDArray[np.int64]) -> Nearness:
    original = parts.deep * deep + parts.wide * wide
    scores = [1 / (1 + np.exp(-margin)) for margin in (original, served)]
    right = [np.mean((margin > 0) == labels) for margin in (deep, wide, original, served)]
    figures = (*right, np.abs(scores[0] - scores[1]).max(), np.mean((original > 0) == (served > 0)))
    return Nearness(*(round(float(figure), 4) for figure in figures))


def logits_of(classifier: Classifier, texts: Sequence[str]) -> NDArray[np.float32]:
    """Calibrated logits, (n, 2), of any number of texts."""
    numbers = [classifier.tokenizer.encode(text) for text in texts]
    found = np.zeros((len(texts), 2), np.float32)
    for places in by_length([len(one) for one in numbers], 4096):
        found[places] = classifier.logits(Tokens.pad([numbers[place] for place in places]))
    return found
