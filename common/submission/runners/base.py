"""What every kind of cluster can do for a task. Each method blocks, has a time-out of its own, and may be called from
any thread."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from common.submission.config import ClusterConfig
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Submission
from common.submission.spec import TaskSpec


class Runner(ABC):
    """The adapter to one cluster.

    Raises
    ------
    ClusterDown
        From every method that asks the cluster: it does not answer, or not in time.
    """

    kind: ClassVar[str]
    takes_dependencies: ClassVar[bool] = False
    """Whether the cluster itself makes a task wait for others (`Submission.depends_on`)."""
    takes_arrays: ClassVar[bool] = False

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config

    @abstractmethod
    def info(self) -> ClusterInfo:
        """How the cluster is, right now. Does not raise: a cluster that does not answer is `down`."""

    @abstractmethod
    def check(self, spec: TaskSpec) -> None:
        """Refuse what this cluster could never run: an unknown partition or image, a field that means nothing to it.

        From what is configured, and what the cluster told not long ago; does not wait for it.

        Raises
        ------
        Invalid
            Names the field, and what may be sent instead.
        """

    @abstractmethod
    def preview(self, task: Submission) -> str:
        """The script or manifest that would be submitted. Asks nobody."""

    @abstractmethod
    def find(self, task: Submission) -> str | None:
        """The cluster's own id of the submission with this name, finished ones included; None if there is none."""

    @abstractmethod
    def submit(self, task: Submission, package: Package) -> str:
        """Place the files, submit, and give the cluster's own id.

        Called again with the same name, after whatever went wrong the first time, it must not make a second one that
        runs the program: a cluster that refuses equal names answers with the first; elsewhere `run.sh` claims the
        task's folder.

        Raises
        ------
        ClusterRefused
            It never will.
        """

    @abstractmethod
    def observe(self, known: Sequence[Known]) -> list[Observation]:
        """What became of them, in one call to the cluster however many they are.

        Those that the cluster does not know (any more) are left out. Two submissions of one name are both told.
        """

    @abstractmethod
    def cancel(self, known: Known) -> None:
        """Have it stopped. One that has finished, or is not known, is left alone."""

    @abstractmethod
    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        """At most `limit` bytes of what the program wrote, from `offset` on; empty where it has written nothing yet.

        Parameters
        ----------
        element : of an array.
        """

    @abstractmethod
    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The files that the task left, by path: `output/…`, and its logs as `task.log` (`task-<index>.log`).

        Links and what is no plain file are left out. Each file's parts are to be read before the next one is asked for.
        """

    @abstractmethod
    def clean(self, known: Known) -> None:
        """Remove what lies on the cluster for a task that has finished. Nothing there is fine."""

    def close(self) -> None:  # noqa: B027 - most have none
        """Let go of connections."""
