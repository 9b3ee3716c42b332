import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest

from common.errors import Busy
from common.serving.pool import WorkPool
from common.telemetry import metrics

PATIENCE_S = 30


class Gate:
    """Work that goes on when the test says so."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.opened = threading.Event()

    def work(self) -> str:
        self.started.release()
        assert self.opened.wait(PATIENCE_S)
        return "done"

    async def wait_until_started(self) -> None:
        assert await asyncio.to_thread(self.started.acquire, timeout=PATIENCE_S)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def pool() -> Iterator[WorkPool]:
    """One thread, and one place in the queue."""
    pool = WorkPool(threads=1, queue_length=1)
    yield pool
    pool.close()


async def settle() -> None:
    """Let callbacks of the event loop run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def fill(pool: WorkPool, gate: Gate) -> list["asyncio.Task[str]"]:
    """One piece of work on the thread, one in the queue."""
    running = asyncio.create_task(pool.run(gate.work))
    await gate.wait_until_started()
    waiting = asyncio.create_task(pool.run(gate.work))
    await settle()
    return [running, waiting]


def test_work_runs_on_a_thread_of_the_pool(pool: WorkPool) -> None:
    name = asyncio.run(pool.run(lambda: threading.current_thread().name))
    assert name.startswith("predict")


def test_arguments_and_the_result_are_passed_on(pool: WorkPool) -> None:
    assert asyncio.run(pool.run(divmod, 7, 3)) == (2, 1)


def test_an_exception_of_the_work_reaches_the_caller(pool: WorkPool) -> None:
    def fail() -> NoReturn:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        asyncio.run(pool.run(fail))


def test_a_full_pool_refuses_work_and_says_when_to_come_back(pool: WorkPool, gate: Gate) -> None:
    async def ask() -> Busy:
        tasks = await fill(pool, gate)
        with pytest.raises(Busy) as refused:
            await pool.run(str)
        gate.opened.set()
        await asyncio.gather(*tasks)
        return refused.value

    refused = asyncio.run(ask())
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.detail.startswith("2 predictions")


def test_what_was_refused_is_counted(pool: WorkPool, gate: Gate) -> None:
    async def ask() -> None:
        tasks = await fill(pool, gate)
        for _ in range(3):
            with pytest.raises(Busy):
                await pool.run(str)
        gate.opened.set()
        await asyncio.gather(*tasks)

    before = metrics.POOL_REJECTED._value.get()
    asyncio.run(ask())
    assert metrics.POOL_REJECTED._value.get() - before == 3


def test_a_full_pool_takes_work_again_when_some_has_ended(pool: WorkPool, gate: Gate) -> None:
    async def ask() -> int:
        tasks = await fill(pool, gate)
        gate.opened.set()
        await asyncio.gather(*tasks)
        return await pool.run(int, "3")

    assert asyncio.run(ask()) == 3


def test_a_caller_who_leaves_before_the_work_begins_gives_the_place_back(pool: WorkPool, gate: Gate) -> None:
    async def ask() -> str:
        running, waiting = await fill(pool, gate)
        waiting.cancel()
        await settle()
        # Full if the place had not been given back.
        later = asyncio.create_task(pool.run(str, "later"))
        await settle()
        gate.opened.set()
        await running
        return await later

    assert asyncio.run(ask()) == "later"


def test_work_that_nobody_waits_for_any_more_is_not_begun(pool: WorkPool, gate: Gate) -> None:
    begun: list[int] = []

    async def ask() -> None:
        running = asyncio.create_task(pool.run(gate.work))
        await gate.wait_until_started()
        waiting = asyncio.create_task(pool.run(begun.append, 1))
        await settle()
        waiting.cancel()
        await settle()
        gate.opened.set()
        await running
        await pool.run(str)

    asyncio.run(ask())
    assert begun == []


def test_work_that_runs_keeps_its_place_though_its_caller_has_left(pool: WorkPool, gate: Gate) -> None:
    async def ask() -> None:
        running, waiting = await fill(pool, gate)
        running.cancel()
        await settle()
        with pytest.raises(Busy):
            await pool.run(str)
        gate.opened.set()
        await waiting

    asyncio.run(ask())


def test_places_are_given_back_after_errors(pool: WorkPool) -> None:
    def fail() -> NoReturn:
        raise ValueError

    async def ask() -> int:
        for _ in range(10):
            with pytest.raises(ValueError):  # noqa: PT011 - any will do
                await pool.run(fail)
        return await pool.run(int, "3")

    assert asyncio.run(ask()) == 3


def test_the_gauge_counts_what_runs_and_waits_and_is_back_after_errors(pool: WorkPool, gate: Gate) -> None:
    def fail() -> NoReturn:
        raise ValueError

    async def ask() -> float:
        tasks = await fill(pool, gate)
        taken: float = metrics.POOL_TAKEN._value.get() - before
        gate.opened.set()
        await asyncio.gather(*tasks)
        with pytest.raises(ValueError):  # noqa: PT011 - any will do
            await pool.run(fail)
        return taken

    before = metrics.POOL_TAKEN._value.get()
    assert asyncio.run(ask()) == 2
    assert metrics.POOL_TAKEN._value.get() == before


def test_work_sees_the_context_of_its_caller(pool: WorkPool) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def ask() -> str:
        variable.set("mine")
        return await pool.run(variable.get)

    assert asyncio.run(ask()) == "mine"


def test_what_work_sets_in_its_context_stays_there(pool: WorkPool) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def ask() -> str:
        await pool.run(variable.set, "theirs")
        return variable.get()

    assert asyncio.run(ask()) == "unset"


def test_without_a_queue_only_as_much_is_taken_as_there_are_threads(gate: Gate) -> None:
    pool = WorkPool(threads=2, queue_length=0)

    async def ask() -> None:
        tasks = [asyncio.create_task(pool.run(gate.work)) for _ in range(2)]
        for _ in tasks:
            await gate.wait_until_started()
        with pytest.raises(Busy):
            await pool.run(str)
        gate.opened.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    pool.close()
