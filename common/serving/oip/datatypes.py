"""Tensors of each datatype as JSON, as bytes, and as arrays. Pure.

BF16 tensors are float32 arrays here, which hold each of its values; BYTES are arrays of objects (`bytes`).

Source: https://github.com/kserve/open-inference-protocol (tensor data types, binary tensor data extension)
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from common.errors import Invalid
from common.serving.tensors import Array

# NumPy's own bound.
_MOST_DIMENSIONS = 64
_MOST_ELEMENTS = 2**48
# Below it, Python looks at numbers faster than NumPy does.
_FEW = 64
_LENGTH = struct.Struct("<I")
_JSON = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True)
class Datatype:
    """One of the protocol's.

    Parameters
    ----------
    dtype : of the arrays here.
    kind : NumPy's: `b`, `i`, `u`, `f`; `O` for BYTES.
    size : bytes an element, in binary; 0 for BYTES.
    beyond : the first number that would be rounded to infinity; 0 where JSON can hold none.
    """

    name: str
    dtype: "np.dtype[Any]"
    kind: str
    size: int
    beyond: float = 0.0


def _plain(name: str, dtype: str, beyond: float = 0.0) -> Datatype:
    found = np.dtype(dtype)
    return Datatype(name, found, found.kind, found.itemsize, beyond)


DATATYPES: dict[str, Datatype] = {
    found.name: found
    for found in (
        _plain("BOOL", "?"),
        *(_plain(f"UINT{8 * size}", f"<u{size}") for size in (1, 2, 4, 8)),
        *(_plain(f"INT{8 * size}", f"<i{size}") for size in (1, 2, 4, 8)),
        _plain("FP16", "<f2", 65_520.0),
        _plain("FP32", "<f4", float.fromhex("0x1.ffffffp127")),
        _plain("FP64", "<f8"),
        Datatype("BF16", np.dtype("<f4"), "f", 2, float.fromhex("0x1.ffp127")),
        Datatype("BYTES", np.dtype(object), "O", 0),
    )
}
_TOLD = {
    "b": "true and false",
    "i": "whole numbers",
    "u": "whole numbers from 0",
    "f": "numbers (NaN and infinity only as binary data)",
    "O": "texts",
}
_TAKEN: dict[str, frozenset[type]] = {
    "b": frozenset({bool}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "f": frozenset({float, int}),
    "O": frozenset({str}),
}


def checked_shape(name: str, shape: object) -> tuple[list[int], int]:
    """A tensor's shape, and how many elements it has.

    Raises
    ------
    Invalid
        It is no shape.
    """
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise Invalid.field(name, "shape is a list of whole numbers from 0, such as [1, 4]", shape, where="inputs")
    if len(shape) > _MOST_DIMENSIONS:
        raise Invalid.field(name, f"shape has {len(shape)} dimensions; at most {_MOST_DIMENSIONS}", where="inputs")
    count = math.prod(shape)
    if not count and math.prod(size for size in shape if size) > _MOST_ELEMENTS:
        # Of no elements, yet NumPy could not tell how far apart they were.
        raise Invalid.field(name, "shape is larger than any tensor can be", shape, where="inputs")
    return shape, count


def from_json(name: str, datatype: Datatype, shape: Sequence[int], count: int, data: object) -> Array:
    """The tensor whose elements JSON gives, flat or nested as its shape is.

    Raises
    ------
    Invalid
        They are of another kind or number, or beyond the datatype's range.
    """
    if not isinstance(data, list):
        raise Invalid.field(name, f"data is a list of {_TOLD[datatype.kind]}", data, where="inputs")
    flat, found = _flattened(name, data)
    # Without elements, what is nested within cannot be seen.
    if len(flat) != count or (len(found) > 1 and found != list(shape)[: None if count else len(found)]):
        given = f"{len(flat)} elements" if len(found) == 1 else f"the shape {found}"
        told = f"data has {given}; the shape {list(shape)} takes {count}, flat or nested alike"
        raise Invalid.field(name, told, where="inputs")
    kinds = set(map(type, flat))
    if not kinds <= _TAKEN[datatype.kind]:
        wrong = next(value for value in flat if type(value) not in _TAKEN[datatype.kind])
        raise Invalid.field(name, f"{datatype.name} takes {_TOLD[datatype.kind]}", wrong, where="inputs")
    if datatype.kind == "O":
        return _objects([text.encode() for text in flat], shape)
    try:
        return _numbers(datatype, flat).reshape(shape)
    except OverflowError:
        raise Invalid.field(name, f"a number is beyond the range of {datatype.name}", where="inputs") from None


def _flattened(name: str, data: list[Any]) -> tuple[list[Any], list[int]]:
    """The elements, and the shape in which they were nested."""
    found = [len(data)]
    while data and type(data[0]) is list:
        sizes = {len(part) if type(part) is list else -1 for part in data}
        if len(sizes) > 1 or len(found) >= _MOST_DIMENSIONS:
            told = "data is ragged: give lists of one length at each level, or all elements in one list"
            raise Invalid.field(name, told, where="inputs")
        found.append(sizes.pop())
        data = list(chain.from_iterable(data))
    return data, found


def _numbers(datatype: Datatype, flat: list[Any]) -> Array:
    """Raises OverflowError for one that is out of range; of too large a float NumPy would make an infinity."""
    if datatype.beyond and flat:
        is_long = len(flat) > _FEW
        largest = float(np.abs(np.array(flat, np.float64)).max()) if is_long else max(max(flat), -min(flat))
        if largest >= datatype.beyond:
            raise OverflowError
    made: Array = np.array(flat, datatype.dtype)
    return made


def from_binary(name: str, datatype: Datatype, shape: Sequence[int], count: int, data: memoryview) -> Array:
    """The tensor whose elements are in `data`, little-endian and row by row; where it can be, without a copy.

    Raises
    ------
    Invalid
        It has another length than the shape takes.
    """
    if datatype.kind == "O":
        return _objects(_split(name, count, data), shape)
    if len(data) != count * datatype.size:
        told = (
            f"{len(data)} bytes of binary data; {datatype.name} of the shape {list(shape)} takes "
            f"{_shown(count * datatype.size)}"
        )
        raise Invalid.field(name, told, where="inputs")
    if datatype.name == "BF16":
        upper = np.frombuffer(data, "<u2").astype("<u4")
        wide: Array = np.left_shift(upper, 16).view("<f4")
        return wide.reshape(shape)
    if datatype.kind == "b":
        # Any other byte would make a bool that is neither.
        flags: Array = np.frombuffer(data, "u1") != 0
        return flags.reshape(shape)
    found: Array = np.frombuffer(data, datatype.dtype)
    # The JSON before it is of any length.
    return (found if found.flags.aligned else found.copy()).reshape(shape)


def _split(name: str, count: int, data: memoryview) -> list[bytes]:
    """Elements of BYTES, each after its length in four bytes."""
    if count * _LENGTH.size > len(data):
        told = f"{_shown(count)} elements do not fit into {len(data)} bytes: each is its length in 4 bytes, then itself"
        raise Invalid.field(name, told, where="inputs")
    found, place = [], 0
    for number in range(count):
        start = place + _LENGTH.size
        # Not before: the last one may be cut within its length.
        end = start + _LENGTH.unpack_from(data, place)[0] if start <= len(data) else len(data) + 1
        if end > len(data):
            told = (
                f"element {number} ends beyond the {len(data)} bytes of the tensor; lengths are 4 bytes, little-endian"
            )
            raise Invalid.field(name, told, where="inputs")
        found.append(bytes(data[start:end]))
        place = end
    if place != len(data):
        told = f"{len(data) - place} bytes are left after {count} elements; the shape has to tell all of them"
        raise Invalid.field(name, told, where="inputs")
    return found


def _objects(elements: list[bytes], shape: Sequence[int]) -> Array:
    # `np.array` would make a dimension of bytes of equal length, and cut zeros off their ends.
    made = np.empty(len(elements), object)
    made[:] = elements
    return made.reshape(shape)


def to_json(name: str, datatype: Datatype, array: Array) -> bytes:
    """The elements as a flat JSON list; NaN and infinity, which JSON has not, as null.

    Raises
    ------
    Invalid
        They are bytes and no text.
    """
    flat = array.ravel()
    if datatype.kind == "O":
        try:
            return orjson.dumps([_as_bytes(element).decode() for element in flat])
        except UnicodeDecodeError:
            told = 'holds bytes that are no UTF-8 text; ask for it with {"parameters": {"binary_data": true}}'
            raise Invalid.field(name, told, where="outputs") from None
    return orjson.dumps(_native(datatype, flat), option=_JSON)


def to_binary(datatype: Datatype, array: Array) -> bytes:
    """The elements, little-endian and row by row."""
    if datatype.kind == "O":
        parts: list[bytes] = []
        for element in map(_as_bytes, array.ravel()):
            parts += (_LENGTH.pack(len(element)), element)
        return b"".join(parts)
    found = _native(datatype, array)
    return _as_bf16(found).tobytes() if datatype.name == "BF16" else found.tobytes()


def _native(datatype: Datatype, array: Array) -> Array:
    return array if array.dtype == datatype.dtype else array.astype(datatype.dtype)


def _as_bytes(element: object) -> bytes:
    return element if isinstance(element, bytes) else str(element).encode()


def _as_bf16(array: Array) -> Array:
    """The upper halves, rounded to the nearest, to even between two; NaN stays one."""
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(array), 0x7FC0, rounded).astype("<u2")


def _shown(number: int) -> str:
    """A number that a caller made up, which may have a thousand digits."""
    return str(number) if number < 2**63 else "more than there can be"
