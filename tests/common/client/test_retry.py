"""When a call is made again. Nothing here waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.client.calls import Answer, Call, Loss, Lost, Repeat
from common.client.retry import Policy, next_poll_s, next_try_s

ANY = Call("GET", "/models")
ONCE = Call("POST", "/jobs/a/retry", repeat=Repeat.UNLESS_SENT)
HEAVY = Call("POST", "/sample_model/predict", repeat=Repeat.UNLESS_SLOW)


def again(call: Call, outcome: Answer | Lost) -> bool:
    return next_try_s(call, outcome, 1, 0, Policy(), 0.5) is not None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", [ANY, ONCE, HEAVY])
def test_whatever_was_refused_for_now_is_asked_again(call: Call, status: int) -> None:
    assert again(call, Answer(status))


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 422, 424, 500])
def test_what_will_be_refused_again_is_not_asked_again(status: int) -> None:
    assert not again(ANY, Answer(status))


def test_a_dependency_that_is_down_is_waited_for_where_asking_twice_does_no_harm() -> None:
    passing = Answer(424, {"retry-after": "5"})
    assert again(ANY, passing)
    assert again(HEAVY, passing)
    assert not again(ONCE, passing)


@pytest.mark.parametrize("loss", Loss)
def test_reading_is_repeated_whatever_was_lost(loss: Loss) -> None:
    assert again(ANY, Lost(loss, ""))


@pytest.mark.parametrize("call", [ONCE, HEAVY])
def test_what_was_never_sent_is_sent_again(call: Call) -> None:
    assert again(call, Lost(Loss.NOTHING_SENT, ""))


def test_a_prediction_that_takes_long_is_not_asked_for_twice() -> None:
    assert not again(HEAVY, Lost(Loss.SLOW, ""))
    assert not again(HEAVY, Answer(504))
    assert again(HEAVY, Lost(Loss.BROKEN, ""))


def test_what_works_only_once_is_not_repeated_after_it_was_sent() -> None:
    assert not again(ONCE, Lost(Loss.BROKEN, ""))
    assert not again(ONCE, Answer(502))


@given(asked_s=st.integers(0, 59), tries=st.integers(1, 3), dice=st.floats(0, 0.99))
def test_no_try_is_earlier_than_the_server_told(asked_s: int, tries: int, dice: float) -> None:
    answer = Answer(503, {"retry-after": str(asked_s)})
    delay_s = next_try_s(ANY, answer, tries, 0, Policy(for_s=1000), dice)
    assert delay_s is not None
    assert delay_s >= asked_s


@given(tries=st.integers(1, 100), elapsed_s=st.floats(0, 1000), dice=st.floats(0, 0.99))
def test_tries_are_bounded_in_number_and_time(tries: int, elapsed_s: float, dice: float) -> None:
    policy = Policy(tries=5, for_s=30)
    delay_s = next_try_s(ANY, Answer(503), tries, elapsed_s, policy, dice)
    assert delay_s is None or (tries < 5 and elapsed_s + delay_s <= 30)


def test_a_server_that_wants_more_time_than_there_is_is_left_alone_at_once() -> None:
    assert not again(ANY, Answer(503, {"retry-after": "3600"}))


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("-1", None), ("", None)]
)
def test_retry_after_is_read_in_seconds_and_as_a_date(given: str, seconds: float | None) -> None:
    assert Answer(503, {"retry-after": given}).retry_after_s == seconds


@given(unchanged=st.integers(0, 10**6))
def test_polls_come_no_slower_than_every_two_seconds_unless_the_server_says_so(unchanged: int) -> None:
    assert next_poll_s(unchanged, None) <= 2
    assert next_poll_s(unchanged + 1, None) >= next_poll_s(unchanged, None)
    assert next_poll_s(unchanged, 5) == 5
