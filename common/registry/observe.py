"""What is counted of each version that answers: requests, errors, seconds; and how often a shadow disagrees."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import Counter, Histogram

from common.errors import AtollError
from common.registry.choose import Chosen
from common.registry.versions import Version
from common.telemetry import metrics
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    import numpy as np

log = get_logger("atoll.registry")

T = TypeVar("T")

DONE, REFUSED, FAILED = "done", "refused", "failed"
# Of a model that has no versions.
OWN = "own"
SAME, DIFFERENT, DROPPED = "same", "different", "dropped"
# A series each, for as long as the process lives; further ones are counted together.
_MAX_SERIES = 2000
_OTHER = "other"
_seen: set[tuple[str, str]] = set()


class observed_as:  # noqa: N801  # reads as what it does: `with observed_as(…):`
    """Count what is done within it as a request that a version answered, by how it ends.

    A class, not a generator: it stands around every prediction.

    Parameters
    ----------
    version : number, or what the model calls what it has of its own.
    """

    __slots__ = ("_began_s", "_model", "_version")

    def __init__(self, model: str, version: int | str) -> None:
        self._model = model
        self._version = version

    def __enter__(self) -> None:
        self._began_s = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        outcome = DONE
        if error is not None:
            outcome = REFUSED if isinstance(error, AtollError) and error.status < 500 else FAILED
        count(self._model, self._version, time.perf_counter() - self._began_s, outcome)


def observed(version: Version) -> observed_as:
    """As `observed_as`, of a version of the registry."""
    return observed_as(version.model, version.number)


def count(model: str, version: int | str, seconds: float, outcome: str = DONE) -> None:
    """Count a request that a version answered: `done`, `refused` (what was sent cannot be), or `failed`."""
    requests, durations = _series(model, _label(model, version), outcome)
    requests.inc()
    durations.observe(seconds)


class Shadows:
    """Shows requests to shadow versions, beside the answers that callers get. One an event loop.

    Parameters
    ----------
    at_once : as many are asked at the same time; the rest is dropped, and counted, since callers go first.
    """

    def __init__(self, at_once: int = 4) -> None:
        self._at_once = at_once
        self._running: set[asyncio.Task[None]] = set()

    def show(
        self, chosen: Chosen, answer: T, ask: Callable[[Version], Awaitable[T]], same: Callable[[T, T], bool]
    ) -> None:
        """Ask the shadow, if there is one, and compare; returns at once, and never raises.

        Parameters
        ----------
        answer : what the caller gets.
        ask : what the shadow version makes of the same request.
        same : whether two answers agree, e.g. `agree`.
        """
        if chosen.shadow is None:
            return
        if len(self._running) >= self._at_once:
            self._count(chosen, chosen.shadow, DROPPED)
            return
        task = asyncio.get_running_loop().create_task(self._compare(chosen, chosen.shadow, answer, ask, same))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def join(self) -> None:
        """Wait until those that are being asked have answered."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def _compare(
        self,
        chosen: Chosen,
        shadow: Version,
        answer: T,
        ask: Callable[[Version], Awaitable[T]],
        same: Callable[[T, T], bool],
    ) -> None:
        try:
            outcome = SAME if same(answer, await ask(shadow)) else DIFFERENT
        except Exception as exc:  # noqa: BLE001  # a shadow is there to be tried; nobody waits for it
            log.warning("shadow failed", model=shadow.model, number=shadow.number, error=f"{type(exc).__name__}: {exc}")
            outcome = FAILED
        self._count(chosen, shadow, outcome)

    @staticmethod
    def _count(chosen: Chosen, shadow: Version, outcome: str) -> None:
        model = shadow.model
        labels = (model, _label(model, chosen.number), _label(model, shadow.number), outcome)
        metrics.SHADOW_ANSWERS.labels(*labels).inc()


def agree(one: "Mapping[str, np.ndarray]", other: "Mapping[str, np.ndarray]", rtol: float = 1e-3) -> bool:
    """Whether two answers say the same: outputs of equal names and shapes, floating numbers within `rtol` of each
    other or of 1, anything else equal.
    """
    import numpy as np

    if one.keys() != other.keys():
        return False
    for name, left in one.items():
        right = other[name]
        if left.shape != right.shape:
            return False
        if left.dtype.kind == "f" and right.dtype.kind == "f":
            if not np.allclose(left, right, rtol=rtol, atol=rtol, equal_nan=True):
                return False
        elif not np.array_equal(left, right):
            return False
    return True


@lru_cache(maxsize=4 * _MAX_SERIES)
def _series(model: str, label: str, outcome: str) -> tuple[Counter, Histogram]:
    """Looked up once: a name and its labels cost more than the counting."""
    return (
        metrics.VERSION_REQUESTS.labels(model, label, outcome),
        metrics.VERSION_SECONDS.labels(model, label),
    )


def _label(model: str, version: int | str) -> str:
    label = str(version)
    if (model, label) not in _seen:
        if len(_seen) >= _MAX_SERIES:
            return _OTHER
        _seen.add((model, label))
    return label
