"""Whether a task may begin, by how those stand that it waits for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.submission.records import Brief
from common.submission.spec import TaskSpec
from common.submission.states import TaskState


@dataclass(frozen=True)
class Go:
    """It may be submitted. `depends_on`: what its cluster makes it wait for, by the cluster's own ids."""

    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wait:
    """It has to wait, for people: for what."""

    reason: str


@dataclass(frozen=True)
class Never:
    """It never can."""

    reason: str


Verdict = Go | Wait | Never


def judge(spec: TaskSpec, briefs: Mapping[str, Brief], *, takes_dependencies: bool) -> Verdict:
    """Whether a task may be submitted.

    Parameters
    ----------
    briefs : of the tasks that it waits for; those that are missing are gone.
    takes_dependencies : its cluster can wait for others of its own.
    """
    for task_id in spec.dependencies:
        brief = briefs.get(task_id)
        if brief is None:
            return Never(f"task {task_id}, which it waits for, is gone")
        if brief.state.is_finished and brief.state is not TaskState.SUCCEEDED:
            return Never(f"task {task_id}, which it waits for, is {brief.state.value}")
    open_ones = [brief for task_id in spec.dependencies if not (brief := briefs[task_id]).state.is_finished]
    if not open_ones:
        return Go()
    if takes_dependencies and all(_is_within_reach(brief, spec.cluster) for brief in open_ones):
        return Go(tuple(str(brief.cluster_job_id) for brief in open_ones))
    return Wait(_waiting(open_ones))


def _is_within_reach(brief: Brief, cluster: str) -> bool:
    """Whether the cluster itself can wait for it. One that Atoll may begin anew will have another id there."""
    return brief.cluster == cluster and brief.cluster_job_id is not None and brief.retries_left == 0


def _waiting(open_ones: Sequence[Brief]) -> str:
    if len(open_ones) == 1:
        return f"waits for task {open_ones[0].id}"
    return f"waits for {len(open_ones)} tasks, {open_ones[0].id} first"
