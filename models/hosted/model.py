"""One version of a hosted model that is open, and how its requests are run: at once, together, or on a thread."""

import asyncio
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from common.errors import AtollError, Invalid, Unavailable
from common.registry.versions import Version
from common.serving.batcher import Batcher, Batching, late
from common.serving.cpu import cpu_count
from common.serving.items import Asked
from common.serving.tensors import Array, TensorSpec
from models.hosted.fitting import Fitting
from models.hosted.formats import Runner
from models.hosted.formats.card import Card

# A run that takes no longer is done there and then: to queue it would take as long.
_DIRECT_S = 0.00006
# A batch that is expected to take longer leaves the event loop.
_INLINE_S = 0.0005
# Nobody should wait longer than this for the batch before.
_BATCH_S = 0.02
_LEAST_ROWS, _MOST_ROWS = 32, 4096
_QUEUED_ROWS = 1 << 20
_LEARN = 0.1
_SAID_CHARS = 300
_PLATFORMS = {
    "onnx": "onnx_onnxv1",
    "skops": "sklearn_skops",
    "lightgbm": "lightgbm_text",
    "xgboost": "xgboost_booster",
    "huggingface": "huggingface_onnx",
}


class Pace:
    """How long runs take: seconds of the first row, and of each further one. Learned from every run.

    By the CPU time of the thread that ran: what the machine did meanwhile does not count.
    """

    __slots__ = ("row_s", "run_s")

    def __init__(self, run_s: float) -> None:
        self.run_s = run_s or _DIRECT_S
        self.row_s = self.run_s / 8

    def expected_s(self, rows: int) -> float:
        return self.run_s + rows * self.row_s

    def note(self, rows: int, taken_s: float) -> None:
        if rows == 1:
            self.run_s += _LEARN * (taken_s - self.run_s)
        else:
            self.row_s += _LEARN * (max(0.0, taken_s - self.run_s) / rows - self.row_s)


@dataclass(frozen=True, slots=True)
class _Item:
    feeds: dict[str, Array]
    rows: int


class HostedModel:
    """A version that answers. It may be put out of the pool at any time; whoever holds it can use it to the end.

    Attributes
    ----------
    card : what is known of it.
    key : of it in the pool.
    """

    def __init__(self, version: Version, card: Card, runner: Runner, executor: ThreadPoolExecutor, key: str) -> None:
        self.name = version.model
        self.version = str(version.number)
        self.number = version.number
        self.card = card
        self.key = key
        self.platform = _PLATFORMS.get(card.format, card.format)
        self.inputs: Sequence[TensorSpec] = card.inputs
        self.outputs: Sequence[TensorSpec] = card.outputs
        self._fit = Fitting(card.inputs, card.nan).fit
        self._runner = runner
        self._executor = executor
        self._running = 0
        self._pace = Pace(card.run_s)
        # Threads may ask on event loops of their own.
        self._batchers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Batcher[_Item]] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def is_busy(self) -> bool:
        return self._running > 0

    @property
    def ref(self) -> str:
        return f"{self.name}:{self.version}"

    async def infer(self, inputs: Mapping[str, Array], asked: Asked) -> Mapping[str, Array]:
        """Outputs by name.

        Raises
        ------
        Invalid
            Names, datatypes, shapes, NaN, or what else the model does not take; the detail says what to send.
        Busy, TooManyRequests, Unavailable
        """
        feeds, rows = self._fit(inputs)
        if self._pace.expected_s(rows) < _DIRECT_S:
            return self._run_here(feeds, rows)
        self._running += 1
        try:
            return await self._run_queued(_Item(feeds, rows), asked)
        finally:
            self._running -= 1

    def _run_here(self, feeds: dict[str, Array], rows: int) -> dict[str, Array]:
        started_s = time.thread_time()
        try:
            found = self._runner.run(feeds)
        except Exception as exc:  # noqa: BLE001 - whatever a library raises for numbers that it does not like
            raise _refused(exc) from None
        self._pace.note(rows, time.thread_time() - started_s)
        return found

    async def _run_queued(self, item: _Item, asked: Asked) -> Mapping[str, Array]:
        loop = asyncio.get_running_loop()
        batcher = self._batchers.get(loop)
        if batcher is None:
            batcher = self._batchers[loop] = self._batcher()
        ticket = batcher.submit(item, asked.caller, asked.deadline_s)
        try:
            if asked.deadline_s is None:
                found: Any = await ticket.outcome
            else:
                found = await asyncio.wait_for(ticket.outcome, max(0.0, asked.deadline_s - time.monotonic()))
        except TimeoutError:
            raise late(self.name) from None
        finally:
            ticket.outcome.cancel()
        return cast("Mapping[str, Array]", found)

    def _batcher(self) -> Batcher[_Item]:
        row_s = max(self._pace.row_s, 1e-7)
        how = Batching(
            # Not a method: a model that is put out has to end at once, which circles would prevent.
            partial(_run_timed, self._runner, self._pace, [spec.name for spec in self.inputs]),
            cost=_rows,
            budget=max(_LEAST_ROWS, min(_MOST_ROWS, int(_BATCH_S / row_s))),
            max_items=64 if self.card.batches else 1,
            queue_cost=_QUEUED_ROWS,
            inline_cost=max(1, int(_INLINE_S / row_s)),
        )
        return Batcher(self.name, how, self._executor, cpu_count())


def _rows(item: _Item) -> int:
    return item.rows


def _run_timed(runner: Runner, pace: Pace, names: Sequence[str], items: Sequence[_Item]) -> list[Any]:
    started_s = time.thread_time()
    outcomes = _run_items(runner, names, items)
    pace.note(sum(item.rows for item in items), time.thread_time() - started_s)
    return outcomes


def _run_items(runner: Runner, names: Sequence[str], items: Sequence[_Item]) -> list[Any]:
    """Outputs of each item. Those of the same shape, but for the rows, are one run."""
    if len(items) == 1:
        return [_run(runner, items[0].feeds)]
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(tuple(item.feeds[name].shape[1:] for name in names), []).append(place)
    outcomes: list[Any] = [None] * len(items)
    for places in groups.values():
        for place, outcome in zip(places, _run_group(runner, names, [items[place] for place in places]), strict=True):
            outcomes[place] = outcome
    return outcomes


def _run_group(runner: Runner, names: Sequence[str], items: Sequence[_Item]) -> list[Any]:
    if len(items) == 1:
        return [_run(runner, items[0].feeds)]
    together = _run(runner, {name: np.concatenate([item.feeds[name] for item in items]) for name in names})
    if isinstance(together, Exception):
        # One of them is at fault: each is told for itself.
        return [_run(runner, item.feeds) for item in items]
    split, start = [], 0
    for item in items:
        split.append({name: array[start : start + item.rows] for name, array in together.items()})
        start += item.rows
    return split


def _run(runner: Runner, feeds: Mapping[str, Array]) -> dict[str, Array] | Exception:
    try:
        return runner.run(feeds)
    except Exception as exc:  # noqa: BLE001 - whatever a library raises for numbers that it does not like
        return _refused(exc)


def _refused(exc: Exception) -> AtollError:
    """Its samples ran, so these inputs are what it does not take; or there was no memory for so many."""
    if isinstance(exc, AtollError):
        return exc
    said = str(exc).replace("\n", " ")
    if isinstance(exc, MemoryError) or "bad_alloc" in said or "Failed to allocate" in said:
        return Unavailable("there is no memory for an answer to so many rows now; send fewer, or try again")
    return Invalid(f"the model does not take these inputs: {said[:_SAID_CHARS] or type(exc).__name__}")
