"""How long runs under way will still take: by boosted trees once they are grown, until then by the curves of the jobs.

Trees are grown on a thread of their own, after runs have ended and somebody asks, and never by two threads at once. It
takes tens of seconds for thousands of runs, so that it rests for many times as long as it took.
"""

import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.clock import Clock, SystemClock
from common.telemetry.logs import get_logger
from models.scaleout.past import finished
from models.scaleout.records import Application, Forecast

if TYPE_CHECKING:
    from models.scaleout.learning.course import Course
    from models.scaleout.learning.remaining import Boosted
    from models.scaleout.store import RunStore

log = get_logger("atoll.scaleout")

# Runs that are learned from, of all algorithms: the newest; and those of one kind that a run is compared with.
MOST_RUNS, _MOST_COMPARED = 2000, 100
# It looks for new runs so often at most, and takes this share of a core.
_EVERY_S, _SHARE = 30.0, 0.05


@dataclass(frozen=True)
class Fitted:
    """Trees, and the courses of past runs that a run under way is compared with, by kind, the oldest first."""

    boosted: "Boosted"
    courses: Mapping[Hashable, Sequence["Course"]]


class Left:
    """One a planner; threads may share it."""

    def __init__(self, store: "RunStore", clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._not_before_s = float("-inf")
        self._fitted: Fitted | None = None
        self._key: tuple[Any, ...] = ()
        # Without their stages, which no tree asks for.
        self._read: dict[str, tuple[datetime, Application]] = {}

    def forecast(self, run: Application) -> Forecast | None:
        """What is left after the jobs of `run` that have ended, as it is steered; None where no trees are grown, or
        none of the runs that they know is like this one.
        """
        fitted = self._fitted
        if fitted is None:
            return None
        import numpy as np

        from models.scaleout.learning.course import Course, compare
        from models.scaleout.learning.remaining import comparable

        course = Course.of(run)
        before = fitted.courses.get(comparable(run), ())
        compared = None if course is None else compare(course, len(course.elapsed_s), before)
        if compared is None:
            return None
        features, usual_s = compared
        (left,) = fitted.boosted.predict(features[None], np.array([usual_s]))
        return left

    def begin(self) -> threading.Thread | None:
        """Grow trees anew if runs have ended since, on a thread; that thread, or None where it is not time."""
        with self._lock:
            if self._thread is not None or self._clock.monotonic_s() < self._not_before_s:
                return None
            self._thread = threading.Thread(target=self._run, name="scaleout-left", daemon=True)
            self._thread.start()
            return self._thread

    def _run(self) -> None:
        began_s = self._clock.monotonic_s()
        try:
            self.fit()
        except Exception as exc:  # noqa: BLE001 - the database is away, or scikit-learn is not installed; curves answer
            log.warning("what is left of runs is told by curves only", error=repr(exc)[:300])
        finally:
            took_s = self._clock.monotonic_s() - began_s
            with self._lock:
                self._not_before_s = self._clock.monotonic_s() + max(_EVERY_S, took_s / _SHARE)
                self._thread = None

    def fit(self) -> None:
        """Learn from the newest runs, if others have ended than those that were learned from; on one thread."""
        changed = dict(self._store.newest(MOST_RUNS))
        stale = [one for one, at in changed.items() if one not in self._read or self._read[one][0] != at]
        read = {one: kept for one, kept in self._read.items() if one in changed}
        for first in range(0, len(stale), _MOST_COMPARED):
            # Some at a time: with their stages they take a lot of memory.
            for run in self._store.load(stale[first : first + _MOST_COMPARED]):
                bare = replace(run, jobs=tuple(replace(job, stages={}) for job in run.jobs))
                read[run.execution_id] = (changed[run.execution_id], bare)
        self._read = read
        groups: dict[tuple[str, str], list[Application]] = {}
        for one in reversed(changed):
            if one in read:
                run = read[one][1]
                groups.setdefault((run.context.system, run.context.algorithm), []).append(run)
        now_s = self._clock.now().timestamp()
        done = [run for group in groups.values() for run in finished(group, now_s)]
        key = tuple((run.execution_id, changed[run.execution_id]) for run in done)
        if key == self._key:
            return
        from threadpoolctl import threadpool_limits

        from models.scaleout.learning.course import Course
        from models.scaleout.learning.remaining import RemainingModel, comparable

        # Requests want the other cores.
        with threadpool_limits(1):
            model = RemainingModel.fit(done)
        courses: dict[Hashable, list[Course]] = {}
        for run in model.history:
            course = Course.of(run)
            if course is not None:
                courses.setdefault(comparable(run), []).append(course)
        newest = {kind: found[-_MOST_COMPARED:] for kind, found in courses.items()}
        self._fitted = None if model.boosted is None else Fitted(model.boosted, newest)
        self._key = key
        log.info("learned how long runs still take", runs=len(done), trees=model.boosted is not None)
