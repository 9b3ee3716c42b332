"""What is read of an ONNX file without the `onnx` package, compared with it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from models.hosted.formats.protobuf import Damaged, external_files, producer
from tests.models.hosted.makers import outside
from tests.support.onnx_models import add


def test_who_wrote_a_file_is_read(tmp_path: Path) -> None:
    assert producer(memoryview(add(tmp_path / "m", 1).read_bytes())) == "tests"


@pytest.mark.parametrize("location", ["weights.bin", "../../etc/passwd", "/etc/passwd"])
def test_files_that_hold_tensors_are_named_as_the_model_names_them(tmp_path: Path, location: str) -> None:
    model, _ = outside(tmp_path, location)
    assert external_files(memoryview(model.read_bytes())) == [location]


def test_tensors_within_branches_and_attributes_are_found(tmp_path: Path) -> None:
    def hidden(location: str) -> onnx.TensorProto:
        tensor = numpy_helper.from_array(np.zeros(2, np.float32), location)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
        return tensor

    value = helper.make_tensor_value_info
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["a"], value=hidden("in-attribute"))],
        "branch",
        [],
        [value("a", 1, [2])],
        [hidden("in-branch")],
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([node], "g", [value("c", 9, [])], [value("y", 1, [2])], [hidden("outermost")])
    content = helper.make_model(graph).SerializeToString()
    assert external_files(memoryview(content)) == ["in-attribute", "in-branch", "outermost"]


def test_a_file_that_is_cut_short_is_damaged(tmp_path: Path) -> None:
    content = add(tmp_path / "m", 1).read_bytes()
    with pytest.raises(Damaged):
        external_files(memoryview(content[:-5]))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_damaged(content: bytes) -> None:
    try:
        external_files(memoryview(content))
        producer(memoryview(content))
    except Damaged:
        pass
