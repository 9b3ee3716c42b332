"""Tasks as Jobs of batch/v1."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from common.clock import Clock, SystemClock
from common.errors import Invalid
from common.storage.share import Share
from common.submission.arrays import indices
from common.submission.errors import ClusterDown
from common.submission.records import ClusterInfo, Element, Known, LogPart, Observation, Package, Submission
from common.submission.runners.base import Runner
from common.submission.runners.kubernetes import checks, inline, states
from common.submission.runners.kubernetes.boot import BEGIN
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.connection import JOBS, Connection, Manifest
from common.submission.runners.kubernetes.folders import TaskFolders, log_name
from common.submission.runners.kubernetes.labels import TASK, of_tasks, selector
from common.submission.runners.kubernetes.manifest import CONTAINER, dumped, job
from common.submission.runners.kubernetes.objects import LAST_LOG_BYTES, TaskObjects, info_of
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

_SHOWN_PACKAGE = "<run.sh, params.json, the program and its inputs, packed as tar.gz in base64>"
# Of a log without its outputs; the kubelet keeps 10 MiB by default.
_MOST_LOG_BYTES = 64 << 20
_REMEMBERED = 10_000


class KubernetesRunner(Runner):
    """One namespace of one Kubernetes cluster.

    The name of a Job is that of the submission, so that a second one is refused by the cluster itself. A cancelled Job
    is deleted, with its pods; what it wrote is then kept on the share, else the beginning of it by this process.

    Parameters
    ----------
    share : Atoll's own; by default that of the settings.
    """

    kind: ClassVar[str] = "kubernetes"
    takes_arrays: ClassVar[bool] = True
    config: KubernetesConfig

    def __init__(self, config: KubernetesConfig, *, share: Share | None = None, clock: Clock | None = None) -> None:
        super().__init__(config)
        self._clock = clock or SystemClock()
        self._connection = Connection(config)
        self._jobs = TaskObjects(self._connection, JOBS)
        self._folders = TaskFolders(config, share)
        self._over: OrderedDict[str, Observation] = OrderedDict()
        self._lock = threading.Lock()

    def info(self) -> ClusterInfo:
        return info_of(self._connection, self.config)

    def check(self, spec: TaskSpec) -> None:
        checks.check(spec, self.config)
        if spec.spark is not None:
            raise Invalid.field("spark", "needs a cluster of kind spark; this one runs Jobs", None)

    def preview(self, task: Submission) -> str:
        package = None if self.config.claim else _SHOWN_PACKAGE
        return dumped(job(task, self.config, package=package))

    def find(self, task: Submission) -> str | None:
        return self._jobs.find(task)

    def submit(self, task: Submission, package: Package) -> str:
        packed = None
        if self.config.claim is not None:
            # Not under a program that runs.
            before = self.find(task)
            if before is not None:
                return before
            self._folders.place(task.name, package)
        else:
            packed = inline.pack(package.files, self.config.max_inline_bytes)
        return self._jobs.create(task, job(task, self.config, package=packed))

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        """One list of Jobs; and one of pods, in rounds in which a Job has ended or waits for its pod to begin.

        Long lists come in pages. A Job that was once seen to have ended is not asked about again.
        """
        if not known:
            return []
        by_name = {one.name: one for one in known}
        found = {
            name: item
            for item in self._connection.all_of(JOBS, selector(self.config.name))
            if (name := item["metadata"]["name"]) in by_name
        }
        unclear = [
            item["metadata"]["labels"].get(TASK, "")
            for item in found.values()
            if item["metadata"]["uid"] not in self._over and states.wants_pods(item)
        ]
        pods = self._pods_of(unclear) if unclear else {}
        told = [self._told(by_name[name], item, pods.get(name, [])) for name, item in found.items()]
        gone = [name for name in by_name if name not in found and self._jobs.was_cancelled(name)]
        return told + [Observation(name, name, TaskState.CANCELLED, "Deleted") for name in gone]

    def cancel(self, known: Known) -> None:
        found = self._connection.get(JOBS, known.name)
        if found is None or states.is_over(found):
            return
        log = b""
        if self.config.claim is None and known.spec.array is None:
            # It goes with the pod.
            with suppress(ClusterDown):
                log = self._log_of(known, None, LAST_LOG_BYTES)
        if self._jobs.delete(known):
            self._jobs.remember(known.name, log)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        if self.config.claim is not None:
            part = self._folders.log(known.name, offset, limit, element)
            if part is not None:
                return part
        # A log is told from its beginning only. What follows tells whether the outputs have begun.
        wanted = offset + limit
        log = self._log_of(known, element, wanted + len(BEGIN) + 2)
        text, ends = inline.program_log(log)
        ends = ends or len(log) < wanted
        return LogPart(text[offset:wanted], offset, len(text) if ends else None)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Without a share, from the logs of the pods: where two elements left a file of one name, the last one's."""
        if self.config.claim is not None:
            yield from self._folders.collect(known.name)
            return
        seen: set[str] = set()
        elements: Sequence[int | None] = indices(known.spec.array)[0] if known.spec.array else [None]
        for element in reversed(elements):
            log = self._log_of(known, element, _MOST_LOG_BYTES)
            text, _ = inline.program_log(log)
            if log:
                yield log_name(element), iter([text])
            for path, content in inline.outputs(log, self.config.max_output_bytes):
                if path not in seen:
                    seen.add(path)
                    yield path, iter([content])

    def clean(self, known: Known) -> None:
        self._jobs.delete(known)
        if self.config.claim is not None:
            self._folders.clean(known.name)

    def close(self) -> None:
        self._connection.close()

    def _pods_of(self, task_ids: list[str]) -> dict[str, list[Manifest]]:
        """The pods of some tasks, by the name of their Job."""
        found: dict[str, list[Manifest]] = {}
        for pod in self._connection.pods(of_tasks(self.config.name, task_ids)):
            found.setdefault(_job_of(pod), []).append(pod)
        return found

    def _told(self, known: Known, item: Manifest, pods: list[Manifest]) -> Observation:
        uid = str(item["metadata"]["uid"])
        with self._lock:
            before = self._over.get(uid)
        if before is not None:
            return before
        seen = states.observe(known.name, item, pods, self._clock.now(), stuck_after_s=self.config.stuck_after_s)
        if known.spec.array is not None:
            numbers = indices(known.spec.array)[0]
            seen = replace(seen, elements=tuple(_numbered(seen.elements, numbers)))
        if states.is_over(item):
            with self._lock:
                self._over[uid] = seen
                while len(self._over) > _REMEMBERED:
                    self._over.popitem(last=False)
        return seen

    def _log_of(self, known: Known, element: int | None, limit: int) -> bytes:
        """The beginning of the log of the latest pod; empty where there is none (any more)."""
        pods = self._pods_of([known.task_id]).get(known.name, [])
        if element is not None and known.spec.array is not None:
            numbers = indices(known.spec.array)[0]
            position = str(numbers.index(element)) if element in numbers else ""
            pods = [pod for pod in pods if states.position_of(pod) == position]
        if not pods:
            return self._jobs.last_log(known.name)[:limit]
        latest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        log = bytearray()
        for part in self._connection.log(latest["metadata"]["name"], CONTAINER, limit):
            log += part
            if len(log) > max(limit, _MOST_LOG_BYTES):
                raise ClusterDown(f"{self.config.name} sends more of a log than was asked for")
        return bytes(log)


def _job_of(pod: Manifest) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("batch.kubernetes.io/job-name") or labels.get("job-name") or "")


def _numbered(elements: Sequence[Element], numbers: list[int]) -> Iterator[Element]:
    """Elements by their indices instead of their positions."""
    for one in elements:
        if one.index < len(numbers):
            yield replace(one, index=numbers[one.index])
