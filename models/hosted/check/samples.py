"""What a model is asked when it is checked: seeded random rows, and rows at the edges."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from common.serving.tensors import Array, TensorSpec
from models.hosted.formats.datatypes import NUMPY

# Lengths that are tried for dimensions of which the file says nothing, beside the batch.
LENGTHS = (1, 8, 16, 3, 32, 64, 224)
_AROUND = 8
_EDGES = (0.0, 1.0, -1.0, 0.5, 1e-6, -1e-6, 1e6, -1e6, 100.0, -0.0)


def rows(
    specs: Sequence[TensorSpec], count: int, length: int, values: Mapping[str, Sequence[Any]], seed: int = 0
) -> dict[str, Array]:
    """`count` random rows for each input; fixed dimensions are kept, a fixed first one too.

    Parameters
    ----------
    length : of free dimensions other than the first.
    values : to choose from, by input.
    """
    random = np.random.default_rng(seed)
    feeds = {}
    for spec in specs:
        shape = shape_of(spec, count, length)
        feeds[spec.name] = _values(random, spec, shape, values.get(spec.name))
    return feeds


def edges(specs: Sequence[TensorSpec], values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Array]]:
    """Rows of one value each, for inputs whose rows are free."""
    for value in _EDGES:
        feeds = rows(specs, 4, 1, values, seed=1)
        for spec in specs:
            if spec.datatype in ("FP32", "FP64"):
                feeds[spec.name] = np.full_like(feeds[spec.name], value)
        yield feeds


def at_thresholds(spec: TensorSpec, branches: Sequence[tuple[int, float]], most: int = 2000) -> Array:
    """Rows that lie on a branch of a tree, just below and just above, as single and as decimal numbers.

    Returns
    -------
    (n, features) float64
    """
    random = np.random.default_rng(2)
    chosen = [branches[place] for place in random.permutation(len(branches))[:most]]
    made = np.asarray(random.normal(size=(_AROUND * len(chosen), spec.shape[1])))
    for number, (feature, value) in enumerate(chosen):
        single, far = np.float32(value), np.float32(np.inf)
        # Data of life are decimal: 4.95 lies beyond a branch at the single number that is nearest to it.
        decimal = [round(float(value), places) for places in (1, 2, 3, 4, 6)]
        around = (single, np.nextafter(single, -far), np.nextafter(single, far), *decimal)
        made[_AROUND * number : _AROUND * (number + 1), feature] = around
    return made


def shape_of(spec: TensorSpec, count: int, length: int) -> tuple[int, ...]:
    if not spec.shape:
        return ()
    first = count if spec.shape[0] == -1 else spec.shape[0]
    return (first, *(length if size == -1 else size for size in spec.shape[1:]))


def _values(
    random: np.random.Generator, spec: TensorSpec, shape: tuple[int, ...], choices: Sequence[Any] | None
) -> Array:
    if spec.datatype == "BYTES":
        texts = choices or [b"a", b"text"]
        made = np.empty(int(np.prod(shape)), object)
        made[:] = [texts[place] for place in random.integers(len(texts), size=made.size)]
        return made.reshape(shape)
    kind = np.dtype(NUMPY[spec.datatype])
    if kind.kind == "f":
        # Of several sizes: standardised data, and such as comes from life.
        scale = 10.0 ** random.integers(-1, 3, size=shape)
        return (random.normal(size=shape) * (scale if kind.itemsize > 2 else 1)).astype(kind)
    return random.integers(0, 2, size=shape).astype(kind)
