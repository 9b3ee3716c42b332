"""Long texts in parts."""

from hypothesis import given
from hypothesis import strategies as st

from models.sentiment.predictor import windows


@given(st.integers(0, 3000), st.integers(8, 512))
def test_every_token_is_in_a_window_and_no_window_is_too_long(count: int, longest: int) -> None:
    numbers = list(range(10, 10 + count))
    found = windows(numbers, longest)
    assert all(part[0] == 2 and part[-1] == 3 and len(part) <= longest for part in found)
    assert {number for part in found for number in part[1:-1]} == set(numbers)


def test_a_text_that_fits_is_one_window() -> None:
    assert windows([7, 8, 9], 5) == [[2, 7, 8, 9, 3]]
    assert windows([], 5) == [[2, 3]]


def test_windows_share_half_and_the_last_one_is_full() -> None:
    assert windows([1, 2, 3, 4, 5, 6, 7], 6) == [[2, 1, 2, 3, 4, 3], [2, 3, 4, 5, 6, 3], [2, 4, 5, 6, 7, 3]]
