"""Numbers of runs: what a run time may depend on, as columns whose slopes can be supposed beforehand.

A run time shrinks with the scale-out and grows with the data; of an argument nothing is known beforehand. All are taken
as logarithms, so that a slope is an exponent: half the time at twice the machines is -1.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scaleout.learning.gaussian import Trend
from models.scaleout.records import Application, Context

Floats = NDArray[np.float64]

# Column: mean and deviation of the slope, and the scale of the covariance that is not linear.
_SUPPOSED = {
    "scale_out": (-0.7, 0.3, 0.3),
    "data_size_mb": (1.0, 0.3, 0.3),
    "cores": (-0.7, 0.3, 0.3),
    "memory_per_core": (0.0, 0.2, 0.2),
}
_ARGUMENT = (0.0, 0.3, 0.5)
_KIND = (0.0, 0.3, 0.5)
# Beyond so many different words a column of each would be a name for every run.
_MOST_WORDS = 8
_NAMED = re.compile(r"^-{0,2}(?P<name>[A-Za-z_][\w.-]*)\s*=\s*(?P<value>.+)$")
_FLAG = re.compile(r"^--?(?P<name>[A-Za-z_][\w.-]*)$")
_POWERS = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_NUMBER = re.compile(r"^(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<power>[kKmMgGtT]?)[bB]?$")


def scale_out_of(run: Application) -> float | None:
    """The scale-out a run is compared by: that of its jobs, weighted by their times; else that of the run."""
    weighted = [
        ((job.start_scale_out + (job.end_scale_out or job.start_scale_out)) / 2, job.runtime_s)
        for job in run.jobs
        if job.start_scale_out and job.runtime_s
    ]
    total = sum(time for _, time in weighted)
    if total > 0:
        return sum(scale_out * time for scale_out, time in weighted) / total
    ends = [float(end) for end in (run.start_scale_out, run.end_scale_out) if end]
    return sum(ends) / len(ends) if ends else None


def finished(history: Iterable[Application], context: Context) -> list[Application]:
    """Those of the same system and algorithm that can be learnt from, the oldest first; targets never matter.

    A system or algorithm that was not told may be any.
    """
    same = (
        run
        for run in history
        if _alike(run.context.system, context.system) and _alike(run.context.algorithm, context.algorithm)
    )
    return sorted((run for run in same if run.runtime_s and scale_out_of(run)), key=lambda run: run.start_s or 0.0)


def _alike(one: str, other: str) -> bool:
    return one == other or not one or not other


def values(context: Context) -> dict[str, float | str]:
    """What a context says, by the names of the columns; what is not told is missing."""
    found: dict[str, float | str] = {}
    if _positive(context.data_size_mb):
        found["data_size_mb"] = float(context.data_size_mb or 0.0)
    if _positive(context.cores):
        found["cores"] = float(context.cores or 0)
        if _positive(context.memory_mb):
            found["memory_per_core"] = float(context.memory_mb or 0.0) / float(context.cores or 1)
    elif _positive(context.memory_mb):
        found["memory_mb"] = float(context.memory_mb or 0.0)
    for name in ("machine", "environment"):
        if text := getattr(context, name):
            found[name] = text
    found |= _arguments("argument", context.arguments)
    return found | _arguments("data", re.split(r"[,;\s]+", context.data_characteristics.strip()))


def _arguments(kind: str, arguments: Sequence[str]) -> dict[str, float | str]:
    """`--name value`, `name=value` and bare ones, which are known by their place."""
    found: dict[str, float | str] = {}
    name = ""
    for place, argument in enumerate(arguments):
        text = argument.strip()
        if not text:
            continue
        if named := _NAMED.match(text):
            found[f"{kind} {named['name']}"], name = _value(named["value"]), ""
        elif flag := _FLAG.match(text):
            name = flag["name"]
            found[f"{kind} {name}"] = "set"
        else:
            found[f"{kind} {name or place}"], name = _value(text), ""
    return found


def _value(text: str) -> float | str:
    if (number := _NUMBER.match(text.strip())) is None:
        return text.strip()
    value = float(number["number"]) * _POWERS.get(number["power"].lower(), 1.0)
    return value if math.isfinite(value) else text.strip()


def _positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


@dataclass(frozen=True)
class _Column:
    """One number of a run. `zero` is what a share or count that may be 0 is divided by; `word` makes it 0 or 1."""

    name: str
    missing: float
    zero: float | None = None
    word: str | None = None

    def of(self, found: dict[str, float | str]) -> float:
        value = found.get(self.name)
        if self.word is not None:
            return self.missing if value is None else float(value == self.word)
        if not isinstance(value, float) or (self.zero is None and value <= 0):
            return self.missing
        return math.log(value) if self.zero is None else math.asinh(value / self.zero)


@dataclass(frozen=True)
class Space:
    """The columns in which some runs differ.

    Attributes
    ----------
    trend : of the columns, the scale-out's first.
    """

    columns: tuple[_Column, ...]
    trend: Trend

    @classmethod
    def of(cls, contexts: Sequence[Context]) -> "Space":
        """Of runs in these contexts, and of those that will be asked about; what is the same in all is left out."""
        told = [values(context) for context in contexts]
        columns: list[_Column] = []
        supposed = [_SUPPOSED["scale_out"]]
        for name in sorted({name for found in told for name in found}):
            here = [found[name] for found in told if name in found]
            for column in _columns(name, here, len(told)):
                columns.append(column)
                supposed.append(_KIND if column.word is not None else _SUPPOSED.get(name, _ARGUMENT))
        mean, deviation, scale = np.array(supposed).T
        return cls(tuple(columns), Trend(mean, deviation, scale))

    def rows(self, contexts: Sequence[Context], scale_outs: Sequence[float]) -> Floats:
        """(n, n_features), of one context for each scale-out."""
        found = [values(context) for context in contexts]
        rows = [
            [math.log(max(scale_out, 1e-3)), *(column.of(one) for column in self.columns)]
            for one, scale_out in zip(found, scale_outs, strict=True)
        ]
        return np.array(rows, float).reshape(len(rows), 1 + len(self.columns))


def _columns(name: str, here: Sequence[float | str], runs: int) -> list[_Column]:
    words = sorted({value for value in here if isinstance(value, str)})
    numbers = [value for value in here if not isinstance(value, str)]
    columns = []
    if len(words) + bool(numbers) > 1 or (words and len(here) < runs):
        # The first word is what the others are compared with, unless there are runs without any.
        compared = words if numbers or len(here) < runs else words[1:]
        columns += [_Column(name, 0.0, word=word) for word in compared[:_MOST_WORDS]]
    if len(set(numbers)) > 1:
        positive = [value for value in numbers if value > 0]
        zero = None if len(positive) == len(numbers) else float(np.median(positive or [1.0]))
        plain = _Column(name, 0.0, zero)
        columns.append(_Column(name, float(np.median([plain.of({name: value}) for value in numbers])), zero))
    return columns
