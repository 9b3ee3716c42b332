"""A cluster in memory, for tests: it runs nothing, and fails as it is told to.

::

    cluster = FakeCluster()
    runner = FakeRunner(cluster)
    cluster.fail("submit", after=True)     # it happens, but the caller sees a time-out
    cluster.finish(name, TaskState.SUCCEEDED, {"output/metrics.json": b"{}"})

Several runners may share a cluster, as several processes do.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from common.errors import Invalid
from common.submission.config import ClusterConfig
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import (
    ClusterInfo,
    Known,
    LogPart,
    Observation,
    Package,
    Partition,
    Submission,
)
from common.submission.runners.base import Runner
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

T = TypeVar("T")


class FakeConfig(ClusterConfig):
    """As any cluster's."""

    kind: str = "fake"


@dataclass
class FakeJob:
    """What the cluster knows of one submission.

    Attributes
    ----------
    ran : whether its program has begun, which the first of a name does and no other.
    files : what it has left, by path; `task.log` is its log.
    """

    task: Submission
    observation: Observation
    ran: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class _Fault:
    error: Callable[[], Exception]
    times: int
    after: bool


class FakeCluster:
    """The cluster itself: jobs, folders and faults. Any thread may use it.

    Attributes
    ----------
    jobs : all that were ever submitted, in order; several may have one name.
    folders : the package of each name, until it is cleaned.
    runs : names whose program was run, once for each run.
    refuses_twins : answers a second submission of a name with the first, as Kubernetes does.
    calls : what was asked, in order.
    is_down : answers nobody.
    delay_s : that every call takes.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.jobs: list[FakeJob] = []
        self.folders: dict[str, dict[str, bytes]] = {}
        self.runs: list[str] = []
        self.cleaned: list[str] = []
        self.calls: list[str] = []
        self.forgotten: set[str] = set()
        self.refuses_twins = False
        self.is_down = False
        self.delay_s = 0.0
        self._now = now
        self._faults: dict[str, list[_Fault]] = {}
        self._lock = threading.RLock()

    def fail(
        self,
        method: str,
        times: int = 1,
        *,
        after: bool = False,
        error: Callable[[], Exception] = lambda: ClusterDown("the cluster did not answer in time"),
    ) -> None:
        """Have the next calls of a method fail: before they did anything, or `after` they did all."""
        with self._lock:
            self._faults.setdefault(method, []).append(_Fault(error, times, after))

    def heal(self) -> None:
        """Fail no more."""
        with self._lock:
            self._faults.clear()
            self.is_down = False

    def call(self, method: str, work: Callable[[], T]) -> T:
        """Do what a runner asks for, or fail as told."""
        if self.delay_s:
            time.sleep(self.delay_s)
        with self._lock:
            self.calls.append(method)
            if self.is_down:
                raise ClusterDown("the cluster does not answer")
            fault = self._take(method)
            if fault is not None and not fault.after:
                raise fault.error()
            answer = work()
            if fault is not None:
                raise fault.error()
            return answer

    def of(self, name: str) -> list[FakeJob]:
        """The jobs of a name."""
        with self._lock:
            return [job for job in self.jobs if job.task.name == name]

    def live(self) -> list[FakeJob]:
        """Those that have not finished."""
        with self._lock:
            return [job for job in self.jobs if not job.observation.state.is_finished]

    def submit(self, task: Submission, files: Mapping[str, bytes]) -> str:
        with self._lock:
            if self.refuses_twins and (found := self.of(task.name)):
                return found[0].observation.cluster_job_id
            self.folders.setdefault(task.name, dict(files))
            number = str(len(self.jobs) + 1)
            seen = Observation(task.name, number, TaskState.PENDING, submitted_at=self._now())
            self.jobs.append(FakeJob(task, seen))
            return number

    def start(self, name: str, number: int = 0, node: str = "node1") -> None:
        """Begin a job of a name; one whose name has begun before leaves at once, as `run.sh` does."""
        with self._lock:
            job = self.of(name)[number]
            is_first = not any(one.ran for one in self.of(name))
            state = TaskState.RUNNING if is_first else TaskState.SUCCEEDED
            if is_first:
                job.ran = True
                self.runs.append(name)
            ended = {} if is_first else {"exit_code": 0, "finished_at": self._now()}
            self._see(job, state=state, nodes=(node,), started_at=self._now(), **ended)

    def finish(
        self,
        name: str,
        state: TaskState = TaskState.SUCCEEDED,
        files: Mapping[str, bytes] | None = None,
        number: int = 0,
        **seen: Any,
    ) -> None:
        """End a job of a name, leaving files."""
        with self._lock:
            job = self.of(name)[number]
            if not job.ran and job.observation.state is TaskState.PENDING:
                self.start(name, number)
            job.files.update(files or {"task.log": b"done\n"})
            exit_code = {TaskState.SUCCEEDED: 0, TaskState.FAILED: 1}.get(state)
            self._see(job, **{"state": state, "exit_code": exit_code, "finished_at": self._now(), **seen})

    def see(self, name: str, number: int = 0, **seen: Any) -> None:
        """Change what the cluster says of a job."""
        with self._lock:
            self._see(self.of(name)[number], **seen)

    def requeue(self, name: str) -> None:
        """Put a running job back into the queue, as after a node failed."""
        with self._lock:
            job = self.of(name)[0]
            self._see(job, state=TaskState.PENDING, restarts=job.observation.restarts + 1, nodes=())

    def forget(self, name: str) -> None:
        """Know nothing of a name any more; `recall` undoes it."""
        self.forgotten.add(name)

    def recall(self, name: str) -> None:
        self.forgotten.discard(name)

    def known(self) -> list[FakeJob]:
        with self._lock:
            return [job for job in self.jobs if job.task.name not in self.forgotten]

    @staticmethod
    def _see(job: FakeJob, **seen: Any) -> None:
        job.observation = replace(job.observation, **seen)

    def _take(self, method: str) -> _Fault | None:
        faults = self._faults.get(method, [])
        while faults:
            fault = faults[0]
            fault.times -= 1
            if fault.times <= 0:
                faults.pop(0)
            return fault
        return None


class FakeRunner(Runner):
    """A `Runner` for a `FakeCluster`."""

    kind = "fake"
    takes_arrays = True
    takes_dependencies: ClassVar[bool] = False

    def __init__(self, cluster: FakeCluster | None = None, config: ClusterConfig | None = None) -> None:
        super().__init__(config or FakeConfig(name="fake", kind="fake"))
        self.cluster = cluster or FakeCluster()

    def info(self) -> ClusterInfo:
        if self.cluster.is_down:
            return ClusterInfo("down", "it does not answer")
        states = [job.observation.state for job in self.cluster.known()]
        return ClusterInfo(
            "up",
            version="fake",
            partitions=[Partition("cpu", is_default=True)],
            pending=states.count(TaskState.PENDING),
            running=states.count(TaskState.RUNNING),
        )

    def check(self, spec: TaskSpec) -> None:
        if spec.partition not in (None, "cpu"):
            raise Invalid.field("partition", "there is no such partition; those there are: cpu", spec.partition)

    def preview(self, task: Submission) -> str:
        return f"#!/bin/sh\n# {task.name}\n"

    def find(self, task: Submission) -> str | None:
        def find() -> str | None:
            found = [job for job in self.cluster.known() if job.task.name == task.name]
            return found[0].observation.cluster_job_id if found else None

        return self.cluster.call("find", find)

    def submit(self, task: Submission, package: Package) -> str:
        if task.spec.partition not in (None, "cpu"):
            raise ClusterRefused(f"invalid partition {task.spec.partition}")
        files = {path: file.read_bytes() if isinstance(file, Path) else file for path, file in package.files.items()}
        return self.cluster.call("submit", lambda: self.cluster.submit(task, files))

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        names = {one.name for one in known}
        return self.cluster.call(
            "observe", lambda: [job.observation for job in self.cluster.known() if job.task.name in names]
        )

    def cancel(self, known: Known) -> None:
        def cancel() -> None:
            for job in self.cluster.of(known.name):
                is_meant = known.cluster_job_id in (None, job.observation.cluster_job_id)
                if is_meant and not job.observation.state.is_finished:
                    job.observation = replace(job.observation, state=TaskState.CANCELLED)

        self.cluster.call("cancel", cancel)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        def read() -> LogPart:
            name = "task.log" if element is None else f"task-{element}.log"
            content = b"".join(job.files.get(name, b"") for job in self.cluster.of(known.name))
            return LogPart(content[offset : offset + limit], offset, len(content))

        return self.cluster.call("read_log", read)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        files = self.cluster.call("collect", lambda: [dict(job.files) for job in self.cluster.of(known.name)])
        for some in files:
            for path, content in some.items():
                yield path, iter([content])

    def clean(self, known: Known) -> None:
        def clean() -> None:
            self.cluster.cleaned.append(known.name)
            self.cluster.folders.pop(known.name, None)
            for job in self.cluster.of(known.name):
                job.files.clear()

        self.cluster.call("clean", clean)


class FakeDependingRunner(FakeRunner):
    """One whose cluster makes tasks wait for others by itself."""

    takes_dependencies = True
