"""What a task can be, and what may follow. Pure.

::

    received --> submitting --> pending --> running --> succeeded | failed | timed-out | out-of-memory | node-failed
        |             |            ^           |
        |             |            `-- requeue-'
        `-------------`---- any that has not finished --> cancelled, lost, failed (refused by the cluster)

`submitting` may lead to any later state: a short task has finished before it is looked at for the first time. A
finished task stays as it is, but for `lost`: that is what Atoll supposes, and the cluster knows better. A retry begins
a new attempt at `received`.
"""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task stands."""

    RECEIVED = "received"
    SUBMITTING = "submitting"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"
    OUT_OF_MEMORY = "out-of-memory"
    NODE_FAILED = "node-failed"
    LOST = "lost"

    @property
    def is_finished(self) -> bool:
        return self in FINISHED

    @property
    def is_on_cluster(self) -> bool:
        """The cluster may know it: it is asked about."""
        return self in ON_CLUSTER


FINISHED = frozenset(
    {
        TaskState.SUCCEEDED,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.TIMED_OUT,
        TaskState.OUT_OF_MEMORY,
        TaskState.NODE_FAILED,
        TaskState.LOST,
    }
)
ON_CLUSTER = frozenset({TaskState.SUBMITTING, TaskState.PENDING, TaskState.RUNNING})
# What a cluster may say; the others are Atoll's own.
OBSERVABLE = (FINISHED | {TaskState.PENDING, TaskState.RUNNING}) - {TaskState.LOST}

_ORDER = (TaskState.RECEIVED, TaskState.SUBMITTING, TaskState.PENDING, TaskState.RUNNING)


def may_follow(before: TaskState, after: TaskState) -> bool:
    """Whether a task that is `before` may become `after` within one attempt."""
    if before is TaskState.LOST:
        return after in OBSERVABLE
    if before.is_finished:
        return False
    if after.is_finished:
        return True
    # A cluster may put a running task back into its queue.
    return _ORDER.index(after) >= _ORDER.index(before) or (before, after) == (TaskState.RUNNING, TaskState.PENDING)


def of_elements(states: list[TaskState]) -> TaskState:
    """The state of an array of tasks: running while any runs, and in the end what the worst of them is."""
    if not states:
        return TaskState.PENDING
    if all(state.is_finished for state in states):
        worst = (
            TaskState.LOST,
            TaskState.NODE_FAILED,
            TaskState.OUT_OF_MEMORY,
            TaskState.TIMED_OUT,
            TaskState.FAILED,
            TaskState.CANCELLED,
        )
        return next((state for state in worst if state in states), TaskState.SUCCEEDED)
    begun = any(state.is_finished or state is TaskState.RUNNING for state in states)
    return TaskState.RUNNING if begun else TaskState.PENDING
