import asyncio
from collections.abc import Awaitable, Callable

import pytest

from common.serving.single_flight import SingleFlight

KEY = b"key"


class Computation:
    """Counts how often it is begun, and ends when the test says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.cancelled = 0
        self.error = error
        self.go_on = asyncio.Event()

    async def __call__(self) -> str:
        self.begun += 1
        number = self.begun
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return f"result {number}"


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def callers(
    flights: SingleFlight[str], compute: Callable[[], Awaitable[str]], count: int, key: bytes = KEY
) -> list["asyncio.Task[str]"]:
    return [asyncio.create_task(flights.run(key, compute)) for _ in range(count)]


def test_equal_concurrent_calls_compute_once() -> None:
    async def ask() -> tuple[list[str], int]:
        compute = Computation()
        tasks = callers(SingleFlight(), compute, 50)
        await settle()
        compute.go_on.set()
        return await asyncio.gather(*tasks), compute.begun

    assert asyncio.run(ask()) == (["result 1"] * 50, 1)


def test_calls_with_different_keys_compute_each() -> None:
    async def ask() -> int:
        compute, flights = Computation(), SingleFlight[str]()
        tasks = callers(flights, compute, 1, b"a") + callers(flights, compute, 1, b"b")
        await settle()
        compute.go_on.set()
        await asyncio.gather(*tasks)
        return compute.begun

    assert asyncio.run(ask()) == 2


def test_a_later_call_computes_anew() -> None:
    async def ask() -> list[str]:
        compute, flights = Computation(), SingleFlight[str]()
        compute.go_on.set()
        return [await flights.run(KEY, compute), await flights.run(KEY, compute)]

    assert asyncio.run(ask()) == ["result 1", "result 2"]


def test_an_error_reaches_every_caller() -> None:
    async def ask() -> list[object]:
        compute = Computation(LookupError("gone"))
        tasks = callers(SingleFlight(), compute, 3)
        await settle()
        compute.go_on.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    assert [str(error) for error in asyncio.run(ask())] == ["gone"] * 3


def test_after_an_error_the_next_call_computes_anew() -> None:
    async def ask() -> str:
        flights, compute = SingleFlight[str](), Computation(LookupError("gone"))
        compute.go_on.set()
        with pytest.raises(LookupError):
            await flights.run(KEY, compute)
        compute.error = None
        return await flights.run(KEY, compute)

    assert asyncio.run(ask()) == "result 2"


@pytest.mark.parametrize("leaver", [0, 1, 2])
def test_a_caller_who_leaves_takes_nothing_from_the_others(leaver: int) -> None:
    async def ask() -> list[str]:
        compute = Computation()
        tasks = callers(SingleFlight(), compute, 3)
        await settle()
        tasks.pop(leaver).cancel()
        await settle()
        compute.go_on.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(ask()) == ["result 1"] * 2


def test_when_the_last_caller_leaves_the_computation_is_cancelled() -> None:
    async def ask() -> int:
        compute = Computation()
        tasks = callers(SingleFlight(), compute, 3)
        await settle()
        for task in tasks:
            task.cancel()
        await settle()
        return compute.cancelled

    assert asyncio.run(ask()) == 1


def test_a_call_after_all_have_left_computes_anew() -> None:
    async def ask() -> str:
        compute, flights = Computation(), SingleFlight[str]()
        callers(flights, compute, 1)[0].cancel()
        first = callers(flights, compute, 1)
        await settle()
        first[0].cancel()
        await settle()
        compute.go_on.set()
        return await flights.run(KEY, compute)

    assert asyncio.run(ask()) == "result 2"


def test_nothing_is_kept_of_what_has_ended() -> None:
    async def ask() -> int:
        compute, flights = Computation(), SingleFlight[str]()
        compute.go_on.set()
        for number in range(20):
            await flights.run(bytes([number]), compute)
        return len(flights._flights)

    assert asyncio.run(ask()) == 0
