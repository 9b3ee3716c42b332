"""Batches: when they begin, what is in them, what becomes of what fails."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from common.errors import AtollError, Busy, TooManyRequests, Unavailable
from common.serving.batcher import Batcher, Batching, Outcome, run_each


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as found:
        yield found


class Model:
    """Answers each number; notes its batches; waits for `gate` in each, if there is one."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.batches: list[list[int]] = []
        self.gate = gate
        self.begun = threading.Event()

    def __call__(self, items: Sequence[int]) -> Sequence[Outcome]:
        self.batches.append(list(items))
        self.begun.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        if any(item < 0 for item in items):
            raise ValueError("negative")
        return [str(item).encode() for item in items]


def on_loop(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(work(), 60)

    return asyncio.run(main())


def test_an_idle_model_starts_at_once_and_a_busy_one_gathers(executor: ThreadPoolExecutor) -> None:
    model = Model(threading.Event())

    async def work() -> list[bytes]:
        batcher = Batcher("m", Batching(model), executor, lanes=1)
        tickets = [batcher.submit(0)]
        await asyncio.to_thread(model.begun.wait, 30)
        tickets += [batcher.submit(number) for number in range(1, 6)]
        assert model.gate is not None
        model.gate.set()
        return [await ticket.outcome for ticket in tickets]

    assert on_loop(work) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert model.batches == [[0], [1, 2, 3, 4, 5]]


def test_a_batch_beside_another_gathers_for_a_moment(executor: ThreadPoolExecutor) -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher("m", Batching(model), executor, lanes=2)
        # How long a batch takes is what it takes usually.
        model.gate = threading.Event()
        slow = batcher.submit(0)
        await asyncio.sleep(0.5)
        model.gate.set()
        await slow.outcome
        model.gate, model.begun = threading.Event(), threading.Event()
        tickets = [batcher.submit(1)]
        await asyncio.to_thread(model.begun.wait, 30)
        for number in (2, 3, 4):
            # Each in a round of the loop of its own.
            tickets.append(batcher.submit(number))
            await asyncio.sleep(0)
        assert model.batches == [[0], [1]]
        model.gate.set()
        await asyncio.wait([ticket.outcome for ticket in tickets])

    on_loop(work)
    assert model.batches == [[0], [1], [2, 3, 4]]


def test_a_batch_beside_another_does_not_wait_where_enough_is_there(executor: ThreadPoolExecutor) -> None:
    model = Model(threading.Event())

    async def work() -> None:
        batcher = Batcher("m", Batching(model, budget=8), executor, lanes=2)
        batcher._mean_s = 1e9
        tickets = [batcher.submit(0)]
        await asyncio.to_thread(model.begun.wait, 30)
        model.begun.clear()
        tickets += [batcher.submit(number) for number in (1, 2)]
        await asyncio.to_thread(model.begun.wait, 30)
        assert model.gate is not None
        model.gate.set()
        await asyncio.wait([ticket.outcome for ticket in tickets])

    on_loop(work)
    assert model.batches == [[0], [1, 2]]


def test_what_waits_is_shared_among_those_who_can_run_it(executor: ThreadPoolExecutor) -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher("m", Batching(model, budget=16), executor, lanes=2)
        await asyncio.wait([batcher.submit(number).outcome for number in range(10)])

    on_loop(work)
    assert sorted(model.batches) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_failing_item_fails_alone(executor: ThreadPoolExecutor) -> None:
    model = Model()

    async def work() -> list[Any]:
        batcher = Batcher("m", Batching(model), executor, lanes=1)
        tickets = [batcher.submit(number) for number in (1, -2, 3, 4)]
        return await asyncio.gather(*(ticket.outcome for ticket in tickets), return_exceptions=True)

    first, second, *rest = on_loop(work)
    assert (first, rest) == (b"1", [b"3", b"4"])
    assert isinstance(second, ValueError)


def test_an_exit_within_a_model_fails_its_item_and_nothing_else(executor: ThreadPoolExecutor) -> None:
    def leaves(items: Sequence[int]) -> Sequence[Outcome]:
        if 1 in items:
            raise SystemExit(3)
        return [b"fine"] * len(items)

    async def work() -> list[Any]:
        batcher = Batcher("m", Batching(leaves), executor, lanes=1)
        tickets = [batcher.submit(number) for number in (1, 2)]
        found = await asyncio.gather(*(ticket.outcome for ticket in tickets), return_exceptions=True)
        return [*found, await batcher.submit(5).outcome]

    failed, *others = on_loop(work)
    assert isinstance(failed, RuntimeError)
    assert others == [b"fine", b"fine"]


def test_a_model_that_loses_items_is_told_so() -> None:
    outcomes = run_each([1, 2], lambda items: [b"only one"])
    assert outcomes[0] == outcomes[1] == b"only one"
    assert isinstance(run_each([1], lambda items: [])[0], RuntimeError)


def test_an_item_whose_caller_has_gone_is_not_run(executor: ThreadPoolExecutor) -> None:
    model = Model(threading.Event())

    async def work() -> None:
        batcher = Batcher("m", Batching(model), executor, lanes=1)
        first = batcher.submit(0)
        await asyncio.to_thread(model.begun.wait, 30)
        gone, stays = batcher.submit(1), batcher.submit(2)
        gone.outcome.cancel()
        assert model.gate is not None
        model.gate.set()
        await asyncio.wait([first.outcome, stays.outcome])

    on_loop(work)
    assert model.batches == [[0], [2]]


def test_an_item_whose_time_is_over_is_refused_and_not_run(executor: ThreadPoolExecutor) -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher("m", Batching(model), executor, lanes=1)
        late = batcher.submit(1, deadline_s=time.monotonic() - 1)
        with pytest.raises(Unavailable, match="X-Timeout-Ms"):
            await late.outcome

    on_loop(work)
    assert model.batches == []


@pytest.mark.parametrize(("caller", "error"), [("greedy", TooManyRequests), ("other", Busy)])
def test_a_full_queue_refuses_and_says_when_to_come_back(
    executor: ThreadPoolExecutor, caller: str, error: type[AtollError]
) -> None:
    model = Model(threading.Event())

    async def work() -> None:
        batcher = Batcher("m", Batching(model, queue_cost=10, max_items=1), executor, lanes=1)
        tickets = [batcher.submit(0, "greedy")]
        await asyncio.to_thread(model.begun.wait, 30)
        tickets += [batcher.submit(number, "greedy") for number in range(9)] + [batcher.submit(9, "third")]
        with pytest.raises(error) as refused:
            batcher.submit(10, caller)
        assert int(refused.value.headers["Retry-After"]) >= 1
        assert model.gate is not None
        model.gate.set()
        await asyncio.wait([ticket.outcome for ticket in tickets])
        # There is room again.
        assert await batcher.submit(11, caller).outcome == b"11"

    on_loop(work)


def test_callers_take_turns(executor: ThreadPoolExecutor) -> None:
    model = Model(threading.Event())

    async def work() -> None:
        batcher = Batcher("m", Batching(model, max_items=2), executor, lanes=1)
        tickets = [batcher.submit(0)]
        await asyncio.to_thread(model.begun.wait, 30)
        tickets += [batcher.submit(number, "many") for number in (1, 2, 3, 4)] + [batcher.submit(9, "few")]
        assert model.gate is not None
        model.gate.set()
        await asyncio.wait([ticket.outcome for ticket in tickets])

    on_loop(work)
    assert model.batches == [[0], [1, 9], [2, 3], [4]]


def test_a_batch_that_costs_much_is_run_on_a_thread_however_quick_the_others_were(
    executor: ThreadPoolExecutor,
) -> None:
    ran: dict[int, int] = {}

    def run(items: Sequence[int]) -> Sequence[Outcome]:
        ran[items[0]] = threading.get_ident()
        return [b"" for _ in items]

    async def work() -> None:
        how = Batching(run, cost=lambda item: item, inline_cost=10)
        batcher = Batcher("m", how, executor, lanes=1)
        # A busy machine may make one of them slow.
        for _ in range(500):
            await batcher.submit(1).outcome
            if batcher.is_quick:
                break
        await batcher.submit(1).outcome
        await batcher.submit(11).outcome
        assert ran[1] == threading.get_ident()
        assert ran[11] != threading.get_ident()

    on_loop(work)


def test_quick_runs_move_to_the_event_loop_and_a_slow_one_back(executor: ThreadPoolExecutor) -> None:
    threads: list[bool] = []
    slow = False

    def run(items: Sequence[int]) -> Sequence[Outcome]:
        threads.append(threading.current_thread() is not threading.main_thread())
        if slow:
            time.sleep(0.02)
        return [b""] * len(items)

    async def work() -> None:
        nonlocal slow
        batcher = Batcher("m", Batching(run), executor, lanes=1)
        for _ in range(500):
            await batcher.submit(1).outcome
            if batcher.is_quick:
                break
        assert threads[0]
        await batcher.submit(1).outcome
        assert not threads[-1]
        slow = True
        await batcher.submit(1).outcome
        await batcher.submit(1).outcome
        assert threads[-1]

    on_loop(work)


def test_a_quick_model_runs_a_lone_item_at_once_until_there_is_company(executor: ThreadPoolExecutor) -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher("m", Batching(model), executor, lanes=1)
        for number in range(500):
            if (ticket := batcher.submit(number, lone=True)).outcome.done():
                break
            await ticket.outcome
        assert ticket.outcome.done()
        # In the same round of the loop: the next ones wait for each other.
        together = [batcher.submit(number, lone=True) for number in (1, 2, 3)]
        assert not any(ticket.outcome.done() for ticket in together)
        await asyncio.wait([ticket.outcome for ticket in together])
        assert model.batches[-1] == [1, 2, 3]
        assert not batcher.submit(4, lone=True).outcome.done()

    on_loop(work)


def test_items_of_one_request_are_not_run_one_by_one(executor: ThreadPoolExecutor) -> None:
    model = Model()

    async def work() -> None:
        batcher = Batcher("m", Batching(model), executor, lanes=1)
        for number in range(500):
            if (ticket := batcher.submit(number, lone=True)).outcome.done():
                break
            await ticket.outcome
        await asyncio.sleep(0)
        tickets = [batcher.submit(number) for number in (1, 2)]
        await asyncio.wait([ticket.outcome for ticket in tickets])
        assert model.batches[-1] == [1, 2]

    on_loop(work)
