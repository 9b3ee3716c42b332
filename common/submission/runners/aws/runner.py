"""AWS Batch behind the runners' base.

AWS Batch takes a job of an equal name a second time, so a submission is looked for before it is made, and the
container that comes second finds the task claimed in the bucket and ends at once.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from common.submission.errors import ClusterDown
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Partition, Submission
from common.submission.runners.aws import jobs, states
from common.submission.runners.aws.bucket import Bucket, chunks
from common.submission.runners.aws.cloudwatch import LiveLogs
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.aws.connection import Connection
from common.submission.runners.aws.failures import reporting
from common.submission.runners.base import Runner
from common.submission.runners.objects.archive import Damaged, unpack
from common.submission.runners.objects.manifest import PLACES
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

T = TypeVar("T")

# As many as DescribeJobs takes.
_DESCRIBED = 100
_QUEUES_KEPT_S = 300.0
_COUNTED_PAGES = 10


class AwsBatchRunner(Runner):
    """One account's AWS Batch in one region.

    A round of `observe` is one DescribeJobs for each 100 tasks, as many as that takes; arrays that have begun need one
    more for each 100 elements, and a task that has just finished a look into the bucket.
    """

    kind = "aws-batch"
    takes_dependencies = True
    takes_arrays = True

    def __init__(self, config: AwsBatchConfig) -> None:
        super().__init__(config)
        self._settings = config
        self._connection = Connection(config)
        self._bucket = Bucket(config, self._connection)
        self._logs = LiveLogs(self._connection, config.log_group)
        self._lock = threading.Lock()
        self._definitions: dict[str, str] = {}
        self._queues: tuple[float, tuple[str, ...]] = (0.0, ())

    def info(self) -> ClusterInfo:
        try:
            self._bucket.check()
            queues = self._described_queues()
            partitions = [self._partition(queue) for queue in queues]
            names = [partition.name for partition in partitions]
            pending = sum(self._count(name, status) for name in names for status in ("RUNNABLE", "SUBMITTED"))
            running = sum(self._count(name, "RUNNING") for name in names)
        except ClusterDown as exc:
            return ClusterInfo("down", exc.detail)
        missing = sorted(set(self._settings.partitions) - set(names))
        if missing or not partitions:
            return ClusterInfo(
                "degraded", f"there is no job queue {', '.join(missing)}".rstrip(), partitions=partitions
            )
        bad = [partition.name for partition in partitions if partition.state != "up"]
        state = "degraded" if bad else "up"
        detail = f"job queues that take nothing: {', '.join(bad)}" if bad else ""
        return ClusterInfo(state, detail, "AWS Batch", partitions, pending, running)

    def check(self, spec: TaskSpec) -> None:
        jobs.check(spec, self._settings, self._settings.partitions or self._known_queues())

    def preview(self, task: Submission) -> str:
        definition = jobs.definition(task.spec, self._settings)
        name = self._settings.job_definition or definition["jobDefinitionName"]
        shown: dict[str, Any] = {"SubmitJob": jobs.submission(task, self._settings, name, "<signed address>")}
        if not self._settings.job_definition:
            shown = {"RegisterJobDefinition": definition} | shown
        return json.dumps(shown, indent=2, ensure_ascii=False)

    def find(self, task: Submission) -> str | None:
        found = self._named(jobs.queue_of(task.spec, self._settings), task.name, asks=True)
        return str(min(found, key=lambda job: job["createdAt"])["jobId"]) if found else None

    def submit(self, task: Submission, package: Package) -> str:
        if (found := self.find(task)) is not None:
            return found
        limit_s = jobs.time_limit_s(task.spec, self._settings)
        url = self._bucket.place(task.name, jobs.elements(task.spec), package, limit_s)
        definition = self._definition(task.spec)
        with reporting("SubmitJob", asks=True):
            answer = self._connection.batch.submit_job(**jobs.submission(task, self._settings, definition, url))
        return str(answer["jobId"])

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        by_id = {task.cluster_job_id: task for task in known if task.cluster_job_id is not None}
        described = self._described(list(by_id))
        # Those whose submission was cut short have no id yet.
        for task in known:
            if task.cluster_job_id is None:
                described += self._of_name(task)
        specs = {task.name: task.spec for task in known}
        seen = [self._observation(job, specs[job["jobName"]]) for job in described if job["jobName"] in specs]
        return seen + self._claimed_by_others(known, seen)

    def cancel(self, known: Known) -> None:
        for job_id in self._ids(known):
            with reporting("TerminateJob"):
                self._connection.batch.terminate_job(jobId=job_id, reason=jobs.CANCELLED_REASON)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        kept = self._bucket.read(known.name, PLACES.log(element), offset, limit)
        if kept is not None:
            return kept
        stream = self._stream(known, element) if self._settings.live_logs == "cloudwatch" else None
        return self._logs.read(stream, offset, limit) if stream else LogPart(b"", offset)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        numbers = jobs.elements(known.spec)
        for index in numbers if numbers is not None else [None]:
            log = PLACES.log(index)
            body = self._bucket.open(known.name, log)
            if body is not None:
                with body:
                    yield log, chunks(body)
            else:
                yield from self._live_log(known, index)
        # Elements that wrote the same file are as on a disk of their own: the last one's is kept.
        for index in numbers if numbers is not None else [None]:
            body = self._bucket.open(known.name, PLACES.output(index))
            if body is not None:
                with body, reporting("reading from the bucket"):
                    try:
                        yield from unpack(body, "output")
                    except Damaged:
                        # Cut short while it was put there; the log is all there is.
                        continue

    def clean(self, known: Known) -> None:
        self._bucket.remove(known.name)

    def close(self) -> None:
        self._connection.close()

    def _live_log(self, known: Known, index: int | None) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The log of a container that was killed before it could put it into the bucket."""
        stream = self._stream(known, index) if self._settings.live_logs == "cloudwatch" else None
        if stream is None:
            return

        def parts() -> Iterator[bytes]:
            offset = 0
            while part := self._logs.read(stream, offset, 1 << 20).content:
                offset += len(part)
                yield part

        yield PLACES.log(index), parts()

    def _stream(self, known: Known, element: int | None) -> str | None:
        job_id = next(iter(self._ids(known)), None)
        if job_id is None:
            return None
        numbers = jobs.elements(known.spec)
        if numbers is not None and len(numbers) > 1:
            if element not in numbers:
                return None
            job_id = f"{job_id}:{numbers.index(element)}"
        for job in self._described([job_id]):
            attempts = job.get("attempts") or [{}]
            named = job.get("container", {}).get("logStreamName") or attempts[-1].get("container", {}).get(
                "logStreamName"
            )
            return str(named) if named else None
        return None

    def _observation(self, job: dict[str, Any], spec: TaskSpec) -> Observation:
        size = int(job.get("arrayProperties", {}).get("size") or 0)
        if size:
            children = [f"{job['jobId']}:{number}" for number in range(size)]
            seen = self._described(children) if states.array_has_begun(job) else []
            return states.observe_array(job, seen, jobs.elements(spec) or [])
        one = states.observe(job)
        if not one.state.is_finished:
            return one
        numbers = jobs.elements(spec)
        end = self._bucket.end(one.name, numbers[0] if numbers else None)
        one = states.with_end(one, end) if end else one
        return states.as_only_element(one, numbers[0]) if numbers else one

    def _claimed_by_others(self, known: Sequence[Known], seen: Sequence[Observation]) -> list[Observation]:
        """Jobs of the same name as one that ended well and yet did nothing: it found its task claimed by them."""
        more = []
        for one in seen:
            if one.state is not TaskState.SUCCEEDED:
                continue
            owner = self._bucket.read(one.name, PLACES.claim, 0, 200)
            if owner is None or owner.content.decode("utf-8", "replace") == one.cluster_job_id:
                continue
            task = next(task for task in known if task.name == one.name)
            ids = {other.cluster_job_id for other in seen if other.name == one.name}
            more += [self._observation(job, task.spec) for job in self._of_name(task) if str(job["jobId"]) not in ids]
        return more

    def _of_name(self, task: Known) -> list[dict[str, Any]]:
        found = self._named(jobs.queue_of(task.spec, self._settings), task.name)
        return self._described([str(job["jobId"]) for job in found])

    def _ids(self, known: Known) -> list[str]:
        if known.cluster_job_id is not None:
            return [known.cluster_job_id]
        return [str(job["jobId"]) for job in self._named(jobs.queue_of(known.spec, self._settings), known.name)]

    def _described(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for batch in _batches(ids, _DESCRIBED):
            with reporting("DescribeJobs"):
                found += self._connection.batch.describe_jobs(jobs=list(batch))["jobs"]
        return found

    def _named(self, queue: str, name: str, *, asks: bool = False) -> list[dict[str, Any]]:
        """Jobs of a name, finished ones included, without the elements of arrays."""
        asked: dict[str, Any] = {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [name]}]}
        found: list[dict[str, Any]] = []
        while True:
            with reporting("ListJobs", asks=asks):
                answer = self._connection.batch.list_jobs(**asked)
            # The filter takes capital letters for small ones.
            found += [
                job for job in answer["jobSummaryList"] if job["jobName"] == name and ":" not in str(job["jobId"])
            ]
            if not answer.get("nextToken"):
                return found
            asked["nextToken"] = answer["nextToken"]

    def _definition(self, spec: TaskSpec) -> str:
        """The job definition for a task's image, registered if there is none."""
        if self._settings.job_definition:
            return self._settings.job_definition
        wanted = jobs.definition(spec, self._settings)
        name = str(wanted["jobDefinitionName"])
        with self._lock:
            if name in self._definitions:
                return self._definitions[name]
        with reporting("RegisterJobDefinition", asks=True):
            batch = self._connection.batch
            found = batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
            active = [one for one in found if one.get("status") == "ACTIVE"]
            made = max(active, key=lambda one: one["revision"]) if active else batch.register_job_definition(**wanted)
        with self._lock:
            return self._definitions.setdefault(name, f"{name}:{made['revision']}")

    def _described_queues(self) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"jobQueues": list(self._settings.partitions)} if self._settings.partitions else {}
        found: list[dict[str, Any]] = []
        while True:
            with reporting("DescribeJobQueues"):
                answer = self._connection.batch.describe_job_queues(**asked)
            found += answer["jobQueues"]
            if not answer.get("nextToken"):
                break
            asked["nextToken"] = answer["nextToken"]
        with self._lock:
            self._queues = (time.monotonic(), tuple(sorted(str(queue["jobQueueName"]) for queue in found)))
        return found

    def _known_queues(self) -> tuple[str, ...]:
        with self._lock:
            asked_at, names = self._queues
        return names if names and time.monotonic() - asked_at < _QUEUES_KEPT_S else ()

    def _partition(self, queue: dict[str, Any]) -> Partition:
        name = str(queue["jobQueueName"])
        takes = queue.get("state") == "ENABLED" and queue.get("status", "VALID") in ("VALID", "UPDATING")
        return Partition(name, "up" if takes else "down", name == self._settings.default_partition)

    def _count(self, queue: str, status: str) -> int:
        """How many jobs, up to a thousand."""
        asked: dict[str, Any] = {"jobQueue": queue, "jobStatus": status}
        count = 0
        for _ in range(_COUNTED_PAGES):
            with reporting("ListJobs"):
                answer = self._connection.batch.list_jobs(**asked)
            count += len(answer["jobSummaryList"])
            if not answer.get("nextToken"):
                break
            asked["nextToken"] = answer["nextToken"]
        return count


def _batches(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
