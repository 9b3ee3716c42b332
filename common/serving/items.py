"""Predictions item by item: each text, each house is looked up, computed and kept for itself.

So any mixture, order or part of items that were asked for before is answered without the model; equal items that are
asked for at the same time are computed once; the rest of all requests is run in common batches.
"""

import asyncio
import random
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, TypeVar

from common.serving.batcher import Batcher, Batching, Ticket, late
from common.serving.cache import ByteCache
from common.serving.second_level import SecondLevel
from common.telemetry import metrics

Item = TypeVar("Item")

_KEY_BYTES = 16
# What was kept at one time must not be missing at one time.
_JITTER = 0.1


@dataclass(frozen=True)
class Kept(Generic[Item]):
    """How a model's outcomes are kept.

    Parameters
    ----------
    key : bytes that determine an item's outcome, for one version of the model; equal items have equal ones.
    prefix : of the keys in Redis, where monitoring looks for them; by default the plugin's name.
    ttl_s : seconds that an outcome is kept in Redis.
    """

    key: Callable[[Item], bytes]
    prefix: str | None = None
    ttl_s: float = 3600.0


@dataclass(frozen=True)
class Asked:
    """What a request asks beside its items.

    Parameters
    ----------
    fresh : compute anew (`Cache-Control: no-cache` or `no-store`).
    keep : keep the outcome (not with `no-store`).
    caller : callers take turns in the queue.
    deadline_s : on `time.monotonic`; of no use after that.
    """

    fresh: bool = False
    keep: bool = True
    caller: str = ""
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """Outcomes in the order of the items, and how many of them were kept from before."""

    outcomes: list[bytes]
    hits: int

    @property
    def cache(self) -> str:
        """For the header `X-Cache`."""
        if self.hits == len(self.outcomes):
            return "hit"
        return "partial" if self.hits else "miss"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was in memory: the keys of all items, and the outcomes of some."""

    keys: list[bytes]
    found: dict[bytes, bytes]


class ItemServer(Generic[Item]):
    """The way of one model's items. One a model and process.

    Parameters
    ----------
    version : of what answers, now; outcomes of another one are not found.
    kept : None keeps nothing.
    """

    def __init__(
        self,
        name: str,
        how: Batching[Item],
        *,
        version: Callable[[], str],
        kept: Kept[Item] | None,
        cache: ByteCache,
        second: SecondLevel | None,
        executor: ThreadPoolExecutor,
        lanes: int,
    ) -> None:
        self.name = name
        self._how = how
        self._version = version
        self._kept = kept
        self._cache = cache
        self._second = second
        self._executor = executor
        self._lanes = lanes
        # The Functions worker may use more than one loop, and queued predictions have one of their own.
        self._hits = metrics.CACHE_ITEMS.labels(name, "hit")
        self._misses = metrics.CACHE_ITEMS.labels(name, "miss")
        # The version of the last key, and the digest that keys of it begin with.
        self._start = ("", blake2b(f"{name}\n\n".encode(), digest_size=_KEY_BYTES))
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _OnLoop[Item]] = weakref.WeakKeyDictionary()

    def look(self, items: Sequence[Item], asked: Asked) -> "Answered | Looked":
        """The outcomes where all of them are in memory; else what is there, for `predict`. Awaits nothing."""
        if self._kept is None:
            return Looked([], {})
        keys = self._keys(self._kept, items)
        found: dict[bytes, bytes] = {}
        if not asked.fresh:
            for key in keys:
                kept = self._cache.get(key)
                if kept is not None:
                    found[key] = kept
        if asked.fresh or not all(key in found for key in keys):
            return Looked(keys, found)
        self._hits.inc(len(keys))
        return Answered([found[key] for key in keys], len(keys))

    async def predict(self, items: Sequence[Item], asked: Asked, looked: "Looked | None" = None) -> Answered:
        """The outcome of each item, as bytes (JSON).

        Parameters
        ----------
        looked : what `look` found a moment ago.

        Raises
        ------
        Exception
            That of the first item that failed.
        Busy, TooManyRequests, Unavailable
            The queue is full, this caller holds half of it, or the deadline has passed.
        """
        if self._kept is None:
            return Answered(await self._run(items, asked), 0)
        if looked is None:
            first = self.look(items, asked)
            if isinstance(first, Answered):
                return first
            looked = first
        keys, found = looked.keys, looked.found
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in found}
        if missing and self._second is not None and not asked.fresh:
            found |= await self._from_second(self._kept, self._second, missing)
        hits = sum(key in found for key in keys)
        if missing:
            found |= await self._share(missing, asked)
            self._misses.inc(len(keys) - hits)
        self._hits.inc(hits)
        return Answered([found[key] for key in keys], hits)

    def _keys(self, kept: Kept[Item], items: Sequence[Item]) -> list[bytes]:
        # A version has a start of its own, so that what another one said is never found.
        version = self._version()
        if version != self._start[0]:
            self._start = version, blake2b(f"{self.name}\n{version}\n".encode(), digest_size=_KEY_BYTES)
        start = self._start[1]
        keys = []
        for item in items:
            digest = start.copy()
            digest.update(kept.key(item))
            keys.append(digest.digest())
        return keys

    async def _from_second(
        self, kept: Kept[Item], second: SecondLevel, missing: dict[bytes, Item]
    ) -> dict[bytes, bytes]:
        """What the second level knows; taken out of `missing`."""
        asked = list(missing)
        told = await second.get([self._name_of(kept, key) for key in asked])
        found = {key: value for key, value in zip(asked, told, strict=True) if value is not None}
        for key, value in found.items():
            del missing[key]
            self._cache.put(key, value, kept.ttl_s)
        return found

    def _name_of(self, kept: Kept[Item], key: bytes) -> bytes:
        return f"{kept.prefix or self.name}:{key.hex()}".encode()

    async def _run(self, items: Sequence[Item], asked: Asked) -> list[bytes]:
        """Outcomes of items that nobody shares."""
        batcher = self._here().batcher
        tickets: list[Ticket[Item]] = []
        try:
            # One by one: those before the one that is refused have to be taken back.
            for item in items:
                tickets.append(batcher.submit(item, asked.caller, asked.deadline_s, lone=len(items) == 1))  # noqa: PERF401 - see above
            await _settled([ticket.outcome for ticket in tickets], asked.deadline_s, self.name)
        finally:
            for ticket in tickets:
                batcher.leave(ticket)
        return _results([ticket.outcome for ticket in tickets])

    async def _share(self, missing: Mapping[bytes, Item], asked: Asked) -> dict[bytes, bytes]:
        """Outcomes by key; of an item that is being computed already the one that comes of it."""
        here = self._here()
        flights: dict[bytes, _Flight[Item]] = {}
        try:
            for key, item in missing.items():
                # Who asks for a fresh outcome shares only with others who do.
                flight = flights[key] = self._flight(here, (key, asked.fresh), item, asked, lone=len(missing) == 1)
                flight.join(asked)
            outcomes = [flight.ticket.outcome for flight in flights.values()]
            await _settled(outcomes, asked.deadline_s, self.name)
        finally:
            for flight in flights.values():
                flight.leave(here.batcher)
        return dict(zip(flights, _results(outcomes), strict=True))

    def _flight(
        self, here: "_OnLoop[Item]", key: tuple[bytes, bool], item: Item, asked: Asked, *, lone: bool
    ) -> "_Flight[Item]":
        known = here.flights.get(key)
        if known is not None:
            return known
        flight = here.flights[key] = _Flight(here.batcher.submit(item, asked.caller, asked.deadline_s, lone=lone))
        version = self._version()

        def ended(outcome: "asyncio.Future[bytes]") -> None:
            if here.flights.get(key) is flight:
                del here.flights[key]
            failed = outcome.cancelled() or outcome.exception() is not None
            # Where the version has changed meanwhile, nobody knows which of the two this outcome is of.
            if flight.keep and self._kept is not None and not failed and self._version() == version:
                self._keep(self._kept, key[0], outcome.result())

        flight.ticket.outcome.add_done_callback(ended)
        return flight

    def _keep(self, kept: Kept[Item], key: bytes, outcome: bytes) -> None:
        ttl_s = kept.ttl_s * random.uniform(1 - _JITTER, 1)
        self._cache.put(key, outcome, ttl_s)
        metrics.CACHE_BYTES.set(self._cache.size_bytes)
        if self._second is not None:
            self._second.put(self._name_of(kept, key), outcome, ttl_s)

    def _here(self) -> "_OnLoop[Item]":
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            found = self._loops[loop] = _OnLoop(Batcher(self.name, self._how, self._executor, self._lanes))
        return found


@dataclass(slots=True, eq=False)
class _Flight(Generic[Item]):
    """An item that is being computed, for all who wait for it."""

    ticket: Ticket[Item]
    waiting: int = 0
    keep: bool = False

    def join(self, asked: Asked) -> None:
        self.waiting += 1
        self.keep = self.keep or asked.keep
        # As long as anybody has use for it.
        ticket = self.ticket
        if asked.deadline_s is None or (ticket.deadline_s is not None and asked.deadline_s > ticket.deadline_s):
            ticket.deadline_s = asked.deadline_s

    def leave(self, batcher: Batcher[Item]) -> None:
        self.waiting -= 1
        if not self.waiting:
            batcher.leave(self.ticket)


@dataclass(slots=True, eq=False)
class _OnLoop(Generic[Item]):
    """What belongs to one event loop."""

    batcher: Batcher[Item]
    flights: dict[tuple[bytes, bool], _Flight[Item]] = field(default_factory=dict)


async def _settled(outcomes: Sequence["asyncio.Future[bytes]"], deadline_s: float | None, name: str) -> None:
    """Wait until all have ended, without cancelling them, unlike `await`: others may wait for the same."""
    pending = {outcome for outcome in outcomes if not outcome.done()}
    if not pending:
        return
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def end(outcome: "asyncio.Future[bytes] | None" = None) -> None:
        if outcome is not None:
            pending.discard(outcome)
        if not waiter.done() and (outcome is None or not pending):
            waiter.set_result(None)

    for outcome in tuple(pending):
        outcome.add_done_callback(end)
    timer = None if deadline_s is None else loop.call_later(max(0.0, deadline_s - time.monotonic()), end)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for outcome in pending:
            outcome.remove_done_callback(end)
    if pending:
        raise late(name)


def _results(outcomes: Sequence["asyncio.Future[bytes]"]) -> list[bytes]:
    """Results; else the first error. The others are looked at too: the loop complains of those that nobody saw."""
    errors = [error for outcome in outcomes if (error := outcome.exception()) is not None]
    if errors:
        raise errors[0]
    return [outcome.result() for outcome in outcomes]
