"""`{"values": …}` as the tensors that a model takes."""

from typing import Any

import numpy as np
import orjson
import pytest

from common.errors import Invalid
from common.serving.tensors import TensorSpec
from models.hosted.values import to_tensors, to_values

IRIS = [TensorSpec("X", "FP32", (-1, 4))]
COLUMNS = [TensorSpec("age", "INT64", (-1, 1)), TensorSpec("city", "BYTES", (-1, 1))]
FLAT = [TensorSpec("age", "FP64", (-1,)), TensorSpec("city", "BYTES", (-1,))]
TWO = [TensorSpec("left", "FP32", (-1, 2)), TensorSpec("right", "FP32", (-1, 3))]


def test_one_observation_is_a_batch_of_one() -> None:
    found = to_tensors([5.1, 3.5, 1.4, 0.2], IRIS)["X"]
    assert found.shape == (1, 4)
    assert found.dtype == np.float32


def test_a_list_of_observations_is_a_batch() -> None:
    found = to_tensors([[5, 3, 1, 0], [6.5, 3, 4, 1]], IRIS)["X"]
    assert found.tolist() == [[5, 3, 1, 0], [6.5, 3, 4, 1]]


def test_a_batch_of_a_fixed_size_is_taken_as_it_is() -> None:
    assert to_tensors([1, 2], [TensorSpec("X", "FP32", (1, 2))])["X"].shape == (1, 2)


def test_null_is_nan_where_numbers_may_have_a_fraction() -> None:
    found = to_tensors([5.1, None, 1.4, 0.2], IRIS)["X"]
    assert np.isnan(found).tolist() == [[False, True, False, False]]


@pytest.mark.parametrize(
    "values",
    [
        [[30, "Apia"], [40, "Suva"]],
        [{"age": 30, "city": "Apia"}, {"city": "Suva", "age": 40}],
        {"age": [30, 40], "city": ["Apia", "Suva"]},
    ],
    ids=["rows", "objects", "columns"],
)
@pytest.mark.parametrize("inputs", [COLUMNS, FLAT], ids=["columns of one", "flat"])
def test_columns_may_be_sent_by_rows_by_objects_and_by_name(values: Any, inputs: list[TensorSpec]) -> None:
    found = to_tensors(values, inputs)
    assert found["age"].ravel().tolist() == [30, 40]
    assert found["city"].ravel().tolist() == [b"Apia", b"Suva"]
    assert all(array.ndim == len(inputs[0].shape) for array in found.values())


@pytest.mark.parametrize("values", [[30, "Apia"], {"age": 30, "city": "Apia"}], ids=["list", "object"])
def test_one_row_of_columns_is_a_batch_of_one(values: Any) -> None:
    found = to_tensors(values, COLUMNS)
    assert (found["age"].tolist(), found["city"].tolist()) == ([[30]], [[b"Apia"]])


def test_several_inputs_of_any_shape_are_sent_by_name() -> None:
    found = to_tensors({"left": [1, 2], "right": [[3, 4, 5]]}, TWO)
    assert (found["left"].tolist(), found["right"].tolist()) == ([[1, 2]], [[3, 4, 5]])


def test_true_and_false_are_zero_and_one_or_themselves() -> None:
    assert to_tensors([True, 0], [TensorSpec("X", "BOOL", (-1, 2))])["X"].tolist() == [[True, False]]
    assert to_tensors([True, False, 1, 0], IRIS)["X"].tolist() == [[1, 0, 1, 0]]


WRONG: list[tuple[Any, list[TensorSpec], str]] = [
    ([], IRIS, "empty"),
    ("text", IRIS, "a list"),
    (3, IRIS, "a list"),
    ([1, 2, 3], IRIS, "have the shape [1, 3]; the model takes 'X' (FP32, shape [-1, 4])"),
    ([[1, 2, 3, 4], [1, 2]], IRIS, "different lengths"),
    ([[[1, 2, 3, 4]]], IRIS, "have the shape [1, 1, 4]"),
    ([1, 2, 3, "4"], IRIS, "hold texts"),
    ([1, 2, 3, {"a": 1}], IRIS, "no numbers"),
    ([1, 2, 3, 1e39], IRIS, "too large for FP32"),
    ([1.5], [TensorSpec("X", "INT64", (-1, 1))], "no whole number"),
    ([None], [TensorSpec("X", "INT64", (-1, 1))], "no whole number"),
    ([300], [TensorSpec("X", "UINT8", (-1, 1))], "beyond the range"),
    ([2**70], [TensorSpec("X", "INT64", (-1, 1))], "beyond the range"),
    ([-1], [TensorSpec("X", "UINT64", (-1, 1))], "beyond the range"),
    ([2], [TensorSpec("X", "BOOL", (-1, 1))], "neither true nor false"),
    ([30, 40], COLUMNS, "no text"),
    ([["30", "Apia"]], COLUMNS, "hold texts"),
    ([1, 2, 3], COLUMNS, "do not fit"),
    ({"age": 30}, COLUMNS, "'city' is missing"),
    ({"age": 30, "city": "Apia", "sex": 1}, COLUMNS, "no input 'sex'"),
    ([{"age": 30, "city": "Apia"}, {"age": 30}], COLUMNS, "same features"),
    ({"age": [30, 40], "city": ["Apia"]}, COLUMNS, "observations"),
]


@pytest.mark.parametrize(("values", "inputs", "told"), WRONG)
def test_values_that_do_not_fit_are_refused_with_what_the_model_takes(
    values: Any, inputs: list[TensorSpec], told: str
) -> None:
    with pytest.raises(Invalid) as refused:
        to_tensors(values, inputs)
    assert told in refused.value.detail
    assert refused.value.errors[0].field == "body.values"


def test_whole_numbers_of_64_bits_arrive_exactly() -> None:
    values = [2**53 + 1, -(2**63), 2**63 - 1]
    assert to_tensors(values, [TensorSpec("X", "INT64", (-1, 3))])["X"].tolist() == [values]


def test_outputs_are_json_with_null_for_what_json_does_not_have() -> None:
    assert orjson.loads(to_values(np.array([[1.5, np.nan], [np.inf, 2]], dtype=np.float32))) == [[1.5, None], [None, 2]]
    assert orjson.loads(to_values(np.array([b"a", "b"], dtype=object))) == ["a", "b"]
    assert orjson.loads(to_values(np.arange(6).reshape(2, 3).T)) == [[0, 3], [1, 4], [2, 5]]
    assert orjson.loads(to_values(np.array([1, 2], dtype=np.float16))) == [1, 2]
