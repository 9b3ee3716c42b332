"""Which columns tensors and items become, and which never."""

import numpy as np
import pytest

from common.registry.drift.columns import INPUT, OUTPUT, Layout, flat, of_rows, together


def block(layout: Layout, name: str, array: np.ndarray, side: str = INPUT) -> dict[str, list[object]]:
    names, values = layout.block(side, name, array)
    return {name: values[:, at].tolist() for at, name in enumerate(names)}


def texts(*values: str) -> np.ndarray:
    found = np.empty(len(values), dtype=np.object_)
    found[:] = [value.encode() for value in values]
    return found


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 1)])
def test_a_number_a_row_is_the_column_of_its_name(shape: tuple[int, ...]) -> None:
    assert block(Layout(), "age", np.array([3, 4], np.int64).reshape(shape)) == {"input.age": [3.0, 4.0]}


def test_several_numbers_a_row_are_a_column_each() -> None:
    found = block(Layout(), "x", np.array([[1, 2], [3, 4]], np.float32), OUTPUT)
    assert found == {"output.x.0": [1.0, 3.0], "output.x.1": [2.0, 4.0]}


def test_of_an_image_mean_and_deviation_are_kept() -> None:
    found = block(Layout(), "pixels", np.stack([np.zeros((3, 32, 32)), np.ones((3, 32, 32))]))
    assert found == {"input.pixels.mean": [0.0, 1.0], "input.pixels.std": [0.0, 0.0]}


def test_what_is_to_be_dropped_is_never_kept() -> None:
    x = np.array([[1, 2, 3]])
    layout = Layout(drop=frozenset({"name", "x.1", "output.y"}))
    assert block(layout, "name", texts("Ada")) == {}
    assert block(layout, "x", x) == {"input.x.0": [1.0], "input.x.2": [3.0]}
    assert block(layout, "y", np.ones(1), OUTPUT) == {}
    assert block(layout, "y", np.ones(1)) == {"input.y": [1.0]}


def test_of_texts_the_length_is_kept_unless_they_are_asked_for() -> None:
    assert block(Layout(), "city", texts("Apia", "Suvā")) == {"input.city.length": [4.0, 4.0]}
    assert block(Layout(texts=frozenset({"city"})), "city", texts("Apia", "Suvā")) == {"input.city": ["Apia", "Suvā"]}


def test_long_texts_are_cut() -> None:
    [kept] = block(Layout(texts=frozenset({"t"})), "t", texts("x" * 10_000))["input.t"]
    assert kept == "x" * 200


@pytest.mark.parametrize("width", [0, 1])
def test_empty_tensors_are_no_columns(width: int) -> None:
    assert block(Layout(), "x", np.empty((2, 0))) == {}
    assert block(Layout(), "x", np.empty((0, width))) == ({} if width == 0 else {"input.x": []})


def test_tensors_with_different_numbers_of_rows_have_none_in_common() -> None:
    assert Layout.rows_of({"a": np.ones((3, 2)), "b": np.ones(3)}) == 3
    assert Layout.rows_of({"a": np.ones((3, 2)), "b": np.ones(2)}) == 0
    assert Layout.rows_of({"a": np.array(1.0)}) == 0
    assert Layout.rows_of({}) == 0


def test_items_are_rows_of_numbers_and_texts() -> None:
    rows = [flat({"age": 3, "at": {"lat": 1.5}, "list": [1], "ok": True}), flat({"age": None, "city": "Apia"})]
    found = of_rows(rows)
    assert found["age"].tolist()[0] == 3.0
    assert np.isnan(found["age"][1])
    assert found["at.lat"][0] == 1.5
    assert found["city"].tolist() == ["", "Apia"]
    assert "list" not in found


def test_tables_with_different_columns_are_one() -> None:
    found = together([{"a": np.ones(2)}, {"a": np.zeros(1), "t": np.array(["x"])}, {}])
    assert found["a"].tolist() == [1.0, 1.0, 0.0]
    assert found["t"].tolist() == ["", "", "x"]
