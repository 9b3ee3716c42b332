"""Telling silent attempts from live ones while clocks jump; the promise is 60 seconds with a look every 15."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.clock import FakeClock
from common.jobs.records import Beat
from common.jobs.watch import Watch

STALL_S, LOOK_S, BEAT_S = 45.0, 15.0, 10.0


def look(watch: Watch, clock: FakeClock, *beats: Beat) -> list[Beat]:
    now, monotonic_s = clock.now(), clock.monotonic_s()
    watch.see(now, monotonic_s)
    return watch.silent(beats, now, monotonic_s)


def beat(clock: FakeClock, skew_s: float = 0, epoch: int = 1) -> Beat:
    return Beat("job", epoch, clock.now() + timedelta(seconds=skew_s))


@given(
    st.lists(st.floats(-1e5, 1e5) | st.just(0.0), min_size=1, max_size=30),
    st.floats(-7200, 7200),
    st.integers(0, 15),
)
def test_a_live_attempt_is_never_taken_for_silent(jumps: list[float], skew_s: float, began_s: int) -> None:
    """Whatever the watcher's clock does, and however wrong the worker's is, once the watcher runs."""
    clock, watch, worker = FakeClock(), Watch(STALL_S), FakeClock(datetime(2024, 1, 1, tzinfo=UTC))
    assert look(watch, clock) == []
    clock.advance(began_s)
    worker.advance(skew_s)
    last = beat(worker)
    since_s = 0.0
    for jump_s in jumps:
        for _ in range(int(LOOK_S)):
            clock.advance(1)
            worker.advance(1)
            since_s += 1
            if since_s >= BEAT_S:
                last, since_s = beat(worker), 0.0
        clock.jump(jump_s)
        assert look(watch, clock, last) == []


@given(st.floats(0, LOOK_S), st.floats(-1e5, 1e5) | st.just(0.0))
def test_a_silent_attempt_is_found_within_a_minute(phase_s: float, jump_s: float) -> None:
    """Also if the watcher's clock jumps right after the last heartbeat was seen."""
    clock, watch = FakeClock(), Watch(STALL_S)
    look(watch, clock)
    clock.advance(100)
    last = beat(clock)
    died_s = clock.monotonic_s()
    clock.advance(phase_s)
    assert look(watch, clock, last) == []
    clock.jump(jump_s)
    while not look(watch, clock, last):
        clock.advance(LOOK_S)
        assert clock.monotonic_s() - died_s <= 60 + 1e-6


def test_a_watcher_that_just_started_believes_the_clock() -> None:
    clock = FakeClock()
    last = beat(clock)
    clock.advance(46)
    assert look(Watch(STALL_S), clock, last) == [last]


def test_a_worker_whose_clock_is_wrong_is_found_a_little_later() -> None:
    clock, watch = FakeClock(), Watch(STALL_S)
    look(watch, clock, beat(clock, 3600))
    last = beat(clock, 3600 + 10)
    clock.advance(15)
    assert look(watch, clock, last) == []
    clock.advance(45)
    assert look(watch, clock, last) == [last]


def test_the_clock_is_steady_until_it_jumps_and_again_after_a_while() -> None:
    clock, watch = FakeClock(), Watch(STALL_S)
    look(watch, clock)
    assert watch.is_steady(clock.monotonic_s(), 60)
    assert not watch.is_steady(clock.monotonic_s(), 60, since_start=True)
    clock.advance(60)
    clock.jump(-100)
    look(watch, clock)
    assert not watch.is_steady(clock.monotonic_s(), 60)
    clock.advance(60)
    assert watch.is_steady(clock.monotonic_s(), 60, since_start=True)
