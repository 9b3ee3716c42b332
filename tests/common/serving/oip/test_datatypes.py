import math
import struct

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.errors import Invalid
from common.serving.oip.datatypes import (
    DATATYPES,
    checked_shape,
    from_binary,
    from_json,
    to_binary,
    to_json,
)

NUMERIC = [name for name in DATATYPES if name not in ("BYTES", "BF16")]


@pytest.mark.parametrize("name", NUMERIC)
@given(data=st.data())
def test_a_tensor_is_the_same_after_it_was_written_as_bytes_and_read(name: str, data: st.DataObject) -> None:
    datatype = DATATYPES[name]
    array = data.draw(arrays.arrays(datatype.dtype, arrays.array_shapes(max_dims=3, max_side=4, min_side=0)))
    found = from_binary("X", datatype, array.shape, array.size, memoryview(to_binary(datatype, array)))
    assert found.dtype == datatype.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("name", NUMERIC)
@given(data=st.data())
def test_a_tensor_is_the_same_after_it_was_written_as_json_and_read(name: str, data: st.DataObject) -> None:
    datatype = DATATYPES[name]
    elements = arrays.from_dtype(datatype.dtype, allow_nan=False, allow_infinity=False)
    array = data.draw(
        arrays.arrays(datatype.dtype, arrays.array_shapes(max_dims=3, max_side=4, min_side=0), elements=elements)
    )
    flat = orjson.loads(to_json("X", datatype, array))
    np.testing.assert_array_equal(from_json("X", datatype, array.shape, array.size, flat), array)
    np.testing.assert_array_equal(from_json("X", datatype, array.shape, array.size, array.tolist()), array)


@given(elements=st.lists(st.binary(max_size=20), max_size=8))
def test_bytes_are_the_same_after_they_were_written_and_read(elements: list[bytes]) -> None:
    bytes_ = DATATYPES["BYTES"]
    array = np.empty(len(elements), object)
    array[:] = elements
    written = to_binary(bytes_, array)
    assert written == b"".join(struct.pack("<I", len(element)) + element for element in elements)
    assert from_binary("X", bytes_, [len(elements)], len(elements), memoryview(written)).tolist() == elements


@given(value=st.floats(width=32))
def test_bf16_is_the_nearest_of_its_values(value: float) -> None:
    datatype = DATATYPES["BF16"]
    written = to_binary(datatype, np.array([value], np.float32))
    found = float(from_binary("X", datatype, [1], 1, memoryview(written))[0])
    if math.isnan(value):
        assert math.isnan(found)
        return
    bits = int(np.array([value], np.float32).view(np.uint32)[0])
    below, above = (np.array([b << 16], np.uint32).view(np.float32)[0] for b in (bits >> 16, (bits >> 16) + 1))
    if math.isinf(above) or math.isnan(above):
        return
    assert abs(found - value) == min(abs(float(below) - value), abs(float(above) - value))


def test_bf16_values_of_the_specification_are_read() -> None:
    # 1.0, -2.0 and 3.140625: the upper halves of their FP32.
    data = struct.pack("<3H", 0x3F80, 0xC000, 0x4049)
    found = from_binary("X", DATATYPES["BF16"], [3], 3, memoryview(data))
    assert found.tolist() == [1.0, -2.0, 3.140625]


def test_a_tensor_that_begins_between_two_elements_can_be_read() -> None:
    data = b"x" + np.array([1.5, 2.5], "<f8").tobytes()
    found = from_binary("X", DATATYPES["FP64"], [2], 2, memoryview(data)[1:])
    assert found.flags.aligned
    assert found.tolist() == [1.5, 2.5]


def test_an_aligned_tensor_is_not_copied() -> None:
    data = np.array([1.5, 2.5], "<f8").tobytes()
    found = from_binary("X", DATATYPES["FP64"], [2], 2, memoryview(data))
    assert not found.flags.owndata


def test_what_json_has_not_is_written_as_null() -> None:
    assert to_json("Y", DATATYPES["FP32"], np.array([1.5, np.nan, np.inf], np.float32)) == b"[1.5,null,null]"


def test_bytes_that_are_no_text_are_told_to_be_asked_for_as_binary() -> None:
    array = np.array([b"\xff"], object)
    with pytest.raises(Invalid, match="binary_data"):
        to_json("Y", DATATYPES["BYTES"], array)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("FP32", [1, None], "numbers"),
        ("FP32", [1, "2"], "numbers"),
        ("FP32", [1, True], "numbers"),
        ("FP32", [1, 1e39], "range of FP32"),
        ("FP32", [0.0] * 99 + [-1e39], "range of FP32"),
        ("FP16", [1, 70_000], "range of FP16"),
        ("INT8", [1, 128], "range of INT8"),
        ("UINT8", [1, -1], "range of UINT8"),
        ("INT64", [1, 2**63], "range of INT64"),
        ("INT64", [1, 1.0], "whole numbers"),
        ("INT64", [1, True], "whole numbers"),
        ("BOOL", [1, 0], "true and false"),
        ("BYTES", ["a", 1], "texts"),
        ("FP32", [[1, 2], [3]], "ragged"),
        ("FP32", [[1], 2], "ragged"),
        ("FP32", [1, [2]], "numbers"),
        ("FP32", {"a": 1}, "data is a list"),
        ("FP32", 1, "data is a list"),
        ("FP32", None, "data is a list"),
    ],
)
def test_elements_of_another_kind_are_refused_with_what_to_send(name: str, data: object, told: str) -> None:
    shape = [len(data)] if isinstance(data, list) else [1]
    with pytest.raises(Invalid, match=told):
        from_json("X", DATATYPES[name], shape, shape[0], data)


@pytest.mark.parametrize(
    ("shape", "data"), [([3], [1, 2]), ([2, 2], [[1, 2, 3, 4]]), ([4], [[1, 2], [3, 4]]), ([], []), ([0], [1])]
)
def test_data_of_another_shape_are_refused(shape: list[int], data: list[float]) -> None:
    with pytest.raises(Invalid, match="the shape"):
        from_json("X", DATATYPES["FP32"], shape, math.prod(shape), data)


@pytest.mark.parametrize(
    "shape", [None, 3, "3", [-1], [1.0], [True], ["1"], [[1]], [1] * 65, [0, 2**62], [0, 2**40, 2**40]]
)
def test_what_is_no_shape_is_refused(shape: object) -> None:
    with pytest.raises(Invalid, match="shape"):
        checked_shape("X", shape)


def test_a_shape_of_more_elements_than_there_can_be_is_refused_before_memory_is_taken() -> None:
    shape, count = checked_shape("X", [2**62, 2**62, 2**62])
    with pytest.raises(Invalid, match="more than there can be"):
        from_binary("X", DATATYPES["FP32"], shape, count, memoryview(b"1234"))
    with pytest.raises(Invalid, match="more than there can be"):
        from_binary("X", DATATYPES["BYTES"], shape, count, memoryview(b"1234"))
    with pytest.raises(Invalid, match="takes"):
        from_json("X", DATATYPES["FP32"], shape, count, [1.0])


@pytest.mark.parametrize(
    ("data", "count", "told"),
    [
        (struct.pack("<I", 100) + b"abc", 1, "ends beyond"),
        (struct.pack("<I", 2**32 - 1) + b"abc", 1, "ends beyond"),
        (struct.pack("<I", 1) + b"a" + b"\1\0", 2, "do not fit|ends beyond"),
        (struct.pack("<I", 2) + b"ab" + b"\1\0", 2, "ends beyond"),
        (struct.pack("<I", 1) + b"ab", 1, "are left"),
        (b"", 1, "do not fit"),
        (b"", 2**70, "do not fit"),
    ],
)
def test_lengths_beyond_the_tensor_are_refused(data: bytes, count: int, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        from_binary("X", DATATYPES["BYTES"], [count], count, memoryview(data))


def test_binary_data_of_another_length_are_refused_with_the_right_one() -> None:
    with pytest.raises(Invalid, match=r"3 bytes.*takes 8"):
        from_binary("X", DATATYPES["FP32"], [2], 2, memoryview(b"abc"))


def test_any_byte_but_zero_is_true() -> None:
    found = from_binary("X", DATATYPES["BOOL"], [3], 3, memoryview(b"\0\1\2"))
    assert found.tolist() == [False, True, True]
    assert to_binary(DATATYPES["BOOL"], found) == b"\0\1\1"
