"""Tasks as SparkApplications, which the Spark operator runs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import ClassVar

from common.clock import Clock, SystemClock
from common.errors import Invalid
from common.storage.share import Share
from common.submission.errors import ClusterDown
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Submission
from common.submission.runners.base import Runner
from common.submission.runners.kubernetes import checks
from common.submission.runners.kubernetes.connection import APPLICATIONS, Connection
from common.submission.runners.kubernetes.folders import TaskFolders, log_name
from common.submission.runners.kubernetes.labels import selector
from common.submission.runners.kubernetes.manifest import dumped
from common.submission.runners.kubernetes.objects import LAST_LOG_BYTES, TaskObjects, info_of
from common.submission.runners.spark import states
from common.submission.runners.spark.config import SparkConfig
from common.submission.runners.spark.manifest import application, spark_of
from common.submission.script import OUTPUT
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

# As Spark calls it.
_CONTAINER = "spark-kubernetes-driver"
_MOST_LOG_BYTES = 64 << 20
_OF_A_JOB = {
    "cpus": "spark.executors and spark.executor_cores",
    "memory_bytes": "spark.executor_memory",
    "nodes": "spark.executors",
    "array": "one task for each",
    "command": "spark.application_file",
}


class SparkRunner(Runner):
    """One namespace of one Kubernetes cluster with the Spark operator.

    Programs and their files lie on the share, where driver and executors read them; without a share only applications
    of an image or a URL can be run. The log is the driver's, and goes with it.

    Parameters
    ----------
    share : Atoll's own; by default that of the settings.
    """

    kind: ClassVar[str] = "spark"
    config: SparkConfig

    def __init__(self, config: SparkConfig, *, share: Share | None = None, clock: Clock | None = None) -> None:
        super().__init__(config)
        self._clock = clock or SystemClock()
        self._connection = Connection(config)
        self._applications = TaskObjects(self._connection, APPLICATIONS)
        self._folders = TaskFolders(config, share)

    def info(self) -> ClusterInfo:
        return info_of(self._connection, self.config)

    def check(self, spec: TaskSpec) -> None:
        checks.check(spec, self.config)
        for field, instead in _OF_A_JOB.items():
            if getattr(spec, field) is not None:
                raise Invalid.field(field, f"means nothing to a Spark application; send {instead}", None)
        spark = spark_of(spec)
        if spark.application_file is None:
            self._check_files(spec)
        least, most = spark.min_executors, spark.max_executors
        if least is not None and most is not None and least > most:
            raise Invalid.field("spark.min_executors", f"is more than max_executors, {most}", least)
        if most is not None and spark.executors > most:
            raise Invalid.field("spark.executors", f"is more than max_executors, {most}", spark.executors)

    def preview(self, task: Submission) -> str:
        return dumped(application(task, self.config))

    def find(self, task: Submission) -> str | None:
        return self._applications.find(task)

    def submit(self, task: Submission, package: Package) -> str:
        if self.config.claim is not None:
            # Not under a program that runs.
            before = self.find(task)
            if before is not None:
                return before
            self._folders.place(task.name, package, OUTPUT)
        return self._applications.create(task, application(task, self.config))

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        """One list of applications; a long one comes in pages."""
        if not known:
            return []
        names = {one.name for one in known}
        found = {
            str(name): item
            for item in self._connection.all_of(APPLICATIONS, selector(self.config.name))
            if (name := item["metadata"]["name"]) in names
        }
        now = self._clock.now()
        gone = [name for name in names if name not in found and self._applications.was_cancelled(name)]
        return [
            *(states.observe(name, item, now) for name, item in found.items()),
            *(Observation(name, name, TaskState.CANCELLED, "Deleted") for name in gone),
        ]

    def cancel(self, known: Known) -> None:
        found = self._connection.get(APPLICATIONS, known.name)
        if found is None or states.is_over(found):
            return
        log = b""
        with suppress(ClusterDown):
            log = self._log_of(known, LAST_LOG_BYTES)
        if self._applications.delete(known):
            self._applications.remember(known.name, log)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        # A log is told from its beginning only.
        log = self._log_of(known, offset + limit)
        return LogPart(log[offset : offset + limit], offset, len(log) if len(log) < offset + limit else None)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        log = self._log_of(known, _MOST_LOG_BYTES)
        if log:
            yield log_name(None), iter([log])
        if self.config.claim is not None:
            yield from self._folders.collect(known.name)

    def clean(self, known: Known) -> None:
        self._applications.delete(known)
        if self.config.claim is not None:
            self._folders.clean(known.name)

    def close(self) -> None:
        self._connection.close()

    def _check_files(self, spec: TaskSpec) -> None:
        if self.config.claim is None:
            raise Invalid.field(
                "spark.application_file",
                "is needed on this cluster, e.g. local:///opt/app/main.py of the image: it has no share for programs",
                None,
            )
        if not spec.entry_point.endswith((".py", ".jar")):
            raise Invalid.field("entry_point", "ends in .py or .jar for Spark", spec.entry_point)

    def _log_of(self, known: Known, limit: int) -> bytes:
        found = self._connection.get(APPLICATIONS, known.name)
        if found is None:
            return self._applications.last_log(known.name)[:limit]
        driver = ((found.get("status") or {}).get("driverInfo") or {}).get("podName") or f"{known.name}-driver"
        return b"".join(self._connection.log(driver, _CONTAINER, limit))[:limit]
