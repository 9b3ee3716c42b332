"""Properties of runs and stages as short vectors: hashed n-grams of texts, bits of numbers, an auto-encoder's code.

As in Scheinert et al., "Bellamy: Reusing Performance Models for Distributed Dataflow Jobs Across Contexts", CLUSTER
2021: one vector form for all properties, those that always matter side by side, the others as their mean.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.scaleout.records import Context, Stage
from models.scaleout.signature import names_something

Floats = NDArray[np.float64]
Property = str | int

# The first place says whether the rest is a text or a number.
WIDTH = 40
CODE = 4
CODES = 4 * CODE
_PLACES = WIDTH - 1
_GRAMS = (2, 3)


@lru_cache(maxsize=8192)
def vector(value: Property) -> Floats:
    """(WIDTH,) of a text, as its hashed n-grams of unit length, or of a number, as its bits."""
    found = np.zeros(WIDTH)
    if isinstance(value, int):
        number = min(max(value, 0), 2**_PLACES - 1)
        found[1:] = [number >> bit & 1 for bit in range(_PLACES)]
        return found
    found[0] = 1.0
    text = f" {value.lower().strip()} "
    for length in _GRAMS:
        for start in range(len(text) - length + 1):
            found[1 + crc32(text[start : start + length].encode()) % _PLACES] += 1.0
    found[1:] /= max(float(np.linalg.norm(found[1:])), 1e-9)
    return found


def others(context: Context) -> tuple[Property, ...]:
    """Properties of a run that may or may not matter; those that are not told are left out.

    Without those that are another number or path for each input: a code says nothing of inputs that were never seen,
    and learned by heart it does harm there. The size counts as a number, in `history`.
    """
    arguments = " ".join(argument for argument in context.arguments if names_something(argument))
    versions = " ".join(f"{name}={version}" for name, version in sorted(context.versions.items()))
    texts = (arguments, context.data_characteristics, context.machine, context.environment, versions)
    numbers = (context.cores, context.memory_mb)
    told: list[Property] = [text for text in texts if text]
    return (*told, *(round(number) for number in numbers if number is not None and np.isfinite(number)))


def properties(context: Context, stages: Iterable[Stage]) -> set[Property]:
    """All of a run, for the auto-encoder to learn."""
    found: set[Property] = {context.algorithm, *others(context)}
    for stage in stages:
        found |= {stage.name, stage.num_tasks}
    return found


class Coder:
    """The encoder of a trained auto-encoder.

    Parameters
    ----------
    arrays : `coder_first` (WIDTH, m), `coder_first_bias` (m,), `coder_second` (m, CODE), `coder_second_bias` (CODE,).
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        names = ("coder_first", "coder_first_bias", "coder_second", "coder_second_bias")
        self.arrays = {name: np.asarray(arrays[name], dtype=np.float32) for name in names}
        self._known: dict[Property, Floats] = {}
        self._contexts: dict[tuple[Property, ...], Floats] = {}

    def code(self, value: Property) -> Floats:
        """(CODE,)"""
        found = self._known.get(value)
        if found is None:
            first, first_bias, second, second_bias = self.arrays.values()
            found = np.tanh(np.tanh(vector(value) @ first + first_bias) @ second + second_bias).astype(float)
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[value] = found
        return found

    def of_context(self, context: Context) -> Floats:
        """(2 * CODE,) the algorithm's, and the mean of all other properties."""
        key = (context.algorithm, *others(context))
        found = self._contexts.get(key)
        if found is None:
            rest = [self.code(value) for value in key[1:]] or [np.zeros(CODE)]
            found = np.concatenate([self.code(key[0]), np.mean(rest, axis=0)])
            if len(self._contexts) > 1000:
                self._contexts.clear()
            self._contexts[key] = found
        return found

    def of_stage(self, stage: Stage) -> Floats:
        """(2 * CODE,) its name's and its number of tasks'."""
        return np.concatenate([self.code(stage.name), self.code(stage.num_tasks)])
