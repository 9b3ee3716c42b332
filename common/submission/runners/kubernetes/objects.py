"""What the runners of Jobs and of SparkApplications share: objects with a task's name, and files on the share."""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from common.errors import AtollError
from common.settings import get_settings
from common.storage.location import open_share
from common.storage.share import CHUNK_BYTES, FileMissing, Share
from common.submission.errors import ClusterRefused
from common.submission.records import ClusterInfo, Known, LogPart, Package, Partition, Submission
from common.submission.runners.kubernetes.checks import partitions
from common.submission.runners.kubernetes.config import KubernetesBase
from common.submission.runners.kubernetes.connection import Connection, Manifest, Resource
from common.submission.runners.kubernetes.labels import is_ours

_REMEMBERED = 10_000
# Folders that only exist with a file in them.
KEEP = ".keep"


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
        self._deleted: OrderedDict[str, None] = OrderedDict()

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

    def remember(self, name: str) -> None:
        """It was cancelled, here: nothing on the cluster will tell."""
        self._deleted[name] = None
        while len(self._deleted) > _REMEMBERED:
            self._deleted.popitem(last=False)

    def was_cancelled(self, name: str) -> bool:
        return name in self._deleted


class TaskFolders:
    """The folders of tasks on Atoll's share, as Atoll sees them."""

    def __init__(self, config: KubernetesBase, share: Share | None = None) -> None:
        self._config = config
        self._given = share

    @property
    def _share(self) -> Share:
        return self._given or open_share(get_settings().storage)

    def folder(self, name: str) -> str:
        return f"{self._config.folder}/{self._config.name}/{name}"

    def place(self, name: str, package: Package, *also: str) -> None:
        """Write the files; a second time over the first.

        Parameters
        ----------
        also : folders that must be there.
        """
        share, folder = self._share, self.folder(name)
        for path in also:
            share.write(f"{folder}/{path}/{KEEP}", [b""])
        # run.sh comes last: with it, the folder is complete.
        for path in sorted(package.files, key=lambda path: (path == "run.sh", path)):
            content = package.files[path]
            share.write(f"{folder}/{path}", _parts(content) if isinstance(content, Path) else [content])

    def log(self, name: str, offset: int, limit: int, element: int | None) -> LogPart | None:
        """A piece of the log; None where none has been begun."""
        share = self._share
        path = f"{self.folder(name)}/{log_name(element)}"
        info = share.stat(path)
        if info is None:
            return None
        here = share.local_path(path)
        try:
            content = _piece(here, offset, limit) if here is not None else _skipped(share.read(path), offset, limit)
        except (FileMissing, FileNotFoundError):
            return None
        return LogPart(content, offset, max(info.size_bytes, offset + len(content)))

    def collect(self, name: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """`output/…`, and the logs."""
        share, folder = self._share, self.folder(name)
        for info in share.find(folder):
            path = info.path.removeprefix(f"{folder}/")
            is_log = "/" not in path and path.startswith("task") and path.endswith(".log")
            if is_log or (path.startswith("output/") and not path.endswith(f"/{KEEP}")):
                yield path, share.read(info.path)

    def clean(self, name: str) -> None:
        share = self._share
        for info in share.find(self.folder(name)):
            share.delete(info.path)


def log_name(element: int | None) -> str:
    return "task.log" if element is None else f"task-{element}.log"


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            yield part


def _piece(path: Path, offset: int, limit: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(limit)


def _skipped(parts: Iterator[bytes], offset: int, limit: int) -> bytes:
    found, at = bytearray(), 0
    for part in parts:
        found += part[max(0, offset - at) :]
        at += len(part)
        if len(found) >= limit:
            break
    return bytes(found[:limit])
