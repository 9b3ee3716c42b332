"""Predicts many districts at once, each as it was asked."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.housing.artefact import Trained
from models.housing.chosen import Served, served_now
from models.housing.features import FEATURES
from models.housing.shapley import shapley

Floats = NDArray[np.float64]

_KEY = Struct(f"<B{len(FEATURES)}d")


class Kind(enum.StrEnum):
    """Which of the trained models answers: gradient-boosted trees, or support vector regression."""

    boosted = enum.auto()
    svr = enum.auto()


@dataclass(frozen=True, slots=True)
class Asked:
    """One district, and what is to be told of it.

    Parameters
    ----------
    house : in the order of `FEATURES`.
    served : what answers it, whatever is chosen meanwhile.
    """

    house: tuple[float, ...]
    kind: Kind = Kind.boosted
    interval: bool = False
    explain: bool = False
    served: Served = field(default_factory=served_now)

    def key(self) -> bytes:
        """Equal for equal questions to the same models."""
        options = (self.kind is Kind.svr) | self.interval << 1 | self.explain << 2
        # Plus zero: -0.0 is 0.0, and must be the same bytes.
        return self.served.digest + _KEY.pack(options, *(value + 0.0 for value in self.house))

    def row(self) -> dict[str, float]:
        """For comparisons with the training."""
        return dict(zip(FEATURES, self.house, strict=True))


def version() -> str:
    """Digest of what answers now."""
    return served_now().digest.hex()


def predict_batch(items: Sequence[Asked]) -> list[dict[str, Any] | float]:
    """A number for each district; an object where an interval or an explanation is asked for."""
    answers: list[Any] = [None] * len(items)
    # While another version is taken, districts of both may wait: each is answered by its own.
    for served in {id(item.served): item.served for item in items}.values():
        places = [place for place, item in enumerate(items) if item.served is served]
        for place, answer in zip(places, _predict([items[place] for place in places], served.models), strict=True):
            answers[place] = answer
    return answers


def _predict(items: Sequence[Asked], models: Trained) -> list[dict[str, Any] | float]:
    rows = np.array([item.house for item in items], dtype=np.float64).reshape(-1, len(FEATURES))
    is_svr = np.array([item.kind is Kind.svr for item in items], dtype=bool)
    values = np.empty(len(items))
    ends = np.empty((len(items), 2))
    if is_svr.any():
        values[is_svr] = models.svr.predict(rows[is_svr])
    if not is_svr.all():
        found = models.boosted.predict(rows[~is_svr])
        values[~is_svr], ends[~is_svr] = found[:, 0], found[:, 1:]
    return [_told(item, float(value), end, models) for item, value, end in zip(items, values, ends, strict=True)]


def _told(item: Asked, value: float, ends: Floats, models: Trained) -> dict[str, Any] | float:
    if not item.interval and not item.explain:
        return value
    told: dict[str, Any] = {"prediction": value}
    if item.interval:
        told |= {"lower": float(ends[0]), "upper": float(ends[1])}
    if item.explain:
        base, contributions = shapley(_function(item.kind, models), np.array(item.house), models.background)
        told["explanation"] = {"base": base, "contributions": dict(zip(FEATURES, contributions.tolist(), strict=True))}
    return told


def _function(kind: Kind, models: Trained) -> Callable[[Floats], Floats]:
    if kind is Kind.svr:
        return models.svr.predict
    return lambda rows: models.boosted.predict(rows)[:, 0]
