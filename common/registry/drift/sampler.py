"""Keeps some rows of what versions are asked and answer. One a process; whoever answers a request offers it here.

An offer costs a look into a mapping where nothing is to be kept, and never fails. Rows wait in memory, at most
`BUFFER_BYTES` of them; a thread writes them to the share. What does not fit is dropped, and counted.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from common.clock import Clock, SystemClock
from common.telemetry import metrics
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    import numpy as np

    from common.registry.drift.columns import Array, Layout
    from common.registry.drift.definitions import Sampling
    from common.registry.service import Registry

log = get_logger("atoll.registry")

BUFFER_BYTES = 8 << 20
# Of one request, however many it has: the rest of them would say the same.
MOST_OF_A_REQUEST = 200
KEPT, DROPPED, LOST = "kept", "dropped", "lost"
_LOOK_S = 1.0
_WRITE_S = 30.0
_WRITE_ROWS = 2000
# For so long what was wanted is taken for what is, where the database does not say.
_TRUSTED_S = 60.0


@dataclass(frozen=True)
class Items:
    """How the items of a plugin's predictions are kept.

    Parameters
    ----------
    row : an item as numbers and texts by name.
    number : of the version that answers now; None where none was published.
    """

    row: Callable[[Any], Mapping[str, Any]]
    number: Callable[[], int | None]


@dataclass(frozen=True)
class _Block:
    """Rows of one request; columns' names, and (n_rows, n_columns) of them."""

    at_s: float
    rows: int
    parts: "Sequence[tuple[tuple[str, ...], Array]]"
    size_bytes: int


@dataclass
class _Wanted:
    how: "Sampling"
    layout: "Layout"


@dataclass
class _Waiting:
    """Rows of a version that are not on the share yet."""

    blocks: list[_Block] = field(default_factory=list)
    rows: int = 0
    since_s: float = 0.0


class Sampler:
    """
    Parameters
    ----------
    registry : gives the registry, or None as long as there is none; may block.
    is_on : whether anything may be kept at all.
    items : of plugins that predict item by item, by name.
    """

    def __init__(
        self,
        registry: "Callable[[], Registry | None]",
        *,
        is_on: bool,
        items: Mapping[str, Items] | None = None,
        clock: Clock | None = None,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self.is_on = is_on
        self.items = items or {}
        self._registry = registry
        self._clock = clock or SystemClock()
        self._buffer_bytes = buffer_bytes
        self._wanted: Mapping[str, _Wanted] = {}
        self._asked_s = -_TRUSTED_S
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: dict[tuple[str, int], _Waiting] = {}
        self._size_bytes = 0
        self._started = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Look for what is wanted, and write what was kept, from now on; once a process."""
        if self.is_on and self._started.acquire(blocking=False):
            threading.Thread(target=self._run, name="samples", daemon=True).start()

    def stop(self) -> None:
        """Write what waits, and look no more. Nothing depends on it being called."""
        self._stopping.set()
        self.flush()

    def offer(
        self, model: str, version: str | int, inputs: "Mapping[str, Array]", outputs: "Mapping[str, Array]"
    ) -> None:
        """What a version was asked and answered, as tensors by name; returns at once, and never raises."""
        wanted = self._wanted.get(model)
        if wanted is None:
            return
        try:
            self._take(wanted, model, int(version), inputs, outputs)
        except Exception as exc:  # noqa: BLE001 - whatever is odd about a request, its answer is on its way
            self._failed(model, exc)

    def offer_items(self, model: str, items: Sequence[Any], outcomes: Sequence[bytes]) -> None:
        """Items of a plugin's predictions, and what came of each as JSON. As `offer`."""
        wanted = self._wanted.get(model)
        if wanted is None:
            return
        try:
            self._take_items(wanted, model, items, outcomes)
        except Exception as exc:  # noqa: BLE001 - as above
            self._failed(model, exc)

    def look(self) -> None:
        """Learn what is wanted of which model. Never raises."""
        if not self.is_on:
            return
        try:
            registry = self._registry()
            if registry is None:
                return
            # Brings SQLAlchemy, which a process without a database does without.
            from common.registry.drift.choice import read_all

            found = registry.database.read(read_all)
        except Exception as exc:  # whatever a database or a driver raises
            if self._clock.monotonic_s() - self._asked_s >= _TRUSTED_S and self._wanted:
                # Somebody may have said by now that nothing is to be kept.
                log.warning("the registry does not answer; nothing is kept of requests", exc_info=exc)
                self._wanted = {}
            return
        self._asked_s = self._clock.monotonic_s()
        self._want({model: how for model, how in found.items() if how.fraction > 0})

    def flush(self, *, only_due: bool = False) -> int:
        """Write what waits to the share; how many rows. Never raises: what cannot be written waits on."""
        with self._writing:
            return sum(self._write(*key) for key in self._due(only_due))

    def waiting_rows(self, model: str) -> int:
        """Rows that this process has not written yet."""
        with self._lock:
            return sum(waiting.rows for (name, _), waiting in self._waiting.items() if name == model)

    def _want(self, found: "Mapping[str, Sampling]") -> None:
        before = self._wanted
        if {model: wanted.how for model, wanted in before.items()} == found:
            return
        # Brings NumPy, which is not needed before.
        from common.registry.drift.columns import Layout

        self._wanted = {
            model: _Wanted(how, Layout(frozenset(how.drop), frozenset(how.texts))) for model, how in found.items()
        }
        with self._lock:
            # What was taken under other rules is not kept under these.
            for key in [key for key in self._waiting if key[0] in before and before[key[0]].how != found.get(key[0])]:
                self._drop(key)

    def _take(
        self,
        wanted: _Wanted,
        model: str,
        number: int,
        inputs: "Mapping[str, Array]",
        outputs: "Mapping[str, Array]",
    ) -> None:
        rows = wanted.layout.rows_of(inputs)
        chosen = _chosen(rows, wanted.how.fraction)
        if chosen is None:
            return
        from common.registry.drift.columns import INPUT, OUTPUT

        parts = []
        for side, tensors in ((INPUT, inputs), (OUTPUT, outputs)):
            for name, array in tensors.items():
                if array.ndim and array.shape[0] == rows:
                    names, block = wanted.layout.block(side, name, array[chosen])
                    if names:
                        parts.append((names, block))
        self._keep(model, number, len(chosen), parts)

    def _take_items(self, wanted: _Wanted, model: str, items: Sequence[Any], outcomes: Sequence[bytes]) -> None:
        how, number = self.items.get(model), None
        if how is not None:
            number = how.number()
        chosen = None if number is None else _chosen(len(items), wanted.how.fraction)
        if how is None or number is None or chosen is None:
            return
        import orjson

        from common.registry.drift.columns import INPUT, OUTPUT, flat, of_rows

        asked = of_rows([flat(how.row(items[at])) for at in chosen])
        answered = of_rows([flat(_answer(orjson.loads(outcomes[at]))) for at in chosen])
        parts = [
            part
            for side, table in ((INPUT, asked), (OUTPUT, answered))
            for name, column in table.items()
            if (part := wanted.layout.block(side, name, column))[0]
        ]
        self._keep(model, number, len(chosen), parts)

    def _keep(self, model: str, number: int, rows: int, parts: "Sequence[tuple[tuple[str, ...], Array]]") -> None:
        if not parts:
            return
        size_bytes = sum(array.nbytes for _, array in parts) + 500
        block = _Block(self._clock.now().timestamp(), rows, parts, size_bytes)
        with self._lock:
            if self._size_bytes + size_bytes <= self._buffer_bytes:
                waiting = self._waiting.setdefault((model, number), _Waiting(since_s=time.monotonic()))
                waiting.blocks.append(block)
                waiting.rows += rows
                self._size_bytes += size_bytes
                return
        metrics.SAMPLE_ROWS.labels(model, DROPPED).inc(rows)

    def _due(self, only_due: bool) -> list[tuple[str, int]]:
        now_s = time.monotonic()
        with self._lock:
            return [
                key
                for key, waiting in self._waiting.items()
                if not only_due or waiting.rows >= _WRITE_ROWS or now_s - waiting.since_s >= _WRITE_S
            ]

    def _write(self, model: str, number: int) -> int:
        from common.registry.drift.files import Samples

        with self._lock:
            waiting = self._waiting.pop((model, number), None)
        if waiting is None:
            return 0
        try:
            registry = self._registry()
            assert registry is not None  # noqa: S101 - it said what is wanted
            Samples(registry.blobs.share).add(model, number, _table(waiting.blocks), self._clock.now())
        except Exception as exc:  # noqa: BLE001 - the share is away, or full: rows wait, within the bounds
            log.warning("kept rows cannot be written", model=model, error=f"{type(exc).__name__}: {exc}"[:300])
            self._put_back((model, number), waiting)
            return 0
        with self._lock:
            self._size_bytes -= sum(block.size_bytes for block in waiting.blocks)
        metrics.SAMPLE_ROWS.labels(model, KEPT).inc(waiting.rows)
        return waiting.rows

    def _put_back(self, key: tuple[str, int], waiting: _Waiting) -> None:
        with self._lock:
            since = self._waiting.setdefault(key, _Waiting())
            since.blocks[:0] = waiting.blocks
            since.rows += waiting.rows
            # Tried again after as long as a new row waits.
            since.since_s = time.monotonic()
            if key[0] not in self._wanted:
                self._drop(key)

    def _drop(self, key: tuple[str, int]) -> None:
        waiting = self._waiting.pop(key)
        self._size_bytes -= sum(block.size_bytes for block in waiting.blocks)
        metrics.SAMPLE_ROWS.labels(key[0], LOST).inc(waiting.rows)

    def _failed(self, model: str, exc: Exception) -> None:
        metrics.SAMPLE_ROWS.labels(model, LOST).inc()
        log.debug("nothing kept of a request", model=model, error=f"{type(exc).__name__}: {exc}"[:200])

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            self.look()
            self.flush(only_due=True)


def _chosen(rows: int, fraction: float) -> "Sequence[int] | Array | None":
    """Which rows are kept; None for none of them."""
    if rows == 1:
        return [0] if random.random() < fraction else None
    if rows < 1:
        return None
    generator = _generator()
    count = min(int(generator.binomial(rows, fraction)), MOST_OF_A_REQUEST)
    return generator.choice(rows, count, replace=False, shuffle=False) if count else None


@lru_cache(maxsize=1)
def _generator() -> "np.random.Generator":
    """Its draws are behind a lock of its own."""
    import numpy as np

    return np.random.default_rng()


def _answer(told: Any) -> Mapping[str, Any]:
    """What came of an item by name; the first one of several, which is the likeliest."""
    if isinstance(told, list) and told:
        told = told[0]
    return told if isinstance(told, Mapping) else {"prediction": told}


def _table(blocks: Sequence[_Block]) -> "dict[str, Array]":
    import numpy as np

    from common.registry.drift.columns import together
    from common.registry.drift.files import AT

    def columns(block: _Block) -> "dict[str, Array]":
        found = {name: array[:, at] for names, array in block.parts for at, name in enumerate(names)}
        return {AT: np.full(block.rows, block.at_s)} | found

    return together(map(columns, blocks))
