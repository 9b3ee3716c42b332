"""Classifies many texts at once; long ones in windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import Invalid, TooLarge
from models.sentiment.chosen import Served, served_now
from models.sentiment.classifier import LABELS, Classifier, Tokens, by_length
from models.sentiment.definitions import Truncated

Floats = NDArray[np.float64]

# Tokens of a batch, padding included. Beyond it, on the CPU, a batch gains nothing and keeps others waiting.
BUDGET = 2048
# Texts with more words are explained by nobody: each word is a prediction.
MOST_EXPLAINED = 200


class Asked:
    """One text, and what is to be told of it. Its tokens are counted when they are first needed: a text that is known
    is answered without them.

    Parameters
    ----------
    served : what answers it, whatever is chosen meanwhile; by default what is chosen now.
    """

    __slots__ = ("_numbers", "explain", "served", "text", "truncated")

    def __init__(
        self,
        text: str,
        truncated: Truncated = Truncated.window,
        explain: bool = False,
        served: Served | None = None,
    ) -> None:
        self.served = served or served_now()
        self.text = text
        self.truncated = truncated
        self.explain = explain
        self._numbers: list[int] | None = None

    def key(self) -> bytes:
        """Equal for equal questions."""
        how = f"{self.served.digest}{self.truncated.name}{'+' if self.explain else '-'}"
        return f"{how}{self.text}".encode("utf-8", "surrogatepass")

    def row(self) -> dict[str, str]:
        """For comparisons with the requests of another version."""
        return {"text": self.text}

    @property
    def numbers(self) -> list[int]:
        """All token numbers, without those of start and end."""
        if self._numbers is None:
            self._numbers = self.served.classifier.tokenizer.numbers(self.text)
        return self._numbers

    @property
    def words(self) -> list[str]:
        """What is explained."""
        return self.served.classifier.tokenizer.words(self.text)


def version() -> str:
    """Digest of the files that answer now."""
    return served_now().digest


def cost(item: Asked) -> int:
    """Tokens that are run for an item; those of a large model count several times."""
    own = (len(item.numbers) + 2) * item.served.classifier.token_cost
    return own * max(1, len(item.words)) if item.explain else own


def windows(numbers: Sequence[int], longest: int, start: int = 2, end: int = 3) -> list[list[int]]:
    """Token numbers in parts of at most `longest`, each sharing half with the one before.

    Parameters
    ----------
    start, end : numbers that each part begins and ends with, counted in `longest`.
    """
    room = longest - 2
    if len(numbers) <= room:
        return [[start, *numbers, end]]
    step = room // 2
    places = [*range(0, len(numbers) - room, step), len(numbers) - room]
    return [[start, *numbers[place : place + room], end] for place in places]


def predict_batch(items: Sequence[Asked]) -> list[Any]:
    """What is answered for each text; an exception for one that is refused."""
    first = items[0].served if items else None
    if all(item.served is first for item in items):
        return _predict(items)
    # While another version is taken, texts of both may wait: each is answered by its own, in a run of its own.
    answers: list[Any] = [None] * len(items)
    for served in {id(item.served): item.served for item in items}.values():
        places = [place for place, item in enumerate(items) if item.served is served]
        for place, answer in zip(places, _predict([items[place] for place in places]), strict=True):
            answers[place] = answer
    return answers


def _predict(items: Sequence[Asked]) -> list[Any]:
    """Of items that one version answers."""
    if not items:
        return []
    found = items[0].served.classifier
    tokenizer = found.tokenizer
    longest = tokenizer.max_length
    parts: list[list[list[int]]] = []
    for item in items:
        if item.truncated is Truncated.window:
            parts.append(windows(item.numbers, longest, tokenizer.start, tokenizer.end))
        else:
            parts.append([[tokenizer.start, *item.numbers[: longest - 2], tokenizer.end]])
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
    if item.explain and len(item.words) > MOST_EXPLAINED:
        return TooLarge(f"a text has {len(item.words)} words; at most {MOST_EXPLAINED} are explained")
    return None


def _told(found: Classifier, item: Asked, positive: float) -> Any:
    likelier_first = sorted([(positive, LABELS[1]), (1.0 - positive, LABELS[0])], reverse=True)
    scores = [{"label": label, "score": score} for score, label in likelier_first]
    if not item.explain:
        return scores
    return {"predictions": scores, "explanations": _explained(found, item, positive)}


def _explained(found: Classifier, item: Asked, positive: float) -> list[dict[str, Any]]:
    """Each word left out once: what the text is without it (occlusion; Zeiler and Fergus 2014, for texts Li et al.
    2016)."""
    said = item.words
    if not said:
        return []
    encoded = [found.tokenizer.numbers(word) for word in said]
    tokenizer = found.tokenizer
    room = tokenizer.max_length - 2
    without = []
    for place in range(len(said)):
        left = [number for other, some in enumerate(encoded) if other != place for number in some]
        without.append([tokenizer.start, *left[:room], tokenizer.end])
    moved = _log_odds(np.array([positive]))[0] - _log_odds(_positive(found, without))
    return [{"token": word, "weight": float(weight)} for word, weight in zip(said, moved, strict=True)]


def _log_odds(positive: Floats) -> Floats:
    kept = np.clip(positive, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(kept / (1 - kept)), dtype=np.float64)


def _positive(found: Classifier, numbers: Sequence[Sequence[int]]) -> Floats:
    """(n,) probability of POSITIVE of each list of token numbers."""
    answers = np.zeros(len(numbers))
    for places in by_length([len(one) for one in numbers], min(BUDGET, found.run_tokens)):
        answers[places] = found.run(Tokens.pad([numbers[place] for place in places]))[:, 1]
    return answers
