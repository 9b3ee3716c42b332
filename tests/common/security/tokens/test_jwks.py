"""When the issuer is asked for its keys, and who waits for it."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import FakeClock
from common.errors import AtollError, DependencyFailed, Unauthorized
from common.security.tokens import form
from common.security.tokens.fetch import FetchError
from common.security.tokens.jwk import KeySet, read_keys
from common.security.tokens.jwks import EVERY_S, FRESH_S, KEPT_S, OLD_S, RETRY_S, WAITING, Jwks, Standing, Step, plan
from common.security.tokens.verifier import TokenVerifier
from tests.common.security.tokens.conftest import Verify
from tests.support.clients import until
from tests.support.issuer import Issuer, jwk, rsa_key, sign

NOW_S = 1_000_000.0


def standing(age_s: float | None, tried_ago_s: float | None, *, failed: bool = False) -> Standing:
    return Standing(
        None if age_s is None else NOW_S - age_s, None if tried_ago_s is None else NOW_S - tried_ago_s, failed
    )


@pytest.mark.parametrize(
    ("stands", "found", "step"),
    [
        (standing(None, None), False, Step.FETCH),
        (standing(None, RETRY_S - 1, failed=True), False, Step.AWAY),
        (standing(None, RETRY_S, failed=True), False, Step.FETCH),
        (standing(1, 1), True, Step.USE),
        (standing(1, 1), False, Step.UNKNOWN),
        (standing(EVERY_S - 1, EVERY_S - 1), False, Step.UNKNOWN),
        (standing(EVERY_S, EVERY_S), False, Step.FETCH),
        (standing(EVERY_S + 1, 1, failed=True), False, Step.AWAY),
        (standing(FRESH_S - 1, FRESH_S - 1), True, Step.USE),
        (standing(FRESH_S, FRESH_S), True, Step.USE_AND_FETCH),
        (standing(OLD_S, OLD_S), True, Step.FETCH),
        (standing(OLD_S, EVERY_S, failed=True), True, Step.USE_AND_FETCH),
        (standing(OLD_S, EVERY_S - 1, failed=True), True, Step.USE),
        (standing(KEPT_S - 1, EVERY_S - 1, failed=True), True, Step.USE),
        (standing(KEPT_S, RETRY_S - 1, failed=True), True, Step.AWAY),
        (standing(KEPT_S, RETRY_S, failed=True), True, Step.FETCH),
    ],
)
def test_what_is_done_follows_from_the_age_of_the_keys(stands: Standing, found: bool, step: Step) -> None:
    assert plan(stands, found=found, now_s=NOW_S) is step


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.booleans()), max_size=200))
def test_whatever_comes_keys_are_fetched_at_most_once_a_minute_once_there_are_some(
    events: list[tuple[float, bool, bool]],
) -> None:
    now_s = 0.0
    stands = Standing(0.0, 0.0)
    fetched_s = [0.0]
    for passed_s, found, works in events:
        now_s += passed_s
        if plan(stands, found=found, now_s=now_s) in (Step.FETCH, Step.USE_AND_FETCH):
            fetched_s.append(now_s)
            stands = Standing(now_s if works else stands.loaded_s, now_s, failed=not works)
    assert all(later - earlier >= EVERY_S for earlier, later in itertools.pairwise(fetched_s))


def verdict(verify: Verify, token: str) -> type[AtollError] | None:
    try:
        verify(token)
    except AtollError as exc:
        return type(exc)
    return None


def test_a_flood_of_unknown_keys_costs_one_fetch_a_minute(verify: Verify, issuer: Issuer, clock: FakeClock) -> None:
    verify(issuer.token())
    for minute in range(1, 4):
        clock.advance(60)
        for number in range(100):
            assert verdict(verify, issuer.token(kid=f"unknown{number}")) is Unauthorized
        assert issuer.key_fetches == 1 + minute
    assert verdict(verify, issuer.token()) is None


def test_a_new_key_of_the_issuers_is_found_by_the_first_token_that_names_it(
    verify: Verify, issuer: Issuer, clock: FakeClock
) -> None:
    verify(issuer.token())
    issuer.rotate("second", 1, keep=True)
    clock.advance(60)
    assert verdict(verify, issuer.token(kid="second", key=rsa_key(1))) is None
    assert verdict(verify, issuer.token()) is None
    assert issuer.key_fetches == 2


def test_a_key_that_comes_back_under_the_same_name_is_the_new_one(
    verify: Verify, verifier: TokenVerifier, issuer: Issuer, clock: FakeClock
) -> None:
    old = issuer.token()
    verify(old)
    issuer.rotate("first", 1)
    clock.advance(OLD_S)
    assert verdict(verify, issuer.token(key=rsa_key(1))) is None
    assert verifier.known(old) is None
    assert verdict(verify, old) is Unauthorized


def test_a_withdrawn_key_is_not_used_after_a_quiet_night(verify: Verify, issuer: Issuer, clock: FakeClock) -> None:
    verify(issuer.token())
    issuer.rotate("second", 1)
    clock.advance(8 * 3600)
    assert verdict(verify, issuer.token(now_s=clock.now().timestamp())) is Unauthorized


def test_keys_are_used_for_a_day_while_the_issuer_is_away(verify: Verify, issuer: Issuer, clock: FakeClock) -> None:
    verify(issuer.token())
    issuer.status = 503
    clock.advance(KEPT_S - 60)
    assert verdict(verify, issuer.token(now_s=clock.now().timestamp())) is None
    clock.advance(60)
    assert verdict(verify, issuer.token(now_s=clock.now().timestamp())) is DependencyFailed


def test_an_unknown_key_is_not_called_wrong_while_the_issuer_is_away(
    verify: Verify, issuer: Issuer, clock: FakeClock
) -> None:
    verify(issuer.token())
    issuer.status = 503
    clock.advance(60)
    for _ in range(5):
        assert verdict(verify, issuer.token(kid="second", key=rsa_key(1))) is DependencyFailed
    assert issuer.fetches.count("/.well-known/openid-configuration") == 2


def test_an_issuer_that_never_was_there_is_asked_again_after_some_seconds(
    verify: Verify, issuer: Issuer, clock: FakeClock
) -> None:
    issuer.status = 500
    for _ in range(5):
        assert verdict(verify, issuer.token()) is DependencyFailed
    assert len(issuer.fetches) == 1
    clock.advance(RETRY_S)
    issuer.status = 200
    assert verdict(verify, issuer.token()) is None


class Gate:
    """A fetch that waits until it is opened, and counts."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = 0
        self.keys: list[dict[str, Any]] = [jwk(rsa_key(), kid="first")]
        self.failure: Exception | None = None

    def fetch(self) -> KeySet:
        self.begun += 1
        assert self.open.wait(30)
        if self.failure is not None:
            raise self.failure
        return read_keys({"keys": self.keys})


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def asked(kid: str = "first") -> form.Unverified:
    return form.read(sign({"sub": "a"}, kid=kid))


def test_requests_that_need_the_keys_at_the_same_time_share_one_fetch(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)

    async def ask() -> None:
        asking = [asyncio.create_task(jwks.key(asked())) for _ in range(20)]
        await until(lambda: gate.begun)
        await asyncio.sleep(0)
        gate.open.set()
        assert {key.kid for key, _ in await asyncio.gather(*asking)} == {"first"}

    asyncio.run(ask())
    assert gate.begun == 1


def test_of_a_flood_at_the_same_time_some_wait_and_the_rest_are_told_to_come_back(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)
    answered = 0

    async def ask(number: int) -> BaseException | None:
        nonlocal answered
        try:
            await jwks.key(asked(f"unknown{number}"))
        except AtollError as exc:
            return exc
        finally:
            answered += 1
        return None

    async def flood() -> list[BaseException | None]:
        asking = [asyncio.create_task(ask(number)) for number in range(WAITING + 50)]
        # Those for whom there is no room are answered while the issuer still thinks.
        await until(lambda: answered == 50)
        gate.open.set()
        return await asyncio.gather(*asking)

    found = asyncio.run(flood())
    assert gate.begun == 1
    assert [type(error) for error in found].count(Unauthorized) == WAITING
    assert {error.headers["Retry-After"] for error in found if isinstance(error, DependencyFailed)} == {"1"}


def test_a_caller_who_gives_up_takes_the_keys_from_nobody(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)

    async def ask() -> None:
        first, second = (asyncio.create_task(jwks.key(asked())) for _ in range(2))
        await until(lambda: gate.begun)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.open.set()
        assert (await second)[0].kid == "first"

    asyncio.run(ask())


def test_known_keys_are_used_while_new_ones_are_fetched(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)
    gate.open.set()
    asyncio.run(jwks.key(asked()))
    gate.open.clear()
    clock.advance(FRESH_S)
    for _ in range(3):
        assert asyncio.run(jwks.key(asked()))[0].kid == "first"
    assert gate.begun == 2


def test_an_unexpected_error_of_a_fetch_leaves_nobody_waiting(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)
    gate.open.set()
    for failure in (FetchError("away"), RuntimeError("a fault of ours")):
        gate.failure = failure
        with pytest.raises(DependencyFailed):
            asyncio.run(jwks.key(asked()))
        clock.advance(RETRY_S)
    gate.failure = None
    assert asyncio.run(jwks.key(asked()))[0].kid == "first"


def test_the_same_keys_in_another_order_change_nothing(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)
    gate.open.set()
    gate.keys = [jwk(rsa_key(), kid="first"), jwk(rsa_key(1), kid="second")]
    asyncio.run(jwks.key(asked()))
    before = jwks.generation
    gate.keys.reverse()
    clock.advance(OLD_S)
    asyncio.run(jwks.key(asked()))
    assert (gate.begun, jwks.generation) == (2, before)


def test_a_key_that_must_not_sign_is_refused_with_the_reason(gate: Gate, clock: FakeClock) -> None:
    jwks = Jwks(gate.fetch, clock)
    gate.open.set()
    gate.keys.append(jwk(rsa_key(1, 1024), kid="weak"))
    with pytest.raises(Unauthorized, match="key is too weak"):
        asyncio.run(jwks.key(asked("weak")))
