"""Micro-batches without waiting: an idle model starts at once, a busy one gathers what comes meanwhile.

Nobody waits for company while nothing runs: the first item runs as soon as the event loop comes round, and what arrives
while it runs makes the next batch. So a lone caller loses nothing, and under load batches grow by themselves. Where
several batches may run at once, a second one beside the first gathers for a moment: those who were answered together
come back one by one, and the first of them must not run alone.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from common.errors import AtollError, Busy, TooManyRequests, Unavailable
from common.serving.fair_queue import FairQueue
from common.serving.packing import pack
from common.telemetry import metrics, tracing

Item = TypeVar("Item")
Outcome = bytes | Exception

# Among so many that wait, those of like cost are looked for.
_WINDOW = 256
# Runs that take less than this are done on the event loop: a thread would cost as much again.
_INLINE_S = 0.0005
# After as many quick runs on a thread a model counts as quick; one slow run on the loop and it does not.
_QUICK_RUNS = 8
# After as many lone items in a row the next one is not expected to get company either.
_LONE_RUNS = 8
# A batch beside others gathers for this share of the time that a batch takes, and no longer than that; unless as much
# waits as this part of a full one.
_GATHER, _LONGEST_GATHER_S = 0.1, 0.005
_ENOUGH = 4
# One caller may hold half of the queue: the others still find a place.
_SHARE = 0.5


@dataclass(frozen=True)
class Batching(Generic[Item]):
    """How a model's items are run together.

    Parameters
    ----------
    run : items -> a result each, in their order; an exception among them is that item's alone. `Batcher` wants JSON, as
        bytes; what a plugin declares may give anything that is JSON.
    cost : of an item; a batch costs its widest item times its number.
    budget : most that a batch may cost.
    max_items : most items in a batch.
    queue_cost : most that may wait; more is refused.
    inline_cost : a batch that costs more is run on a thread, however quick those before it were; None knows no such.
    """

    run: Callable[[Sequence[Item]], Sequence[Any]]
    cost: Callable[[Item], int] = field(default=lambda _: 1)
    budget: int = 4096
    max_items: int = 64
    queue_cost: int = 262_144
    inline_cost: int | None = None


@dataclass(slots=True, eq=False)
class Ticket(Generic[Item]):
    item: Item
    cost: int
    outcome: "asyncio.Future[bytes]"
    deadline_s: float | None
    since_s: float
    # In which trace it was asked for, while tracing is on.
    trace: Any = None


class Batcher(Generic[Item]):
    """The batches of one model on one event loop. Not for threads: each loop has its own.

    Parameters
    ----------
    lanes : batches that run at once, on as many threads of `executor`.
    """

    def __init__(self, name: str, how: Batching[Item], executor: ThreadPoolExecutor, lanes: int) -> None:
        self._name = name
        self._how = how
        self._executor = executor
        self._free = lanes
        self._lanes = lanes
        self._queue: FairQueue[Ticket[Item]] = FairQueue()
        self._queued_cost = 0
        # Tickets that were left since the queue was last looked through.
        self._left = 0
        self._is_due = False
        self._quick_runs = 0
        self._s_per_cost = 0.0
        self._mean_s = 0.0
        # Batches in a row that were one item which had no company in its round of the loop.
        self._lone_runs = 0
        self._has_run_now = False
        self._gathering: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # Found once: finding a series takes as long as counting into it.
        self._items_seen = metrics.BATCH_ITEMS.labels(name)
        self._waits_seen = metrics.BATCH_WAIT_SECONDS.labels(name)
        self._seconds_seen = metrics.BATCH_SECONDS.labels(name)
        self._refused = metrics.BATCH_REJECTED.labels(name)

    @property
    def is_quick(self) -> bool:
        """Whether runs are so short that they are done on the event loop."""
        return self._quick_runs >= _QUICK_RUNS

    def submit(
        self, item: Item, caller: str = "", deadline_s: float | None = None, *, lone: bool = False
    ) -> Ticket[Item]:
        """Let `item` wait for its turn.

        Parameters
        ----------
        caller : callers take turns.
        deadline_s : on `time.monotonic`; an item that has not begun by then is not run.
        lone : its request has no other items. Where the requests before it had no company either, and the model is
            quick, it is run at once: a round of the event loop costs more than such a run.

        Raises
        ------
        Busy
            The queue is full; `Retry-After` tells when half of it should be done.
        TooManyRequests
            This caller alone holds half of it.
        """
        cost = max(1, self._how.cost(item))
        if self._is_full(cost) and self._left:
            self._forget_left()
        if self._is_full(cost):
            raise self._full(caller)
        outcome: asyncio.Future[bytes] = self._loop.create_future()
        ticket = Ticket(item, cost, outcome, deadline_s, time.monotonic())
        if tracing.spans is not None:
            ticket.trace = tracing.spans.here()
        if self._has_run_now:
            # There is company after all.
            self._lone_runs = 0
        elif lone and self._lone_runs >= _LONE_RUNS and self.is_quick and self._free and not len(self._queue):
            self._run_now(ticket)
            return ticket
        self._queue.put(caller, ticket)
        self._queued_cost += cost
        self._wake()
        return ticket

    def _run_now(self, ticket: Ticket[Item]) -> None:
        self._has_run_now = True
        self._loop.call_soon(self._end_round)
        self._items_seen.observe(1)
        self._waits_seen.observe(0.0)
        self._free -= 1
        self._run_inline([ticket])

    def _end_round(self) -> None:
        self._has_run_now = False

    def leave(self, ticket: Ticket[Item]) -> None:
        """Nobody waits for `ticket` any more: it is not run, and its place is free."""
        if ticket.outcome.cancel():
            self._left += 1

    def _is_full(self, cost: int) -> bool:
        return self._queued_cost + cost > self._how.queue_cost and len(self._queue) > 0

    def _forget_left(self) -> None:
        """Give the places of those who have gone to others, before anybody is refused for them."""
        self._left = 0
        waiting = self._queue.take(len(self._queue))
        self._queued_cost -= sum(entry.cost for _, entry in waiting if entry.outcome.done())
        self._queue.put_back(pair for pair in waiting if not pair[1].outcome.done())

    def _full(self, caller: str) -> AtollError:
        self._refused.inc()
        wait_s = self._s_per_cost * self._queued_cost / self._lanes / 2
        held = self._queue.held_by(caller)
        if held > _SHARE * len(self._queue) and held < len(self._queue):
            told = f"{held} of your items wait for {self._name}; wait for them before you send more"
            return TooManyRequests(told, retry_after_s=wait_s)
        told = f"{len(self._queue)} items wait for {self._name}, which is the limit of this process; try again"
        return Busy(told, retry_after_s=wait_s)

    def _wake(self) -> None:
        # Once a round of the loop, so that requests that are read in the same round run together.
        if not self._free or self._is_due or not len(self._queue):
            return
        if self._is_worth_waiting:
            if self._gathering is None:
                wait_s = min(_LONGEST_GATHER_S, _GATHER * self._mean_s)
                self._gathering = self._loop.call_later(wait_s, self._dispatch)
            return
        self._is_due = True
        self._loop.call_soon(self._dispatch)

    @property
    def _is_worth_waiting(self) -> bool:
        """Whether others run, and little waits."""
        is_little = self._queued_cost * _ENOUGH < self._how.budget and len(self._queue) < self._how.max_items
        return self._free < self._lanes and is_little

    def _dispatch(self) -> None:
        self._is_due = False
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        while self._free and len(self._queue) and (batch := self._next()):
            self._free -= 1
            if self.is_quick and self._is_small(batch):
                self._run_inline(batch)
            else:
                future = self._executor.submit(self._timed, batch)
                future.add_done_callback(lambda done, batch=batch: self._from_thread(done, batch))  # type: ignore[misc]  # mypy does not infer a default's type

    def _next(self) -> list[Ticket[Item]]:
        """The next batch, without those whose caller has gone, or whose time is over."""
        now_s = time.monotonic()
        live: list[tuple[str, Ticket[Item]]] = []
        for caller, entry in self._queue.take(_WINDOW):
            if entry.outcome.done():
                self._queued_cost -= entry.cost
            elif entry.deadline_s is not None and entry.deadline_s <= now_s:
                self._queued_cost -= entry.cost
                self._refused.inc()
                entry.outcome.set_exception(late(self._name))
            else:
                live.append((caller, entry))
        if len(live) == 1:
            # A lone caller's, the most usual one.
            batch = [live[0][1]]
        else:
            # What waits is shared among those who could run it, in parts that are worth it.
            share = max(-(-self._queued_cost // self._free), self._how.budget // _ENOUGH)
            chosen = pack([entry.cost for _, entry in live], min(self._how.budget, share), self._how.max_items)
            taken = set(chosen)
            self._queue.put_back(pair for place, pair in enumerate(live) if place not in taken)
            batch = [live[place][1] for place in chosen]
        if batch:
            self._lone_runs = self._lone_runs + 1 if len(batch) == 1 and not len(self._queue) else 0
            self._queued_cost -= sum(entry.cost for entry in batch)
            self._items_seen.observe(len(batch))
            self._waits_seen.observe(now_s - min(entry.since_s for entry in batch))
        return batch

    def _is_small(self, batch: list[Ticket[Item]]) -> bool:
        most = self._how.inline_cost
        return most is None or batch[-1].cost * len(batch) <= most

    def _run_inline(self, batch: list[Ticket[Item]]) -> None:
        outcomes, seconds = self._timed(batch)
        self._done(batch, outcomes, seconds)

    def _timed(self, batch: list[Ticket[Item]]) -> tuple[Sequence[Outcome], float]:
        began_ns = time.time_ns() if tracing.spans is not None else 0
        started_s = time.perf_counter()
        outcomes = run_each([entry.item for entry in batch], self._how.run)
        seconds = time.perf_counter() - started_s
        if tracing.spans is not None:
            told: dict[str, tracing.Value] = {"atoll.model": self._name, "atoll.batch.items": len(batch)}
            tracing.spans.shared(f"predict {self._name}", told, began_ns, (entry.trace for entry in batch))
        return outcomes, seconds

    def _from_thread(self, done: Any, batch: list[Ticket[Item]]) -> None:
        outcomes, seconds = done.result()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._done, batch, outcomes, seconds)

    def _done(self, batch: list[Ticket[Item]], outcomes: Sequence[Outcome], seconds: float) -> None:
        self._free += 1
        self._quick_runs = self._quick_runs + 1 if seconds < _INLINE_S else 0
        self._mean_s += 0.2 * (seconds - self._mean_s)
        each_s = seconds / (batch[-1].cost * len(batch))
        self._s_per_cost += 0.2 * (each_s - self._s_per_cost)
        self._seconds_seen.observe(seconds)
        for entry, outcome in zip(batch, outcomes, strict=True):
            # The caller may have gone meanwhile.
            if entry.outcome.done():
                continue
            if isinstance(outcome, Exception):
                entry.outcome.set_exception(outcome)
            else:
                entry.outcome.set_result(outcome)
        self._wake()


def run_each(items: Sequence[Item], run: Callable[[Sequence[Item]], Sequence[Outcome]]) -> Sequence[Outcome]:
    """Outcomes of a batch. One that fails as a whole is run in halves, so that only what is at fault fails."""
    try:
        outcomes = run(items)
        if len(outcomes) != len(items):
            raise RuntimeError(f"the model gave {len(outcomes)} outcomes for {len(items)} items")
    # A model's code may raise anything, and an exit must not take its thread along.
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - see above
        if len(items) == 1:
            return [exc if isinstance(exc, Exception) else RuntimeError("the model left by SystemExit")]
        middle = len(items) // 2
        return [*run_each(items[:middle], run), *run_each(items[middle:], run)]
    return outcomes


def late(name: str) -> Unavailable:
    """The error of an item whose time is over."""
    return Unavailable(f"{name} did not come to it within X-Timeout-Ms; send less at once, or allow more time")
