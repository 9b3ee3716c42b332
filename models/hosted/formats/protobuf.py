"""The little of an ONNX file that has to be known before the runtime opens it, read without the `onnx` package.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The wire format is that of
https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Message -> field -> message, along which tensors are found.
_TREE = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {13: "entry"},
}
_DEEPEST = 64


class Damaged(ValueError):
    """It is no protobuf, or cut short."""


def external_files(content: memoryview) -> list[str]:
    """Names of the files in which a model keeps tensors, as it gives them.

    Raises
    ------
    Damaged
    """
    return sorted(set(_locations(content, "model", 0)))


def producer(content: memoryview) -> str:
    """Name and version of what wrote the model; empty where it does not tell."""
    found = {number: bytes(value) for number, value in _fields(content) if number in (2, 3)}
    return " ".join(found[number].decode("utf-8", "replace") for number in (2, 3) if found.get(number)).strip()


def _locations(content: memoryview, message: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise Damaged("graphs lie too deep in each other")
    if message == "entry":
        pair = {number: bytes(value).decode("utf-8", "replace") for number, value in _fields(content)}
        if pair.get(1) == "location":
            yield pair.get(2, "")
        return
    below = _TREE[message]
    for number, value in _fields(content):
        if number in below:
            yield from _locations(value, below[number], depth + 1)


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field that holds bytes; the others are stepped over."""
    at, end = 0, len(content)
    while at < end:
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, at = _varint(content, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, at = _varint(content, at)
            if at + size > end:
                raise Damaged("it is cut short")
            yield number, content[at : at + size]
            at += size
        else:
            raise Damaged("it is no protobuf")
    if at != end:
        raise Damaged("it is cut short")


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise Damaged("it is cut short")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
