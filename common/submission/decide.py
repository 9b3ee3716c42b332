"""What becomes of a task by what its cluster says of it. Pure: whoever calls carries it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from common.jobs.states import State
from common.submission.records import Observation, Task
from common.submission.script import NOT_BEGUN
from common.submission.states import TaskState, may_follow

# Something that was cancelled, and is not known any more, has gone; no need to wait for as long as for what was not.
_CANCELLED_GONE_S = 30.0
_TOLD = ("exit_code", "signal", "cpu_time_s", "peak_memory_bytes")
REASON_CHARS = 2000


@dataclass(frozen=True)
class Decision:
    """What to do about a task.

    Parameters
    ----------
    values : what changes in the record; empty for nothing.
    cancel : ids, on the cluster, of what has to be ended.
    why : of `cancel`: `asked`, `twin` (a second one of a name) or `orphan` (of a task that is over).
    resubmit : the job that should have handed it over is gone, and did not.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    cancel: tuple[str, ...] = ()
    why: str = ""
    resubmit: bool = False

    @property
    def ends(self) -> bool:
        """Whether the task finishes by it."""
        state = self.values.get("state")
        return state is not None and state.is_finished


@dataclass(frozen=True)
class SubmitJob:
    """How the kernel's job stands that hands a task over; None for `state` where there is none."""

    state: State | None
    error: str | None = None

    @property
    def is_under_way(self) -> bool:
        return self.state is not None and not self.state.is_finished


def decide(
    task: Task, seen: Sequence[Observation], now: datetime, *, forget_after_s: float, job: SubmitJob
) -> Decision:
    """What follows from what a cluster answered.

    Parameters
    ----------
    seen : what the cluster said of this name; nothing where it does not know it. Only where it did answer.
    forget_after_s : a task that its cluster does not know for so long is lost.
    """
    ours = _ours(task, seen)
    if task.state.is_finished and task.state is not TaskState.LOST:
        live = tuple(one.cluster_job_id for one in seen if not one.state.is_finished)
        return Decision(_late(task, ours), live, "orphan" if live else "")
    if ours is None:
        return _unknown(task, now, forget_after_s, job)
    values = _told(task, ours, now)
    if task.cancel_asked:
        asked = tuple(one.cluster_job_id for one in seen if not one.state.is_finished)
        return Decision(values, asked, "asked" if asked else "")
    twins = tuple(one.cluster_job_id for one in seen if one is not ours and one.state is TaskState.PENDING)
    return Decision(values, twins, "twin" if twins else "")


def _ours(task: Task, seen: Sequence[Observation]) -> Observation | None:
    """The one of several submissions of a name that runs the program.

    `run.sh` lets one of them claim the task's folder; the others end at once, with exit code 0. So it is the one that
    runs, else the one whose program went wrong, else the one that ran for longest. Those that wait have equal rights;
    the one on record stays.
    """
    if not seen:
        return None

    def rank(one: Observation) -> tuple[bool, bool, float, bool, bool]:
        began, ended = one.started_at, one.finished_at
        ran_s = (ended - began).total_seconds() if began and ended else 0.0
        is_recorded = one.cluster_job_id == task.cluster_job_id
        return one.state is TaskState.RUNNING, _went_wrong(one), ran_s, one.state.is_finished, is_recorded

    best = max(rank(one) for one in seen)
    return next(one for one in seen if rank(one) == best)


def _late(task: Task, ours: Observation | None) -> dict[str, Any]:
    """Figures that a cluster tells some time after the end."""
    if ours is None or ours.state is not task.state or ours.cluster_job_id != task.cluster_job_id:
        return {}
    return {name: value for name in _TOLD if getattr(task, name) is None and (value := getattr(ours, name)) is not None}


def _went_wrong(one: Observation) -> bool:
    """Whether a program ended so as `run.sh` does not by itself: clusters tell times in seconds, and some take none."""
    if one.state is TaskState.FAILED:
        return bool(one.signal) or one.exit_code not in (None, 0, NOT_BEGUN)
    return one.state in (TaskState.TIMED_OUT, TaskState.OUT_OF_MEMORY)


def _unknown(task: Task, now: datetime, forget_after_s: float, job: SubmitJob) -> Decision:
    if task.state is TaskState.RECEIVED or task.cluster_job_id is None:
        if job.is_under_way or task.held or task.state is TaskState.LOST:
            return Decision()
        return _not_handed_over(task, now, job)
    if task.state is TaskState.LOST:
        return Decision()
    if task.missing_since is None or task.missing_since > now:
        return Decision({"missing_since": now})
    patience_s = min(forget_after_s, _CANCELLED_GONE_S) if task.cancel_asked else forget_after_s
    if now - task.missing_since < timedelta(seconds=patience_s):
        return Decision()
    if task.cancel_asked:
        return Decision({"state": TaskState.CANCELLED, "finished_at": now})
    reason = f"its cluster has not known it since {task.missing_since.isoformat(timespec='seconds')}"
    return Decision({"state": TaskState.LOST, "finished_at": now, "reason": reason})


def _not_handed_over(task: Task, now: datetime, job: SubmitJob) -> Decision:
    """The cluster does not have it, and nobody is about to change that."""
    if task.cancel_asked or job.state is State.CANCELLED:
        reason = task.reason if task.cancel_asked else "the job that hands it to its cluster was cancelled"
        return Decision({"state": TaskState.CANCELLED, "finished_at": now, "reason": reason})
    if job.state in (State.DEAD, State.FAILED):
        reason = f"it could not be handed to its cluster: {job.error}"[:REASON_CHARS]
        return Decision({"state": TaskState.FAILED, "finished_at": now, "reason": reason})
    return Decision(resubmit=True)


def _told(task: Task, one: Observation, now: datetime) -> dict[str, Any]:
    """What an observation changes in the record."""
    told: dict[str, Any] = {"cluster_job_id": one.cluster_job_id, "missing_since": None, "restarts": one.restarts}
    told |= {name: value for name in _TOLD if (value := getattr(one, name)) is not None}
    if one.nodes:
        told["nodes"] = tuple(one.nodes)
    if one.elements:
        told["elements"] = tuple(one.elements)
    if one.submitted_at is not None and task.submitted_at is None:
        told["submitted_at"] = one.submitted_at
    # A cluster that requeued it tells when it began the last time.
    if one.started_at is not None:
        told["started_at"] = one.started_at
    elif one.state is TaskState.RUNNING and task.started_at is None:
        told["started_at"] = now
    # Whoever cancelled it said why; that is worth more than the cluster's word for it.
    if not (task.cancel_asked and one.state in (TaskState.CANCELLED, TaskState.PENDING) and task.reason):
        told["reason"] = one.reason[:REASON_CHARS] if one.reason else None
    if one.state is not task.state and may_follow(task.state, one.state):
        told["state"] = one.state
        if task.state is TaskState.LOST:
            told["finished_at"] = None
        if one.state.is_finished:
            # They may be here already: whoever was about to begin it anew had them brought back, and died.
            files = "complete" if task.files == "complete" else "collecting"
            told |= {"finished_at": one.finished_at or now, "files": files}
    return {name: value for name, value in told.items() if getattr(task, name) != value}


def may_begin_anew(task: Task, ended: TaskState) -> bool:
    """Whether Atoll begins a task anew by itself that ended so."""
    again = ended.is_finished and ended not in (TaskState.SUCCEEDED, TaskState.CANCELLED)
    return again and task.retries_left > 0 and not task.cancel_asked
