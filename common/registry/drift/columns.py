"""Tensors and items as columns: what a row of a sample is. Pure.

A tensor of shape (n, 1) or (n,) is the column of its name; one of up to 256 numbers a row is `name.0`, `name.1` and so
on; of larger ones (images, embeddings) mean and standard deviation are kept. Of a text its length is kept, unless it is
asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

INPUT, OUTPUT, LENGTH = "input.", "output.", ".length"
MOST_COLUMNS = 256
MOST_CHARS = 200
_MOST_NAME_CHARS = 200
_TEXTS = "OSU"


@dataclass(frozen=True)
class Plan:
    """What becomes of a tensor of one shape: its columns, and which of its numbers they are (None: all)."""

    names: tuple[str, ...]
    kept: "NDArray[np.intp] | None" = None
    is_wide: bool = False
    is_text: bool = False


@dataclass
class Layout:
    """What is kept of the tensors of a model; the plan of each is made once.

    Parameters
    ----------
    drop : tensors and columns that are not kept.
    texts : tensors and columns whose texts are.
    """

    drop: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    _plans: dict[tuple[str, str, int, bool], Plan] = field(default_factory=dict)

    def block(self, side: str, name: str, array: "Array") -> "tuple[tuple[str, ...], Array]":
        """Columns' names, and (n_rows, n_columns) of them: float64, or texts.

        Parameters
        ----------
        side : `INPUT` or `OUTPUT`, which names begin with.
        array : (n_rows, …).
        """
        rows = array.shape[0]
        flat = array.reshape(rows, prod(array.shape[1:]))
        is_text = array.dtype.kind in _TEXTS
        key = (side, name, flat.shape[1], is_text)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= MOST_COLUMNS:
                self._plans.clear()
            plan = self._plans[key] = self._plan(*key)
        if not plan.names:
            return (), flat[:, :0]
        if plan.is_wide:
            return plan.names, _summary(flat)
        if plan.kept is not None:
            flat = flat[:, plan.kept]
        if not is_text:
            return plan.names, flat.astype(np.float64)
        return plan.names, _texts(flat) if plan.is_text else _lengths(flat)

    @staticmethod
    def rows_of(tensors: "Mapping[str, Array]") -> int:
        """How many rows tensors have in common; 0 where they have none."""
        rows = -1
        for array in tensors.values():
            shape = array.shape
            found = shape[0] if shape else 0
            if rows not in (-1, found):
                return 0
            rows = found
        return max(rows, 0)

    def keeps(self, *names: str) -> bool:
        return not any(name in self.drop for name in names)

    def _plan(self, side: str, name: str, width: int, is_text: bool) -> Plan:
        called = (name[:_MOST_NAME_CHARS]).replace("\0", "")
        if width == 0 or not self.keeps(name, side + name):
            return Plan(())
        keeps_text = is_text and (name in self.texts or side + name in self.texts)
        end = LENGTH if is_text and not keeps_text else ""
        if width == 1:
            return Plan((f"{side}{called}{end}",), is_text=keeps_text)
        if width > MOST_COLUMNS:
            return Plan(() if is_text else (f"{side}{called}.mean", f"{side}{called}.std"), is_wide=not is_text)
        kept = [at for at in range(width) if self.keeps(f"{name}.{at}", f"{side}{name}.{at}")]
        names = tuple(f"{side}{called}.{at}{end}" for at in kept)
        return Plan(names, None if len(kept) == width else np.array(kept, np.intp), is_text=keeps_text)


def flat(row: Mapping[str, Any]) -> dict[str, float | str | None]:
    """Numbers and texts of an item, `a.b` for one within another; lists and the like are left out."""
    found: dict[str, float | str | None] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": item for inner, item in flat(value).items()}
        elif value is None or isinstance(value, str):
            found[str(name)] = value
        elif isinstance(value, bool | int | float | np.number | np.bool_):
            found[str(name)] = float(value)
    return found


def of_rows(rows: Sequence[Mapping[str, float | str | None]]) -> "dict[str, Array]":
    """Items as tensors of shape (n,): numbers, NaN where there is none, or texts."""
    names = dict.fromkeys(name for row in rows for name in row)
    found: dict[str, Array] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, str) for value in values):
            column = np.empty(len(values), dtype=np.object_)
            column[:] = ["" if value is None else str(value) for value in values]
            found[name] = column
        else:
            found[name] = np.array([np.nan if value is None else value for value in values], np.float64)
    return found


def together(tables: "Iterable[Mapping[str, Array]]") -> "dict[str, Array]":
    """Columns of several tables as one table; NaN or an empty text where a table has no such column."""
    parts = [table for table in tables if table]
    names = dict.fromkeys(name for part in parts for name in part)
    sizes = [len(next(iter(part.values()))) for part in parts]
    return {name: _column([part.get(name) for part in parts], sizes) for name in names}


def _column(pieces: "Sequence[Array | None]", sizes: Sequence[int]) -> "Array":
    is_text = any(piece is not None and piece.dtype.kind in _TEXTS for piece in pieces)
    missing: Any = "" if is_text else np.nan
    filled = [
        np.full(size, missing) if piece is None else piece.astype(np.str_ if is_text else np.float64)
        for piece, size in zip(pieces, sizes, strict=True)
    ]
    return np.concatenate(filled)


def _summary(flat: "Array") -> "Array":
    with np.errstate(all="ignore"):
        numbers = flat.astype(np.float64)
        return np.stack([numbers.mean(axis=1), numbers.std(axis=1)], axis=1)


def _texts(flat: "Array") -> "Array":
    return np.array([[text_of(cell)[:MOST_CHARS] for cell in row] for row in flat], dtype=np.str_)


def _lengths(flat: "Array") -> "Array":
    return np.array([[len(text_of(cell)) for cell in row] for row in flat], dtype=np.float64)


def text_of(cell: object) -> str:
    # NumPy's own texts drop what is after a NUL anyway, and CSV and JSON have none.
    told = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
    return told.replace("\0", "")
