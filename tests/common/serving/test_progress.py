"""Progress told from deep within a computation, and leaving it when nobody waits."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from common.serving.pool import WorkPool
from common.serving.progress import Listener, Stopped, listener, listening, part, report, share
from common.serving.single_flight import SingleFlight
from tests.support.clients import until


class Told:
    """A listener that remembers, and can tell the computation to stop."""

    def __init__(self) -> None:
        self.said: list[tuple[float | None, str | None]] = []
        self.stop = False

    @property
    def fractions(self) -> list[float | None]:
        return [fraction for fraction, _ in self.said]

    def check_cancelled(self) -> None:
        if self.stop:
            raise Stopped

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        self.said.append((fraction, message))


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    made = WorkPool(threads=2, queue_length=8)
    yield made
    made.close()


def test_a_report_that_nobody_listens_to_changes_nothing() -> None:
    with part(0.2, 0.4):
        report(0.5, "alone")
    assert listener() is None


def test_a_report_reaches_the_listener() -> None:
    told = Told()
    with listening(told):
        report(0.5, "half")
    assert told.said == [(0.5, "half")]


def test_parts_within_parts_add_up_to_the_whole() -> None:
    told = Told()
    with listening(told):
        with part(0.0, 0.5):
            report(0.0)
            with share(1, 2):
                report(0.5)
        with part(0.5, 1.0):
            report(0.0)
            report(1.0)
        report(0.25)
    assert told.fractions == pytest.approx([0.0, 0.375, 0.5, 1.0, 0.25])


def test_a_computation_is_left_where_it_reports_once_it_is_to_stop() -> None:
    told = Told()
    with listening(told), part(0.0, 0.5):
        report(0.0)
        told.stop = True
        with pytest.raises(Stopped):
            report(0.5)
    assert told.fractions == [0.0]


def test_a_model_that_goes_on_after_any_exception_does_not_go_on_after_this_one() -> None:
    assert not issubclass(Stopped, Exception)


def test_the_listener_travels_to_tasks_and_to_the_threads_of_the_pool(pool: WorkPool) -> None:
    told = Told()

    async def ask() -> None:
        with listening(told):
            await asyncio.create_task(pool.run(report, 0.7))

    asyncio.run(ask())
    assert told.fractions == [0.7]


def reporting(steps: int, go_on: threading.Semaphore, done: list[int]) -> None:
    for step in range(steps):
        report(step / steps)
        done.append(step)
        assert go_on.acquire(timeout=30)


def test_all_who_share_a_computation_are_told(pool: WorkPool) -> None:
    first, second = Told(), Told()
    go_on, done = threading.Semaphore(0), list[int]()

    async def one(flights: SingleFlight[None], told: Listener) -> None:
        with listening(told):
            await flights.run(b"key", lambda: pool.run(reporting, 2, go_on, done))

    async def ask() -> None:
        flights = SingleFlight[None]()
        tasks = [asyncio.create_task(one(flights, first))]
        await until(lambda: len(done) == 1)
        tasks.append(asyncio.create_task(one(flights, second)))
        await asyncio.sleep(0)
        go_on.release(2)
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    assert (first.fractions, second.fractions) == ([0.0, 0.5], [0.5])


def test_a_caller_that_leaves_takes_nothing_from_the_one_that_stays(pool: WorkPool) -> None:
    gone, stays = Told(), Told()
    go_on, done = threading.Semaphore(0), list[int]()

    async def one(flights: SingleFlight[None], told: Listener) -> None:
        with listening(told):
            await flights.run(b"key", lambda: pool.run(reporting, 3, go_on, done))

    async def ask() -> None:
        flights = SingleFlight[None]()
        leaving = asyncio.create_task(one(flights, gone))
        await until(lambda: len(done) == 1)
        staying = asyncio.create_task(one(flights, stays))
        await asyncio.sleep(0)
        gone.stop = True
        leaving.cancel()
        await asyncio.wait([leaving])
        go_on.release(3)
        await staying

    asyncio.run(ask())
    assert (gone.fractions, len(stays.fractions), done) == ([0.0], 2, [0, 1, 2])


def test_a_computation_that_everybody_left_gives_its_thread_back_where_it_next_reports() -> None:
    pool = WorkPool(threads=1, queue_length=1)
    go_on, done = threading.Semaphore(0), list[int]()

    async def ask() -> str:
        flights = SingleFlight[None]()
        leaving = asyncio.create_task(flights.run(b"key", lambda: pool.run(reporting, 1000, go_on, done)))
        await until(lambda: done)
        leaving.cancel()
        await asyncio.wait([leaving])
        go_on.release()
        return await pool.run(lambda: "free")

    assert asyncio.run(ask()) == "free"
    assert done == [0]
    pool.close()
