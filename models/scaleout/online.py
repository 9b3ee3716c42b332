"""The listener's question after each job, answered in time whatever happens.

The event is recorded first, on threads that no prediction can occupy; where the database is away it is kept on the
disk (`late.py`). Then a plan is made, on other threads. Where it is not there in time, or cannot be made, the last one
answers; the new one is there for the next question.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.errors import AtollError
from common.telemetry.logs import get_logger
from models.scaleout.old_definitions import OldUpdate

if TYPE_CHECKING:
    from models.scaleout.system import ScaleoutSystem

log = get_logger("atoll.scaleout")

# Seconds that a listener waits where nothing says so; its job waits with it.
REST_TIMEOUT_S = 5.0
_RECORDERS, _PLANNERS = 4, 2
# Plans asked for at once beyond which the last one answers right away: each is a listener that waits.
_MOST_WAITING = 16
_KEPT_PLANS = 1000
# What is left of the time for the answer itself.
_MARGIN_S = 0.05

PlanJson = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the listener is told.

    Parameters
    ----------
    plan : as JSON; None where there is nothing to say.
    source : `new`, `last` or `none`.
    """

    plan: PlanJson | None
    source: str


class Online:
    """One an app."""

    def __init__(self, system: "ScaleoutSystem") -> None:
        self._system = system
        self._recorders = ThreadPoolExecutor(_RECORDERS, thread_name_prefix="scaleout-events")
        self._planners = ThreadPoolExecutor(_PLANNERS, thread_name_prefix="scaleout-plans")
        self._lock = threading.Lock()
        self._last: OrderedDict[str, PlanJson] = OrderedDict()
        self._timeouts: OrderedDict[str, float] = OrderedDict()
        self._under_way: dict[str, Future[PlanJson | None]] = {}

    async def record(self, event: OldUpdate) -> bool:
        """Record an event; whether the database has it. It goes on if nobody waits for it any more.

        Raises
        ------
        AtollError
            Neither the database nor the disk takes it.
        """
        return await asyncio.shield(asyncio.wrap_future(self._recorders.submit(self._record, event)))

    async def answer(self, event: OldUpdate, *, predict: bool, within_s: float | None) -> Answer:
        """Record an event, and plan what comes, in at most about `within_s` seconds.

        Parameters
        ----------
        within_s : None for what the run's submission said that its listener waits, else `REST_TIMEOUT_S`.

        Raises
        ------
        AtollError
            The event could not be recorded anywhere.
        """
        execution_id = event.application_execution_id
        began_s = asyncio.get_running_loop().time()
        deadline_s = began_s + self._within_s(execution_id, within_s)
        recorded = asyncio.ensure_future(self.record(event))
        try:
            is_known = await _until(recorded, deadline_s)
        except TimeoutError:
            recorded.add_done_callback(_noted)
            is_known = False
        if not predict:
            return Answer(None, "none")
        if not is_known:
            return self._fallback(execution_id)
        # Now it may be known how long this listener waits.
        deadline_s = began_s + self._within_s(execution_id, within_s)
        future = self._begin(execution_id)
        if future is None:
            return self._fallback(execution_id)
        try:
            plan = await _until(asyncio.shield(asyncio.wrap_future(future)), deadline_s)
        except TimeoutError:
            log.warning("the last plan answers: there was no time for a new one", execution_id=execution_id)
            return self._fallback(execution_id)
        except Exception as exc:  # noqa: BLE001 - whatever a model raises, the listener is answered
            log.warning("the last plan answers: no new one could be made", execution_id=execution_id, error=repr(exc))
            return self._fallback(execution_id)
        return Answer(plan, "new") if plan is not None else self._fallback(execution_id)

    def _within_s(self, execution_id: str, asked_s: float | None) -> float:
        with self._lock:
            wanted_s = asked_s or self._timeouts.get(execution_id, REST_TIMEOUT_S)
        return max(_MARGIN_S, wanted_s - _MARGIN_S)

    def _fallback(self, execution_id: str) -> Answer:
        with self._lock:
            last = self._last.get(execution_id)
        return Answer(last, "none" if last is None else "last")

    def _begin(self, execution_id: str) -> "Future[PlanJson | None] | None":
        """A plan under way; None where too many are. Two questions about one run at once get the same."""
        with self._lock:
            found = self._under_way.get(execution_id)
            if found is not None and not found.running():
                # It has not looked at the run yet, so it will see this event too.
                return found
            if len(self._under_way) >= _MOST_WAITING:
                return None
            future = self._planners.submit(self._plan, execution_id)
            self._under_way[execution_id] = future
        future.add_done_callback(lambda done: self._forget(execution_id, done))
        return future

    def _forget(self, execution_id: str, future: "Future[PlanJson | None]") -> None:
        with self._lock:
            if self._under_way.get(execution_id) is future:
                del self._under_way[execution_id]

    def _plan(self, execution_id: str) -> PlanJson | None:
        last = self._fallback(execution_id).plan or self._system.store.plan(execution_id)
        if last is not None:
            # There should this one take too long.
            self._keep(execution_id, last)
        plan = self._system.planner.plan(execution_id, last)
        if plan is not None:
            self._keep(execution_id, plan)
            self._system.store.keep_plan(execution_id, plan)
        return plan

    def _keep(self, execution_id: str, plan: PlanJson) -> None:
        with self._lock:
            self._last[execution_id] = plan
            self._last.move_to_end(execution_id)
            while len(self._last) > _KEPT_PLANS:
                self._last.popitem(last=False)

    def _record(self, event: OldUpdate) -> bool:
        told, jobs = event.told()
        try:
            known = self._system.record(event.application_execution_id, told, jobs)
        except Exception as exc:  # noqa: BLE001 - whatever a database raises
            log.warning("an event is kept for later: the database does not take it", error=type(exc).__name__)
            try:
                self._system.late.keep(event.application_execution_id, told, jobs)
            except OSError as full:
                raise AtollError("the event could not be recorded; send it again") from full
            return False
        if known.get("rest_timeout_s"):
            with self._lock:
                self._timeouts[event.application_execution_id] = float(known["rest_timeout_s"])
                while len(self._timeouts) > _KEPT_PLANS:
                    self._timeouts.popitem(last=False)
        return True


async def _until(awaited: "asyncio.Future[Any]", deadline_s: float) -> Any:
    left_s = max(0.0, deadline_s - asyncio.get_running_loop().time())
    done, _ = await asyncio.wait({awaited}, timeout=left_s)
    if not done:
        raise TimeoutError
    return awaited.result()


def _noted(future: "asyncio.Future[bool]") -> None:
    """What nobody waits for any more."""
    if not future.cancelled() and (exc := future.exception()) is not None:
        log.error("an event could not be recorded", exc_info=exc)
