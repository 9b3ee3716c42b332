"""The rules that decide, as properties: they need no database."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Conflict, DependencyFailed, Invalid, Unavailable
from common.jobs.errors import JobRefused
from common.jobs.retry import Dead, Failed, Failure, Retry, RetryPolicy, failure_of, failure_of_status, plan_retry
from common.jobs.states import FINISHED, RULES, Event, Refusal, State, transition

states = st.sampled_from(State)
events = st.sampled_from(Event)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 50),
    base_s=st.floats(0, 1e4),
    cap_s=st.floats(0, 1e6),
)


def follow(events: list[Event], state: State = State.QUEUED) -> list[State]:
    """The states that a job goes through; events that are refused change nothing."""
    seen = [state]
    for event in events:
        after = transition(seen[-1], event)
        if isinstance(after, State):
            seen.append(after)
    return seen


def test_every_state_has_rules() -> None:
    assert set(RULES) == set(State)


@given(states, events)
def test_an_event_leads_to_a_state_or_to_a_reason(state: State, event: Event) -> None:
    after = transition(state, event)
    assert isinstance(after, State) or (isinstance(after, Refusal) and after.reason)


@given(st.lists(events, max_size=30))
def test_a_job_that_was_cancelled_never_succeeds(happened: list[Event]) -> None:
    seen = follow([*happened])
    if State.CANCELLING in seen:
        after = seen[seen.index(State.CANCELLING) :]
        assert set(after) <= {State.CANCELLING, State.CANCELLED}


@given(st.lists(events, max_size=30))
def test_success_and_cancellation_are_final(happened: list[Event]) -> None:
    for state in (State.SUCCEEDED, State.CANCELLED):
        assert follow(happened, state) == [state]


@given(states, events)
def test_only_a_person_brings_a_finished_job_back(state: State, event: Event) -> None:
    if state in FINISHED and isinstance(transition(state, event), State):
        assert event is Event.REVIVE


@given(states)
def test_from_every_state_an_end_can_be_reached(state: State) -> None:
    reached: set[State] = {state}
    before: set[State] = set()
    while reached != before:
        before = reached
        reached = reached | {after for known in before for after in RULES[known].values()}
    assert reached & FINISHED


@given(states)
def test_an_attempt_begins_only_from_a_waiting_job(state: State) -> None:
    assert isinstance(transition(state, Event.BEGIN), State) == state.is_waiting


@given(st.integers(1, 100), policies, st.integers())
def test_attempts_are_never_more_than_allowed(attempt: int, policy: RetryPolicy, seed: int) -> None:
    decision = plan_retry(attempt, Failure("no"), policy, random.Random(seed))
    assert isinstance(decision, Retry) == (attempt < policy.max_attempts)
    assert isinstance(decision, Dead) == (attempt >= policy.max_attempts)


@given(st.integers(1, 10_000), policies, st.integers(), st.none() | st.floats(0, 1e9))
def test_the_wait_is_never_longer_than_the_cap(
    attempt: int, policy: RetryPolicy, seed: int, asked_s: float | None
) -> None:
    decision = plan_retry(attempt, Failure("no", retry_after_s=asked_s), policy, random.Random(seed))
    if isinstance(decision, Retry):
        assert 0 <= decision.delay_s <= policy.cap_s


@given(st.integers(1, 20), st.integers())
def test_the_wait_at_least_doubles_until_the_cap_but_for_the_jitter(attempt: int, seed: int) -> None:
    policy = RetryPolicy(max_attempts=100, base_s=1, cap_s=1e12)
    decision = plan_retry(attempt, Failure("no"), policy, random.Random(seed))
    assert isinstance(decision, Retry)
    assert 2 ** (attempt - 1) / 2 <= decision.delay_s <= 2 ** (attempt - 1)


@given(st.integers(1, 100), policies)
def test_what_was_refused_is_not_tried_again(attempt: int, policy: RetryPolicy) -> None:
    assert plan_retry(attempt, Failure("no", refused=True), policy, random.Random(0)) == Failed("no")


def test_a_side_that_asks_to_be_left_alone_is() -> None:
    decision = plan_retry(1, Failure("no", retry_after_s=100), RetryPolicy(), random.Random(0))
    assert decision == Retry(100)


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (JobRefused("no"), True),
        (Invalid("no"), True),
        (Conflict("no"), True),
        (MemoryError(), True),
        (SystemExit(3), True),
        (Unavailable("no", retry_after_s=7), False),
        (DependencyFailed("no"), False),
        (ValueError("no"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_errors_are_refusals_or_reasons_to_try_again(error: BaseException, refused: bool) -> None:
    assert failure_of(error).refused is refused


def test_an_unavailable_side_says_for_how_long() -> None:
    assert failure_of(Unavailable("no", retry_after_s=7)).retry_after_s == 7


@given(st.integers(400, 599))
def test_answers_are_refusals_but_for_those_that_say_not_now(status: int) -> None:
    assert failure_of_status(status, "").refused == (status < 500 and status not in {408, 423, 424, 425, 429})
