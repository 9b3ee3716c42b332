import enum
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter

from common.errors import Invalid
from common.serving.oip.columns import WHOLE, Columns, answer_columns, outputs_of, request_columns, requests_of
from common.serving.tensors import Array, TensorSpec


class Kind(enum.StrEnum):
    A = "a"


class Inner(BaseModel):
    x: int


class Row(BaseModel):
    text: str
    count: int
    amount: float
    flag: bool
    kind: Kind
    inner: Inner
    numbers: list[float]
    first: int | str
    maybe: float | None = None


class Listed(BaseModel):
    items: list[str]
    mode: str = "quick"


class Answer(BaseModel):
    score: float
    label: str
    rank: int | None = None
    sure: bool | None = None
    why: Inner | None = None


class ListedAnswer(BaseModel):
    scores: list[float]
    words: list[list[str]]
    model: str


def request(model: type[BaseModel]) -> Columns:
    return request_columns(model.model_json_schema())


def answer(kind: Any, *, is_list: bool = False) -> Columns:
    return answer_columns(TypeAdapter(kind).json_schema(mode="serialization"), is_list=is_list)


def told(columns: Columns) -> dict[str, tuple[str, tuple[int, ...], bool]]:
    return {
        column.name: (column.spec.datatype, column.spec.shape, column.is_json) for column in columns.by_name.values()
    }


def texts(*elements: bytes) -> Array:
    made = np.empty(len(elements), object)
    made[:] = elements
    return made


def test_each_field_is_a_column_of_its_type() -> None:
    assert told(request(Row)) == {
        "text": ("BYTES", (-1,), False),
        "count": ("INT64", (-1,), False),
        "amount": ("FP64", (-1,), False),
        "flag": ("BOOL", (-1,), False),
        "kind": ("BYTES", (-1,), False),
        "inner": ("BYTES", (-1,), True),
        "numbers": ("BYTES", (-1,), True),
        "first": ("INT64", (-1,), False),
        "maybe": ("FP64", (-1,), False),
    }
    assert request(Row).optional == {"maybe"}
    assert not request(Row).is_list


def test_elements_of_the_only_required_field_are_the_rows_where_it_is_a_list() -> None:
    columns = request(Listed)
    assert columns.is_list
    assert told(columns) == {"items": ("BYTES", (-1,), False), "mode": ("BYTES", (1,), False)}
    assert told(answer(ListedAnswer, is_list=True)) == {
        "scores": ("FP64", (-1,), False),
        "words": ("BYTES", (-1,), True),
        "model": ("BYTES", (1,), False),
    }


def test_an_answer_that_may_lack_a_value_has_nan_or_json_there() -> None:
    columns = answer(Answer)
    assert told(columns) == {
        "score": ("FP64", (-1,), False),
        "label": ("BYTES", (-1,), False),
        "rank": ("FP64", (-1,), False),
        "sure": ("BYTES", (-1,), True),
        "why": ("BYTES", (-1,), True),
    }
    assert columns.optional == {"rank", "sure", "why"}
    found = outputs_of(columns, [{"score": 1, "label": "a", "rank": 3}, {"score": 2, "label": "b", "sure": True}])
    assert set(found) == {"score", "label", "rank", "sure"}
    np.testing.assert_array_equal(found["rank"], [3.0, np.nan])
    assert found["sure"].tolist() == [b"null", b"true"]


def test_an_optional_output_that_is_asked_for_is_there_though_no_answer_has_it() -> None:
    found = outputs_of(answer(Answer), [{"score": 1, "label": "a"}], ["rank", "why"])
    np.testing.assert_array_equal(found["rank"], [np.nan])
    assert found["why"].tolist() == [b"null"]


@pytest.mark.parametrize(
    ("kind", "datatype", "value", "expected"),
    [
        (str, "BYTES", "a", b"a"),
        (int, "INT64", 3, 3),
        (dict[str, int], "BYTES", {"a": 1}, b'{"a":1}'),
        (list[int], "BYTES", [1], b"[1]"),
        (Any, "BYTES", {"output": 1, "b": 2}, b'{"output":1,"b":2}'),
    ],
)
def test_an_answer_that_is_no_object_of_fields_is_one_tensor(
    kind: Any, datatype: str, value: object, expected: object
) -> None:
    columns = answer(kind)
    assert columns.specs == (TensorSpec(WHOLE, datatype, (-1,)),)
    assert outputs_of(columns, [value])[WHOLE].tolist() == [expected]


def test_an_answer_without_a_schema_is_json() -> None:
    columns = answer_columns(None, is_list=False)
    assert outputs_of(columns, [[1, 2], "a"])[WHOLE].tolist() == [b"[1,2]", b'"a"']


def test_rows_become_requests() -> None:
    inputs = {
        "text": texts(b"a", "é".encode()),
        "count": np.array([1, 2]),
        "inner": texts(b'{"x": 1}', b'{"x": 2}'),
        "amount": np.array([[0.5], [1.5]]),
    }
    types = {"text": "BYTES", "count": "INT32", "inner": "BYTES", "amount": "FP32"}
    columns = request_columns(Row.model_json_schema() | {"required": ["text", "count"]})
    assert requests_of(columns, inputs, types) == [
        {"text": "a", "count": 1, "inner": {"x": 1}, "amount": 0.5},
        {"text": "é", "count": 2, "inner": {"x": 2}, "amount": 1.5},
    ]


def test_items_become_one_request() -> None:
    inputs = {"items": texts(b"a", b"b"), "mode": texts(b"slow")}
    types = dict.fromkeys(inputs, "BYTES")
    assert requests_of(request(Listed), inputs, types) == [{"items": ["a", "b"], "mode": "slow"}]


ONE = {"items": texts(b"a")}


@pytest.mark.parametrize(
    ("model", "inputs", "types", "message"),
    [
        (Listed, {"other": texts(b"a")}, {"other": "BYTES"}, "is no input; there are items"),
        (Listed, {"mode": texts(b"a")}, {"mode": "BYTES"}, "items: is missing"),
        (Listed, {"items": np.array([1])}, {"items": "INT64"}, "INT64; send BYTES"),
        (Listed, {"items": texts(b"a").reshape(1, 1, 1)}, {"items": "BYTES"}, r"shape \[1, 1, 1\]"),
        (Listed, {"items": texts(b"\xff")}, {"items": "BYTES"}, "no UTF-8"),
        (Listed, ONE | {"mode": texts(b"a", b"b")}, {"items": "BYTES", "mode": "BYTES"}, "send one"),
        (Row, {"inner": texts(b"{")}, {"inner": "BYTES"}, "no JSON"),
        (Row, {"amount": texts(b"1")}, {"amount": "BYTES"}, "BYTES; send FP64"),
        (Row, {"count": np.array([1.5])}, {"count": "FP64"}, "FP64; send INT64"),
    ],
)
def test_what_is_no_column_is_refused_with_what_to_send(
    model: type[BaseModel], inputs: dict[str, Array], types: dict[str, str], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        requests_of(request(model), inputs, types)


def test_columns_of_different_lengths_are_refused() -> None:
    columns = request_columns({"properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a"]})
    inputs = {"a": np.array([1.0, 2.0]), "b": np.array([1.0])}
    with pytest.raises(Invalid, match="a: 2, b: 1"):
        requests_of(columns, inputs, {"a": "FP64", "b": "FP64"})
