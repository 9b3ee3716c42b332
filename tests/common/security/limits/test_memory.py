import asyncio

from common.clock import FakeClock
from common.security.limits.bucket import Rate
from common.security.limits.memory import MemoryBuckets

PLACES = 100


def buckets(clock: FakeClock, rate: Rate = Rate(per_s=1, burst=3)) -> MemoryBuckets:  # noqa: B008 - frozen
    return MemoryBuckets(rate, clock, max_callers=PLACES)


def emptied(kept: MemoryBuckets, caller: str) -> None:
    while kept.take_now(caller).allowed:
        pass


def test_a_bucket_that_is_in_use_is_not_forgotten_however_many_others_call() -> None:
    kept = buckets(FakeClock())
    emptied(kept, "attacker")
    for number in range(50 * PLACES):
        kept.take_now(f"address {number}")
    assert not kept.take_now("attacker").allowed


def test_memory_does_not_grow_with_the_number_of_callers() -> None:
    kept = buckets(FakeClock())
    for number in range(50 * PLACES):
        kept.take_now(f"address {number}")
    assert len(kept) <= PLACES + 4096


def test_new_callers_are_served_while_all_places_are_taken_but_not_without_end() -> None:
    kept = buckets(FakeClock())
    for number in range(PLACES):
        kept.take_now(f"address {number}")
    assert [kept.take_now("newcomer").allowed for _ in range(4)] == [True, True, True, False]


def test_buckets_that_are_full_again_are_forgotten() -> None:
    clock = FakeClock()
    kept = buckets(clock)
    for number in range(PLACES):
        emptied(kept, f"address {number}")
    clock.advance(3)
    for number in range(PLACES // 2):
        kept.take_now(f"another {number}")
    assert len(kept) == PLACES // 2


def test_a_forgotten_bucket_was_full() -> None:
    clock = FakeClock()
    kept = buckets(clock)
    emptied(kept, "caller")
    clock.advance(1)
    for number in range(10):
        kept.take_now(f"address {number}")
    assert kept.take_now("caller").allowed
    assert not kept.take_now("caller").allowed


def test_a_wall_clock_that_is_set_changes_nothing() -> None:
    clock = FakeClock()
    kept = buckets(clock)
    emptied(kept, "caller")
    clock.jump(3600)
    assert not asyncio.run(kept.take("caller")).allowed
