"""Tables in all the forms that clients send."""

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid, TooLarge
from models.survey import table
from models.survey.table import check_size, read_table

FRAME = pd.DataFrame({"boat": ["none", "canoe", None], "hours": [1.5, 2.0, 3.0]}, index=[7, 3, 5], dtype=object)
COLUMNS = {"boat": ["none", "canoe", None], "hours": [1.5, 2.0, 3.0]}
FORMS: dict[str, Any] = {
    "columns": COLUMNS,
    "rows": [{"boat": "none", "hours": 1.5}, {"hours": 2.0, "boat": "canoe"}, {"hours": 3.0}],
    "pandas dict": json.loads(json.dumps(FRAME.to_dict())),
    "pandas list": FRAME.to_dict("list"),
    "pandas records": FRAME.to_dict("records"),
    "pandas split": FRAME.to_dict("split"),
    "split without index": {"columns": ["boat", "hours"], "data": FRAME.to_numpy().tolist()},
    "to_json": json.loads(FRAME.to_json() or ""),
    "to_json split": json.loads(FRAME.to_json(orient="split") or ""),
    "to_json table": json.loads(FRAME.to_json(orient="table") or ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_table(form: str) -> None:
    found = read_table(FORMS[form], "data")
    assert found.n_rows == 3
    assert set(found.names) - {"index"} == {"boat", "hours"}
    assert {name: list(found.column(name)) for name in COLUMNS} == COLUMNS


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(), st.text()), min_size=3, max_size=3), min_size=1))
def test_what_is_sent_in_one_form_is_read_alike_in_another(rows: list[list[Any]]) -> None:
    names = ["a", "b", "columns"]
    forms: list[Any] = [
        [dict(zip(names, row, strict=True)) for row in rows],
        {name: [row[at] for row in rows] for at, name in enumerate(names)},
        {"columns": names, "data": rows},
    ]
    tables = [read_table(form, "data") for form in forms]
    assert {found.n_rows for found in tables} == {len(rows)}
    for name in names:
        first, second, third = (list(found.column(name)) for found in tables)
        assert first == second == third


def test_questions_may_be_called_columns_and_data() -> None:
    found = read_table({"columns": ["x", "y"], "data": [1, 2]}, "data")
    assert list(found.column("data")) == [1, 2]


@pytest.mark.parametrize(
    ("given_", "field", "told"),
    [
        (None, "data", "not a table"),
        ("boat,hours", "data", "not a table"),
        (7, "data", "not a table"),
        ([], "data", "no columns"),
        ({}, "data", "no columns"),
        ([{}], "data", "no columns"),
        ({"a": []}, "data", "no rows"),
        ({"columns": ["a"], "data": []}, "data", "no rows"),
        ([{"a": 1}, [1]], "data.1", "not a row"),
        ({"a": [1], "b": 1}, "data.b", "not a column"),
        ({"a": [1, 2], "b": [1, 2, 3]}, "data.a", "has 2 values where 'b' has 3"),
        ({"a": {"0": 1, "1": 2}, "b": {"0": 1}}, "data.b", "rows of the other columns"),
        ({"columns": ["a", "b"], "data": [[1, 2], [1]]}, "data.data.1", "has 1 values where columns has 2"),
        ({"columns": ["a", "a"], "data": [[1, 2]]}, "data.columns", "twice"),
        ({"columns": ["a", 1], "data": [[1, 2]]}, "data.columns", "names of columns are text"),
    ],
)
def test_what_is_no_table_is_refused_by_its_place(given_: Any, field: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_table(given_, "data")
    assert refused.value.errors[0].field == f"body.{field}"
    assert told in refused.value.errors[0].message


@pytest.mark.parametrize(
    "make",
    [
        lambda n: [{"a": 1}] * n,
        lambda n: {"a": [1] * n},
        lambda n: {"a": dict.fromkeys(map(str, range(n)), 1)},
        lambda n: {"b": [1], "a": [1] * n},
        lambda n: {"columns": ["a"], "data": [[1]] * n},
        lambda n: {"schema": {}, "data": [{"a": 1}] * n},
    ],
    ids=["rows", "columns", "pandas", "ragged", "split", "table"],
)
def test_too_many_rows_are_counted_in_every_form(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_ROWS", 10)
    check_size(make(10), "data")
    with pytest.raises(TooLarge, match="data has 11 rows; send at most 10"):
        check_size(make(11), "data")


@pytest.mark.parametrize("nonsense", [None, 5, "text", {}, {"a": None}, {"columns": 1, "data": 2}])
def test_what_is_no_table_is_not_too_large(nonsense: Any) -> None:
    check_size(nonsense, "data")
