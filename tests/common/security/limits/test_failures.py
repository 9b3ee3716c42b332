import asyncio
from collections import Counter
from typing import Any

import pytest

from common.clock import FakeClock
from common.errors import AtollError, DependencyFailed, TooManyRequests, Unauthorized
from common.security.limits.failures import UNDER_WAY, FailedAttempts
from common.security.principal import Principal
from common.security.scopes import ALL_SCOPES


class Verifier:
    """Takes `good`; the database is `away` for a credential of that name."""

    def __init__(self) -> None:
        self.asked = 0
        self.good = {"good", "better"}

    async def verify(self, credential: str) -> Principal:
        self.asked += 1
        await asyncio.sleep(0)
        if credential == "away":
            raise DependencyFailed
        if credential not in self.good:
            raise Unauthorized
        return Principal(credential, "key", ALL_SCOPES)


class Tries:
    def __init__(self, per_min: int = 3) -> None:
        self.clock = FakeClock()
        self.verifier = Verifier()
        self._attempts = FailedAttempts(per_min, clock=self.clock)

    async def begin(self, credential: str, address: str = "192.0.2.1") -> int:
        scope: dict[str, Any] = {"client": (address, 1), "headers": []}
        try:
            await self._attempts.verified(scope, credential, self.verifier.verify)
        except AtollError as exc:
            return exc.status
        return 200

    def __call__(self, *credentials: str, address: str = "192.0.2.1") -> list[int]:
        async def all_of_them() -> list[int]:
            return [await self.begin(credential, address) for credential in credentials]

        return asyncio.run(all_of_them())


def test_after_so_many_failures_nothing_is_verified_any_more() -> None:
    tries = Tries()
    assert tries(*"abcde") == [401, 401, 401, 429, 429]
    assert tries.verifier.asked == 3


def test_a_good_credential_costs_nothing() -> None:
    tries = Tries()
    assert tries(*["good"] * 10, "a", "b", "c", "d") == [200] * 10 + [401] * 3 + [429]


def test_one_wrong_key_behind_an_address_does_not_lock_out_one_that_was_good_before() -> None:
    tries = Tries()
    tries("good", *"abcd")
    assert tries("good", "better", "good") == [200, 429, 200]


def test_a_key_that_was_good_once_and_is_no_more_is_counted() -> None:
    tries = Tries()
    tries("good")
    tries.verifier.good.clear()
    assert tries(*["good"] * 6) == [401, 401, 401, 401, 429, 429]


def test_addresses_are_counted_apart() -> None:
    tries = Tries()
    tries(*"abcd")
    assert tries("a", address="192.0.2.2") == [401]


def test_a_database_that_is_away_is_no_failure_of_the_caller() -> None:
    assert Tries()(*["away"] * 10, "a") == [424] * 10 + [401]


def test_many_tries_at_the_same_time_are_no_way_around() -> None:
    tries = Tries()

    async def at_once(number: int, *, of: str) -> list[int]:
        return await asyncio.gather(*(tries.begin(f"{of}{place}") for place in range(number)))

    assert Counter(asyncio.run(at_once(300, of="first"))) == {401: 3 + UNDER_WAY, 429: 97}
    # They are failures all the same: three a minute in the end.
    assert set(asyncio.run(at_once(300, of="second"))) == {429}
    tries.clock.advance(UNDER_WAY / 3 * 60)
    assert set(asyncio.run(at_once(300, of="third"))) == {429}
    tries.clock.advance(20)
    assert tries("a", "b") == [401, 429]


def test_many_callers_of_one_address_may_come_at_once_right_after_a_start() -> None:
    tries = Tries()
    tries.verifier.good = {f"good{number}" for number in range(UNDER_WAY)}

    async def at_once() -> list[int]:
        return await asyncio.gather(*(tries.begin(credential) for credential in tries.verifier.good))

    assert set(asyncio.run(at_once())) == {200}
    assert tries("a", "b", "c", "d") == [401, 401, 401, 429]


def test_nothing_is_kept_of_addresses_that_have_nothing_under_way() -> None:
    tries = Tries()
    tries("good", "away", *"abcdef")
    assert (tries._attempts._under_way, tries._attempts._looked_at) == ({}, {})


def test_a_page_may_ask_for_many_things_at_once_before_its_key_is_known() -> None:
    tries = Tries()

    async def at_once() -> list[int]:
        return await asyncio.gather(*(tries.begin("good") for _ in range(50)))

    assert asyncio.run(at_once()) == [200] * 50
    assert tries("a", "b", "c", "d") == [401, 401, 401, 429]


def test_whoever_waits_as_long_as_told_may_try_again() -> None:
    tries = Tries()
    tries(*"abc")
    with pytest.raises(TooManyRequests) as refused:
        asyncio.run(tries._attempts.verified({"client": ("192.0.2.1", 1), "headers": []}, "d", tries.verifier.verify))
    tries.clock.advance(int(refused.value.headers["Retry-After"]))
    assert tries("d") == [401]


def test_zero_is_no_limit() -> None:
    assert Tries(per_min=0)(*["a"] * 1000) == [401] * 1000
