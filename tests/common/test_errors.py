import pytest

from common.errors import (
    BY_STATUS,
    AtollError,
    Busy,
    FieldError,
    Invalid,
    ModelUnavailable,
    Unavailable,
    problem,
    shorten,
)


def test_every_status_has_one_class_and_every_class_a_type_of_its_own() -> None:
    classes: list[type[AtollError]] = [*BY_STATUS.values(), Busy, ModelUnavailable, AtollError]
    assert len({cls.slug for cls in classes}) == len(classes)
    assert all(status == cls.status for status, cls in BY_STATUS.items())


def test_an_error_without_a_detail_tells_its_title() -> None:
    assert AtollError().detail == "Internal server error"


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (4.6, "5"), (30, "30")])
def test_retry_after_is_whole_seconds_and_at_least_one(seconds: float, header: str) -> None:
    assert Unavailable(retry_after_s=seconds).headers == {"Retry-After": header}


def test_extra_members_stand_beside_the_standard_ones() -> None:
    body = problem(Unavailable("later", extra={"models": {"a": "loading"}}), instance="/x", request_id="1")
    assert body["models"] == {"a": "loading"}
    assert body["detail"] == body["error"] == "later"


def test_a_field_error_names_where_the_field_stands() -> None:
    error = Invalid.field("year", "not a year", 1066, where="query")
    assert error.errors == (FieldError(field="query.year", message="not a year", value=1066),)
    assert error.detail == "year: not a year"


def test_a_long_value_is_cut_short() -> None:
    assert shorten("x" * 500) == "x" * 80 + "…"


def test_a_short_value_is_shown_whole() -> None:
    assert shorten("x" * 80) == "x" * 80


@pytest.mark.parametrize("value", [None, True, 3, 2.5])
def test_plain_values_are_shown_as_they_are(value: object) -> None:
    assert shorten(value) is value


@pytest.mark.parametrize(("value", "shown"), [(float("inf"), "inf"), (float("nan"), "nan"), ([1, 2], "[1, 2]")])
def test_what_json_cannot_say_is_shown_as_text(value: object, shown: str) -> None:
    assert shorten(value) == shown


def test_half_a_character_is_shown_as_a_question_mark() -> None:
    assert shorten("a\ud800b") == "a?b"


def test_a_huge_whole_number_is_cut_short() -> None:
    shown = shorten(10**500)
    assert isinstance(shown, str)
    assert len(shown) == 81
