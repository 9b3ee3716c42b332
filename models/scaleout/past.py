"""Which runs of the past can be learned from. What was read is kept; only runs that have changed are read again.

Functions of `Past` block.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median_high
from typing import TYPE_CHECKING, Any

from common.clock import Clock, SystemClock
from models.scaleout.records import Application, Context

if TYPE_CHECKING:
    from models.scaleout.store import RunStore

# Jobs and stages that are kept in memory, some 650 bytes each.
_MOST_PARTS = 100_000
# A run without a word of its end counts as finished with so many of the jobs that such runs have.
_NEARLY_ALL = 0.9
# One whose end is told counts as broken off with fewer than this share of them, where so many tell what is usual.
_BROKEN_OFF, _TELLING = 0.5, 3
# A run without a word of its end goes on at least so long after its last event.
_LEAST_QUIET_S = 30.0
# A run of which nothing was heard for so long does not go on, whatever is missing of it.
FORGOTTEN_S = 86_400.0


@dataclass(frozen=True)
class History:
    """Finished runs of the same, the oldest first.

    Parameters
    ----------
    key : changes whenever the runs do.
    """

    key: tuple[Any, ...]
    runs: tuple[Application, ...]


@dataclass(frozen=True)
class _Read:
    """A run as it was read."""

    changed: datetime
    run: Application
    parts: int


class Past:
    """One an app; threads may share it."""

    def __init__(self, store: "RunStore", clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._read: OrderedDict[str, _Read] = OrderedDict()
        self._parts = 0

    @property
    def now_s(self) -> float:
        """Seconds since 1970."""
        return self._clock.now().timestamp()

    @property
    def open_since(self) -> datetime:
        """A run of which nothing was heard since is not under way."""
        return self._clock.now() - timedelta(seconds=FORGOTTEN_S)

    def history(self, context: Context, signature: str = "", *, without: str = "") -> History:
        """What is known of runs like this: of the algorithm or with the signature, whatever their deadline was."""
        if not context.algorithm and not signature:
            return History((), ())
        # The system is told at submission only; a run that only a listener told of may be of any.
        system = context.system if context.algorithm else ""
        found = self._store.versions(algorithm=context.algorithm, system=system, signature=signature)
        changed = {one: at for one, at in found if one != without}
        done = finished(self.load(changed), self.now_s)
        return History(tuple((run.execution_id, changed[run.execution_id]) for run in done), tuple(done))

    def load(self, changed: Mapping[str, datetime]) -> list[Application]:
        """The runs of these versions, in their order; those that are gone meanwhile are left out."""
        with self._lock:
            known = {one: self._read[one].run for one, at in changed.items() if self._is_read(one, at)}
            for one in known:
                self._read.move_to_end(one)
        stale = [one for one in changed if one not in known]
        loaded = {run.execution_id: run for run in self._store.load(stale)} if stale else {}
        with self._lock:
            for one, run in loaded.items():
                self._forget(one)
                read = _Read(changed[one], run, 1 + sum(1 + len(job.stages) for job in run.jobs))
                self._read[one] = read
                self._parts += read.parts
            # What was asked for just now stays, however much it is: else it would be read again each time.
            while self._parts > _MOST_PARTS and (oldest := next(iter(self._read))) not in changed:
                self._forget(oldest)
        found = known | loaded
        return [found[one] for one in changed if one in found]

    def _is_read(self, execution_id: str, changed: datetime) -> bool:
        read = self._read.get(execution_id)
        return read is not None and read.changed == changed

    def _forget(self, execution_id: str) -> None:
        read = self._read.pop(execution_id, None)
        self._parts -= 0 if read is None else read.parts


def finished(runs: Sequence[Application], now_s: float) -> list[Application]:
    """Those that have come to their end, with its time, in their order. Pure.

    Old listeners do not tell of an end. A run of theirs counts as finished with nearly all the jobs that runs of the
    same usually have, and once nothing was heard of it for longer than any job of such runs has kept others waiting.
    One whose end was told after few of its jobs has failed, and tells nothing of how long such a run takes.

    Parameters
    ----------
    now_s : seconds since 1970.
    """
    groups: dict[Any, list[Application]] = {}
    for run in runs:
        groups.setdefault(_same_jobs(run), []).append(run)
    over: dict[str, Application] = {}
    for group in groups.values():
        over |= {run.execution_id: run for run in _finished(group, now_s)}
    return [over[run.execution_id] for run in runs if run.execution_id in over]


def _finished(runs: Sequence[Application], now_s: float) -> Iterable[Application]:
    """Of runs that should have the same jobs."""
    patience_s = max([_LEAST_QUIET_S, *(gap for run in runs for gap in _gaps(run))])
    told = [run for run in runs if run.end_s is not None]
    counts = [len(run.jobs) for run in told if run.jobs]
    if len(counts) >= _TELLING:
        fewest = _BROKEN_OFF * median_high(counts)
        told = [run for run in told if not run.jobs or len(run.jobs) >= fewest]
    quiet = [run for run in runs if run.end_s is None and _ends(run) and now_s - max(_ends(run)) >= patience_s]
    # Ends that were told are facts; without any, most runs do not break off.
    usual = [len(run.jobs) for run in told if run.jobs] or [len(run.jobs) for run in quiet]
    yield from told
    for run in quiet:
        if len(_ends(run)) >= _NEARLY_ALL * median_high(usual):
            start_s = run.start_s if run.start_s is not None else _first(run)
            yield replace(run, start_s=start_s, end_s=max(_ends(run)))


def last_heard_s(run: Application) -> float | None:
    """When its last job ended, else when it began, in seconds since 1970; None where neither was told."""
    return max(_ends(run), default=run.start_s)


def _same_jobs(run: Application) -> Any:
    """Iterations are an argument."""
    return run.signature, run.context.arguments


def _ends(run: Application) -> list[float]:
    return sorted(job.end_s for job in run.jobs if job.end_s is not None)


def _first(run: Application) -> float | None:
    return min((job.start_s for job in run.jobs if job.start_s is not None), default=None)


def _gaps(run: Application) -> list[float]:
    """Seconds from the start, and from the end of each job, to the end of the next one."""
    ends = _ends(run)
    begun = run.start_s if run.start_s is not None else _first(run)
    before = [ends[0] if begun is None else begun, *ends] if ends else []
    return [end - start for start, end in zip(before, ends, strict=False)]
