"""What the runners of Jobs and of SparkApplications share: objects with a task's name, and how the cluster is."""

from collections import OrderedDict

from common.errors import AtollError
from common.submission.errors import ClusterRefused
from common.submission.records import ClusterInfo, Known, Partition, Submission
from common.submission.runners.kubernetes.checks import partitions
from common.submission.runners.kubernetes.config import KubernetesBase
from common.submission.runners.kubernetes.connection import Connection, Manifest, Resource
from common.submission.runners.kubernetes.labels import is_ours

_REMEMBERED = 10_000
_LOGS_KEPT = 32
# Of the log of one that is cancelled.
LAST_LOG_BYTES = 1 << 20


def info_of(connection: Connection, config: KubernetesBase) -> ClusterInfo:
    """How the cluster is; pods of the namespace are counted, whoever made them."""
    parts = [
        Partition(
            name,
            is_default=name == config.default_partition or len(config.pools) == 1,
            max_time_s=config.pools[name].max_time_s or config.max_time_limit_s,
        )
        for name in partitions(config)
    ]
    try:
        version = connection.version()
        running = len(connection.pods("", "status.phase=Running"))
        pending = len(connection.pods("", "status.phase=Pending"))
    except AtollError as exc:
        return ClusterInfo("down", exc.detail, partitions=parts)
    return ClusterInfo("up", f"namespace {connection.namespace}", version, parts, pending=pending, running=running)


class TaskObjects:
    """Objects of one kind, one a submission, with its name: Kubernetes takes a name once, so there is no twin."""

    def __init__(self, connection: Connection, resource: Resource) -> None:
        self._connection = connection
        self._resource = resource
        self._deleted: OrderedDict[str, bytes] = OrderedDict()

    def find(self, task: Submission) -> str | None:
        """The name, if there is an object of it that was made for the task."""
        found = self._connection.get(self._resource, task.name)
        return task.name if found is not None and is_ours(found, task.task_id) else None

    def create(self, task: Submission, manifest: Manifest) -> str:
        """Create it, or find that it was created before.

        Raises
        ------
        ClusterRefused
            What is there of that name is not Atoll's.
        """
        if self._connection.create(self._resource, manifest) is None and self.find(task) is None:
            raise ClusterRefused(
                f"{self._connection.namespace} has an object {task.name} that was not made for this task; remove it"
            )
        return task.name

    def delete(self, known: Known) -> bool:
        """Delete it with all that belongs to it; whether it was there, and the task's."""
        found = self._connection.get(self._resource, known.name)
        if found is None or not is_ours(found, known.task_id):
            return False
        self._connection.delete(self._resource, known.name)
        return True

    def remember(self, name: str, log: bytes = b"") -> None:
        """It was cancelled, here: nothing on the cluster will tell.

        Parameters
        ----------
        log : what it had written; kept of the last few.
        """
        self._deleted[name] = log
        # One comes, so one goes.
        for old in list(self._deleted)[-_LOGS_KEPT - 1 : -_LOGS_KEPT]:
            self._deleted[old] = b""
        while len(self._deleted) > _REMEMBERED:
            self._deleted.popitem(last=False)

    def last_log(self, name: str) -> bytes:
        """Of one that was cancelled here, and is gone."""
        return self._deleted.get(name, b"")

    def was_cancelled(self, name: str) -> bool:
        return name in self._deleted
