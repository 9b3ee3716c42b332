from models._indicators.fetch_http import TRIES, next_try_s


def test_the_wait_doubles_and_is_scattered() -> None:
    assert [next_try_s(tries, None, 0.0) for tries in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert next_try_s(2, None, 0.5) == 1.5


def test_a_source_that_names_a_wait_gets_it() -> None:
    assert next_try_s(1, "7", 0.9) == 7.0


def test_a_source_that_asks_for_too_long_a_wait_is_left_alone() -> None:
    assert next_try_s(1, "3600", 0.0) is None


def test_a_wait_that_is_a_date_is_not_read() -> None:
    assert next_try_s(1, "Wed, 21 Oct 2026 07:28:00 GMT", 0.0) == 1.0


def test_there_is_an_end_to_trying() -> None:
    assert next_try_s(TRIES, "0", 0.0) is None
