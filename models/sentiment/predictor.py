"""Classifies many texts at once; long ones in windows."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import Invalid, ModelUnavailable, TooLarge
from models.sentiment.classifier import BOX, FILES, LABELS, BrokenModel, Classifier, Tokens, by_length
from models.sentiment.definitions import Truncated
from models.sentiment.tokenizer import words

Floats = NDArray[np.float64]

# Tokens of a batch, padding included. Beyond it, on the CPU, a batch gains nothing and keeps others waiting.
BUDGET = 2048
# Texts with more words are explained by nobody: each word is a prediction.
MOST_EXPLAINED = 200


class Asked:
    """One text, and what is to be told of it. Its tokens are counted when they are first needed: a text that is known
    is answered without them."""

    __slots__ = ("_numbers", "explain", "text", "truncated")

    def __init__(self, text: str, truncated: Truncated = Truncated.window, explain: bool = False) -> None:
        self.text = text
        self.truncated = truncated
        self.explain = explain
        self._numbers: list[int] | None = None

    def key(self) -> bytes:
        """Equal for equal questions."""
        return f"{self.truncated.name}{'+' if self.explain else '-'}{self.text}".encode("utf-8", "surrogatepass")

    @property
    def numbers(self) -> list[int]:
        """All token numbers, without those of start and end."""
        if self._numbers is None:
            self._numbers = classifier().tokenizer.numbers(self.text)
        return self._numbers


@lru_cache(maxsize=1)
def classifier() -> Classifier:
    """The model in the box. Raises ModelUnavailable where its files are missing or broken."""
    try:
        return Classifier.open()
    except BrokenModel as exc:
        raise ModelUnavailable(str(exc)) from exc


@lru_cache(maxsize=1)
def version() -> str:
    """Digest of the files that answer."""
    return sha256(b"".join(sha256((BOX / name).read_bytes()).digest() for name in FILES)).hexdigest()[:16]


def cost(item: Asked) -> int:
    """Tokens that are run for an item."""
    own = len(item.numbers) + 2
    return own * max(1, len(words(item.text))) if item.explain else own


def windows(numbers: Sequence[int], longest: int) -> list[list[int]]:
    """Token numbers in parts of at most `longest` with their start and end, each sharing half with the one before."""
    room = longest - 2
    if len(numbers) <= room:
        return [[2, *numbers, 3]]
    step = room // 2
    starts = [*range(0, len(numbers) - room, step), len(numbers) - room]
    return [[2, *numbers[start : start + room], 3] for start in starts]


def predict_batch(items: Sequence[Asked]) -> list[Any]:
    """What is answered for each text; an exception for one that is refused."""
    found = classifier()
    longest = found.tokenizer.max_length
    parts: list[list[list[int]]] = []
    for item in items:
        if item.truncated is Truncated.window:
            parts.append(windows(item.numbers, longest))
        else:
            parts.append([[2, *item.numbers[: longest - 2], 3]])
    positive = _positive(found, [part for some in parts for part in some])
    answers: list[Any] = []
    place = 0
    for item, some in zip(items, parts, strict=True):
        share = np.array([len(part) for part in some], dtype=np.float64)
        score = float(np.average(positive[place : place + len(some)], weights=share))
        place += len(some)
        answers.append(_refusal(item, longest) or _told(found, item, score))
    return answers


def _refusal(item: Asked, longest: int) -> Exception | None:
    if item.truncated is Truncated.error and len(item.numbers) + 2 > longest:
        told = f"a text has {len(item.numbers) + 2} tokens, the model reads {longest}; shorten it, or send `window`"
        return Invalid.field("text", told, item.text)
    if item.explain and len(words(item.text)) > MOST_EXPLAINED:
        return TooLarge(f"a text has {len(words(item.text))} words; at most {MOST_EXPLAINED} are explained")
    return None


def _told(found: Classifier, item: Asked, positive: float) -> Any:
    scores = [{"label": LABELS[1], "score": positive}, {"label": LABELS[0], "score": 1.0 - positive}]
    scores.sort(key=lambda one: -float(str(one["score"])))
    if not item.explain:
        return scores
    return {"predictions": scores, "explanations": _explained(found, item, positive)}


def _explained(found: Classifier, item: Asked, positive: float) -> list[dict[str, Any]]:
    """Each word left out once: what the text is without it (occlusion; Zeiler and Fergus 2014, for texts Li et al.
    2016)."""
    said = words(item.text)
    if not said:
        return []
    encoded = [found.tokenizer.numbers(word) for word in said]
    without = [
        windows([number for other, some in enumerate(encoded) if other != place for number in some], 1 << 20)[0][
            : found.tokenizer.max_length
        ]
        for place in range(len(said))
    ]
    moved = _log_odds(np.array([positive]))[0] - _log_odds(_positive(found, without))
    return [{"token": word, "weight": float(weight)} for word, weight in zip(said, moved, strict=True)]


def _log_odds(positive: Floats) -> Floats:
    kept = np.clip(positive, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(kept / (1 - kept)), dtype=np.float64)


def _positive(found: Classifier, numbers: Sequence[Sequence[int]]) -> Floats:
    """(n,) probability of POSITIVE of each list of token numbers."""
    answers = np.zeros(len(numbers))
    for places in by_length([len(one) for one in numbers], BUDGET):
        answers[places] = found.run(Tokens.pad([numbers[place] for place in places]))[:, 1]
    return answers
