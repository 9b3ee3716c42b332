"""Answers read into levels and numbers."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from models.survey.answers import answered, read_levels, read_numbers

PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 0.5]), st.text(max_size=2))


@given(st.lists(PLAIN))
def test_every_answer_keeps_its_level(column: list[Any]) -> None:
    found = read_levels(column, "q")
    for value, code in zip(column, found.codes.tolist(), strict=True):
        if value is None or (isinstance(value, str) and not value.strip()):
            assert code == -1
        else:
            level = found.levels[code]
            assert level == value
            assert isinstance(level, bool) == isinstance(value, bool)
    counts = np.bincount(found.codes[found.codes >= 0], minlength=len(found.levels)).tolist()
    assert counts == sorted(counts, reverse=True)
    assert 0 not in counts
    assert (answered(column) == (found.codes >= 0)).all()


def test_a_number_its_text_and_true_are_three_answers() -> None:
    found = read_levels([1, 1.0, "1", True], "q")
    assert found.codes.tolist() == [0, 0, 1, 2]


def test_numbers_may_be_text_and_blank_is_none() -> None:
    found = read_numbers([1, 2.5, "3", " 4.5 ", "", None], "q")
    assert found.tolist()[:4] == [1, 2.5, 3, 4.5]
    assert np.isnan(found[4:]).all()


@pytest.mark.parametrize("value", ["many", "nan", "inf", True, 10**400, "1e999"])
def test_what_is_no_number_is_refused_by_its_place(value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        read_numbers([1, value], "income")
    assert refused.value.errors[0].field == "body.data.income.1"
    assert "send a number or null" in refused.value.errors[0].message


@pytest.mark.parametrize("read", [read_levels, read_numbers])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused(read: Any, value: float) -> None:
    with pytest.raises(Invalid) as refused:
        read([None, value], "q")
    assert refused.value.errors[0].field == "body.data.q.1"
    assert "send null" in refused.value.errors[0].message


@pytest.mark.parametrize("read", [read_levels, read_numbers])
@pytest.mark.parametrize("value", [["a", "b"], {"a": 1}])
def test_several_answers_in_one_are_refused(read: Any, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        read([value], "q")
    assert "a column for each of several" in refused.value.errors[0].message
