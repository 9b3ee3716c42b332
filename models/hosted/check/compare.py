"""Whether two ways to serve a model answer the same: on random rows, rows at the edges, and where its trees branch."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from common.serving.tensors import Array
from models.hosted.check import samples
from models.hosted.formats import Found, Runner
from models.hosted.formats.datatypes import NUMPY

_ROWS = 500
_RTOL, _ATOL = 1e-5, 1e-6


def same(found: Found, runner: Runner, other: Found, compiled: Runner) -> bool:
    """Labels have to be equal, numbers to five digits.

    The compiled one is asked in its own datatype; the original is asked the same numbers, not rounded.
    """
    for feeds in _asked(found):
        expected = runner.run(feeds)
        told = compiled.run(_as(other, feeds))
        if set(told) != set(expected):
            return False
        if not all(_equal(told[name], expected[name]) for name in expected):
            return False
    return True


def _asked(found: Found) -> Iterator[dict[str, Array]]:
    specs, values = found.card.inputs, found.values
    yield samples.rows(specs, _ROWS, 1, values, seed=11)
    yield samples.rows(specs, 1, 1, values, seed=12)
    yield from samples.edges(specs, values)
    branches = found.branches
    if branches and len(specs) == 1 and specs[0].datatype == "FP64":
        yield {specs[0].name: samples.at_thresholds(specs[0], branches)}


def _as(other: Found, feeds: dict[str, Array]) -> dict[str, Array]:
    return {
        spec.name: feeds[spec.name] if spec.datatype == "BYTES" else feeds[spec.name].astype(NUMPY[spec.datatype])
        for spec in other.card.inputs
    }


def _equal(told: Any, expected: Any) -> bool:
    one, two = np.asarray(told), np.asarray(expected)
    # skl2onnx gives numbers of a regression as a column.
    if one.ndim == two.ndim + 1 and one.shape[-1] == 1:
        one = one[..., 0]
    if one.shape != two.shape:
        return False
    if two.dtype.kind == "f":
        return bool(np.allclose(one, two, rtol=_RTOL, atol=_ATOL, equal_nan=True))
    return bool(np.array_equal(one, two))
