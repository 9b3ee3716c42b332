"""The bucket against the plainest one there is: a number of tokens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.security.limits.bucket import Rate, give_back, take

RATES = st.builds(Rate, st.sampled_from([0.1, 0.5, 1, 3, 50, 1000]), st.integers(1, 200))
PAUSES_S = st.lists(st.floats(0, 5) | st.just(0.0), max_size=100)
START_S = 1.7e9


@given(RATES, PAUSES_S)
def test_it_allows_what_a_count_of_tokens_would(rate: Rate, pauses: list[float]) -> None:
    now, full_at, tokens = START_S, START_S, float(rate.burst)
    for pause in pauses:
        now += pause
        tokens = min(rate.burst, tokens + pause * rate.per_s)
        full_at, verdict = take(full_at, now, rate)
        # Within what floats of this size can tell apart.
        if abs(tokens - 1) > 1e-3:
            assert verdict.allowed == (tokens > 1)
        tokens -= verdict.allowed
        assert verdict.remaining == pytest.approx(math.floor(max(0, tokens)), abs=1)


@given(RATES, PAUSES_S)
def test_in_no_stretch_of_time_more_pass_than_the_burst_and_what_was_filled_in(rate: Rate, pauses: list[float]) -> None:
    now, full_at, passed = START_S, START_S, []
    for pause in pauses:
        now += pause
        full_at, verdict = take(full_at, now, rate)
        if verdict.allowed:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= rate.burst + (passed[last] - passed[first]) * rate.per_s + 1e-3


@given(RATES, st.integers(0, 400))
def test_whoever_waits_as_long_as_told_passes(rate: Rate, before: int) -> None:
    full_at, verdict = take(START_S, START_S, rate)
    for _ in range(before):
        full_at, verdict = take(full_at, START_S, rate)
    _, later = take(full_at, START_S + verdict.retry_after_s, rate)
    assert later.allowed or verdict.allowed


@given(RATES, PAUSES_S)
def test_remaining_is_how_many_pass_at_once(rate: Rate, pauses: list[float]) -> None:
    now, full_at = START_S, START_S
    full_at, verdict = take(full_at, now, rate)
    for pause in pauses:
        now += pause
        full_at, verdict = take(full_at, now, rate)
    for _ in range(verdict.remaining):
        full_at, verdict = take(full_at, now, rate)
        assert verdict.allowed
    assert not take(full_at, now, rate)[1].allowed


@given(RATES, st.integers(1, 300))
def test_after_reset_the_bucket_is_full(rate: Rate, taken: int) -> None:
    full_at = START_S
    for _ in range(taken):
        full_at, verdict = take(full_at, START_S, rate)
    _, after = take(full_at, START_S + verdict.reset_s, rate)
    assert after.remaining == rate.burst - 1


@given(RATES, st.integers(0, 300), st.floats(1, 1e6))
def test_a_clock_that_is_set_back_locks_nobody_out_for_longer_than_an_empty_bucket(
    rate: Rate, taken: int, back_s: float
) -> None:
    full_at = START_S
    for _ in range(taken):
        full_at, _ = take(full_at, START_S, rate)
    _, verdict = take(full_at, START_S - back_s, rate)
    assert verdict.retry_after_s <= 1 / rate.per_s + 1e-3


@given(RATES)
def test_a_token_given_back_can_be_taken_again(rate: Rate) -> None:
    full_at = START_S
    for _ in range(rate.burst):
        full_at, _ = take(full_at, START_S, rate)
    assert not take(full_at, START_S, rate)[1].allowed
    assert take(give_back(full_at, rate), START_S, rate)[1].allowed
