"""Answers read into numbers and levels."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np

from common.errors import Invalid
from models._clustering.rows import Floats, Ints

_PLAIN = {str, int, float, bool}


@dataclass(frozen=True, eq=False)
class Levels:
    """A categorical question.

    Attributes:
        codes: (n,) places in `levels`, -1 where not answered.
        levels: the answers that occur, the most frequent first, equal ones as they come.
    """

    codes: Ints
    levels: list[Any]


def answered(column: Sequence[Any]) -> np.ndarray:
    """(n,) bool; blank text is no answer."""
    return np.fromiter((value is not None and not _is_blank(value) for value in column), np.bool_, len(column))


def read_levels(column: Sequence[Any], name: str) -> Levels:
    """The levels of a question. 1 and 1.0 are one level; 1, "1" and true are three.

    Raises
    ------
    Invalid
        An answer is no text, number, true or false.
    """
    kinds = _kinds(column, name)
    # Python takes true for 1, in tables of keys too.
    keys: Sequence[Any] = [(type(value) is bool, value) for value in column] if bool in kinds else column
    counts = Counter(keys)
    levels = [key for key, _ in counts.most_common() if not _is_blank(key[1] if bool in kinds else key)]
    place = {key: at for at, key in enumerate(levels)}
    codes = np.fromiter((place.get(key, -1) for key in keys), np.int64, len(column))
    return Levels(codes, [key[1] for key in levels] if bool in kinds else levels)


def read_numbers(column: Sequence[Any], name: str) -> Floats:
    """(n,) NaN where not answered. Numbers may be given as text.

    Raises
    ------
    Invalid
        An answer is no number.
    """
    kinds = _kinds(column, name)
    if kinds <= {int, float}:
        try:
            return np.array(column, np.float64)
        except OverflowError:
            pass
    return np.fromiter((_number(value, name, at) for at, value in enumerate(column)), np.float64, len(column))


def _kinds(column: Sequence[Any], name: str) -> set[type]:
    """The types of the answers, all of them plain and all numbers finite."""
    kinds = set(map(type, column)) - {NoneType}
    if not kinds <= _PLAIN:
        at, value = next((at, value) for at, value in enumerate(column) if type(value) not in {*_PLAIN, NoneType})
        message = "not a single answer; send text, a number, true, false or null, and a column for each of several"
        raise Invalid.field(f"data.{name}.{at}", message, value)
    if float in kinds:
        for at, value in enumerate(column):
            if type(value) is float and not math.isfinite(value):
                raise Invalid.field(f"data.{name}.{at}", "not a finite number; send null for a missing answer", value)
    return kinds


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number(value: object, name: str, at: int) -> float:
    if _is_blank(value):
        return math.nan
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        message = "not a number, but its question is continuous; send a number or null, or call it categorical"
        raise Invalid.field(f"data.{name}.{at}", message, value)
    return number
