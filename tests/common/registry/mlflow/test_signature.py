"""Signatures, there and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.registry.mlflow.signature import from_mlflow, to_mlflow

_TENSORS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text("abc", min_size=1, max_size=3),
            "datatype": st.sampled_from(["BOOL", "INT8", "UINT64", "FP16", "FP32", "FP64", "BYTES"]),
            "shape": st.lists(st.integers(-1, 9), min_size=1, max_size=3),
        }
    ),
    min_size=2,
    max_size=4,
    unique_by=lambda tensor: tensor["name"],
)


@given(_TENSORS, _TENSORS)
def test_named_tensors_come_back_as_they_were(inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
    signature = {"inputs": inputs, "outputs": outputs}
    assert from_mlflow(to_mlflow(signature)) == signature


def test_a_single_tensor_has_no_name_unless_it_is_asked_for_by_name() -> None:
    one = [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
    signature = {"inputs": one, "outputs": one}
    plain, named = to_mlflow(signature), to_mlflow(signature, by_name=True)
    assert plain is not None
    assert named is not None
    assert "name" not in json.loads(plain["inputs"])[0]
    assert json.loads(named["inputs"])[0]["name"] == "X"


def test_a_column_is_a_value_a_row() -> None:
    columns = '[{"type": "double", "name": "age", "required": true}, {"type": "string", "name": "city"}]'
    assert from_mlflow({"inputs": columns, "outputs": None}) == {
        "inputs": [
            {"name": "age", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "city", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [],
    }


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        {},
        {"inputs": "not JSON"},
        {"inputs": '[{"type": "tensor"}]'},
        {"inputs": '[{"type": "tensor", "tensor-spec": {"dtype": "complex64", "shape": [1]}}]'},
        {"inputs": '[{"type": "object", "properties": {}}]'},
        {"inputs": "[1]"},
        {"inputs": "[]"},
    ],
)
def test_what_tensors_cannot_say_is_no_signature(given: Any) -> None:
    assert from_mlflow(given) is None


def test_a_datatype_without_a_counterpart_leaves_the_signature_out() -> None:
    assert to_mlflow({"inputs": [{"name": "x", "datatype": "BF16", "shape": [1]}], "outputs": []}) is None
    assert to_mlflow(None) is None
