"""ETags: whether a caller has what it asks for already."""

import pytest

from common.http.conditional import is_unchanged, tag_of


@pytest.mark.parametrize("given", ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a" ', "*"])
@pytest.mark.parametrize("etag", ['"a"', 'W/"a"'])
def test_a_tag_is_found_among_those_sent_weak_or_not(given: str, etag: str) -> None:
    assert is_unchanged(given, etag)


@pytest.mark.parametrize("given", [None, "", '"b"', "a", '"ab"', 'W/"b"', '"a'])
def test_another_tag_is_none_that_the_caller_has(given: str | None) -> None:
    assert not is_unchanged(given, '"a"')


def test_the_tag_of_a_list_tells_order_and_number_and_each_value() -> None:
    lists = [[], [("a", 1)], [("a", 2)], [("a", 1), ("b", 1)], [("b", 1), ("a", 1)], [("a", 11)], [("a1", 1)]]
    assert len({tag_of(rows) for rows in lists}) == len(lists)
    assert tag_of([("a", 1)]) == tag_of([("a", 1)])
