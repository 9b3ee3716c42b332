"""What can go wrong between Atoll and a cluster.

::

    AtollError
    ├── DependencyFailed
    │   └── ClusterDown            424  it does not answer, or not in time: whether it did what was asked is unknown
    ├── Invalid
    │   └── ClusterRefused         422  it answered, and refuses what was asked: asking again would not help
    │       └── OutputTooLarge          what a task left is more than may be brought back
    └── NotFound
        └── NoTask                 404
"""

from common.errors import DependencyFailed, Invalid, NotFound


class ClusterDown(DependencyFailed):
    """The cluster does not answer, or not in time. What was asked may have happened: look before asking again."""

    title, slug = "The cluster is down", "cluster-down"


class ClusterRefused(Invalid):
    """The cluster refuses; the detail is what it says. Asking again would not help."""

    title, slug = "Refused by the cluster", "cluster-refused"


class OutputTooLarge(ClusterRefused):
    """What a task left is more than may be brought back from its cluster; what came before it is here."""


class NoTask(NotFound):
    """There is no such task, or it is not the caller's to see."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"there is no task {task_id[:40]}; GET /tasks lists yours")
