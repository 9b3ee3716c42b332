"""The runner for a Slurm cluster behind slurmrestd, with task folders on a file system that both mount."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import httpx

from common.clock import Clock, SystemClock
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Partition, Submission
from common.submission.runners.base import Runner
from common.submission.runners.slurm.batch import batch_options, batch_script
from common.submission.runners.slurm.checks import check_spec
from common.submission.runners.slurm.containers import image_names
from common.submission.runners.slurm.rest import shapes
from common.submission.runners.slurm.rest.client import NoSuchJob, RestClient
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.folders import TaskFolders
from common.submission.runners.slurm.rest.properties import job_body
from common.submission.runners.slurm.rows import JobRow, observations
from common.submission.runners.slurm.states import read
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

_Wanted = Mapping[str, tuple[str, str | None]]

# How many jobs one question to slurmdbd names: they stand in its address.
_ASKED_AT_ONCE = 200
_NAMES_AT_ONCE = 20
_PARTITIONS_KEPT_S = 60.0
# For how long back the accounting is searched for a name.
_LOOK_BACK = timedelta(days=60)
_HOME = 'export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"\n'


class SlurmRestRunner(Runner):
    """Slurm by slurmrestd.

    Slurm takes equal names, and REST cannot look and submit in one step: so a submission is looked for first, and of
    two that were made nevertheless, the one that claims the task's folder runs the program.

    Parameters
    ----------
    transport : for tests, what carries the requests.
    """

    kind: ClassVar[str] = "slurm-rest"
    takes_dependencies: ClassVar[bool] = True
    takes_arrays: ClassVar[bool] = True
    config: SlurmRestConfig

    def __init__(
        self, config: SlurmRestConfig, *, clock: Clock | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        super().__init__(config)
        self._clock = clock or SystemClock()
        self._client = RestClient(config, clock=clock, transport=transport)
        self._folders = TaskFolders(config)
        self._partitions: tuple[float, list[Partition]] | None = None

    def info(self) -> ClusterInfo:
        try:
            answer = self._client.slurm("GET", "ping")
            pings = shapes.controllers(answer)
            nodes = self._client.slurm("GET", "nodes")
            partitions = shapes.partitions(self._client.slurm("GET", "partitions"), nodes)
            pending, running = shapes.queue(self._client.slurm("GET", "diag"))
        except (ClusterDown, ClusterRefused, NoSuchJob) as exc:
            return ClusterInfo("down", detail=str(exc))
        self._partitions = self._clock.monotonic_s(), partitions
        silent = [name for name, answers in pings if not answers]
        used, all_cpus = shapes.cpus(nodes)
        return ClusterInfo(
            state="degraded" if silent or not any(one.state == "up" for one in partitions) else "up",
            detail=f"no answer from {', '.join(silent)}" if silent else "",
            version=shapes.release(answer),
            partitions=partitions,
            pending=pending,
            running=running,
            load=used / all_cpus if all_cpus else None,
        )

    def check(self, spec: TaskSpec) -> None:
        check_spec(spec, self.config, self._told(), self._images())

    def preview(self, task: Submission) -> str:
        folder = self.config.seen_by_cluster(task.name)
        options, exec_, run = batch_script(task, self.config, folder).rpartition("exec sh ")
        # A login would have set it, and many programs look for it.
        return f"{options}{_HOME}{exec_}{run}"

    def find(self, task: Submission) -> str | None:
        # Its folder is written before it is submitted.
        if not self._folders.is_there(task.name):
            return None
        claimed = self._folders.claimed_by(task.name)
        if claimed is not None:
            return claimed
        wanted = {task.name: (self.config.user_of(task.owner), task.spec.array)}
        rows = shapes.job_rows(self._client.slurm("GET", "jobs"), wanted)
        if not rows and self.config.accounting:
            rows = self._accounted({"job_name": task.name}, wanted)
        return min((row.job_id for row in rows), key=int, default=None)

    def submit(self, task: Submission, package: Package) -> str:
        found = self.find(task)
        if found is not None:
            return found
        user = self.config.user_of(task.owner)
        self._folders.place(task.name, package, user)
        options = batch_options(task, self.config, self.config.seen_by_cluster(task.name))
        body = job_body(self.preview(task), options, {"PATH": self.config.path}, self._client.version)
        try:
            answer = self._client.slurm("POST", "job/submit", user=user, body=body)
        except NoSuchJob as exc:
            # A job that it depends on is not known any more.
            raise ClusterRefused(f"{self.config.name} says: {exc}") from None
        job_id = shapes.job_id(answer)
        if job_id is None:
            raise ClusterDown(f"slurmrestd of {self.config.name} took the job and tells no number")
        return job_id

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        wanted = {one.name: (self.config.user_of(one.owner), one.spec.array) for one in known}
        queued = shapes.job_rows(self._client.slurm("GET", "jobs"), wanted)
        accounted = self._figures(queued, known, wanted) if self.config.accounting else []
        return self._without_idle_twins(observations(queued, accounted, wanted))

    def cancel(self, known: Known) -> None:
        if known.cluster_job_id is None:
            return
        # A second DELETE of a job that is ending is an error to some versions: it has what it wants.
        with suppress(NoSuchJob):
            user = self.config.user_of(known.owner)
            self._client.slurm("DELETE", f"job/{int(known.cluster_job_id)}", user=user)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        log = "task.log" if element is None else f"task-{int(element)}.log"
        return self._folders.read_log(known.name, log, offset, limit)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        return self._folders.collect(known.name)

    def clean(self, known: Known) -> None:
        self._folders.clean(known.name)

    def close(self) -> None:
        self._client.close()

    def _told(self) -> list[Partition] | None:
        """The partitions, if the cluster told of them not long ago."""
        kept = self._partitions
        return kept[1] if kept and self._clock.monotonic_s() - kept[0] < _PARTITIONS_KEPT_S else None

    def _images(self) -> tuple[str, ...] | None:
        """What lies in the folder of images, if this machine sees it."""
        if self.config.images is None:
            return None
        try:
            there = [f"{path.name}/" if path.is_dir() else path.name for path in Path(self.config.images).iterdir()]
        except OSError:
            return None
        return image_names(there, self.config.containers)

    def _figures(self, queued: Sequence[JobRow], known: Sequence[Known], wanted: _Wanted) -> list[JobRow]:
        """What the accounting has of those that the controller has forgotten, and of those that have ended.

        Raises
        ------
        ClusterDown
            It does not answer, and some are known to nobody else.
        """
        there = {row.job_id for row in queued}
        names = {row.name for row in queued}
        # A job that has left the program to another one says nothing of how that went.
        ended = {row.job_id for row in queued if _has_ended(row)}
        claims = {self._folders.claimed_by(row.name) for row in queued if _has_ended(row)} - {None}
        gone = {one.cluster_job_id for one in known if one.cluster_job_id} - there
        nameless = [one.name for one in known if not one.cluster_job_id and one.name not in names]
        rows: list[JobRow] = []
        try:
            for ids in _several(sorted(filter(None, gone | claims | ended)), _ASKED_AT_ONCE):
                rows += self._accounted({"step": ",".join(ids)}, wanted)
            for some in _several([name for name in nameless if self._folders.is_there(name)], _NAMES_AT_ONCE):
                rows += self._accounted({"job_name": ",".join(some)}, wanted)
        except (ClusterDown, ClusterRefused, NoSuchJob):
            # What is told of the others does not depend on it.
            if gone:
                raise
        return rows

    def _without_idle_twins(self, seen: list[Observation]) -> list[Observation]:
        """All but those that found the program claimed by another and left, or are about to: their end is none of it.

        A twin that waits is told, so that it can be cancelled.
        """
        counts = Counter(one.name for one in seen)
        asked = {one.name for one in seen if counts[one.name] > 1 or one.state.is_finished}
        owners = {name: self._folders.claimed_by(name) for name in asked}
        return [
            one for one in seen if one.state is TaskState.PENDING or owners.get(one.name) in (None, one.cluster_job_id)
        ]

    def _accounted(self, query: Mapping[str, str], wanted: _Wanted) -> list[JobRow]:
        since = int((self._clock.now() - _LOOK_BACK).timestamp())
        asked = {**query, "start_time": f"uts{since}"}
        return shapes.accounted_rows(self._client.accounting("jobs", asked), wanted)


def _has_ended(row: JobRow) -> bool:
    found = read(row.state, row.reason, row.ending)
    return found is not None and found.state.is_finished


def _several(all_of_them: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    return (all_of_them[start : start + at_once] for start in range(0, len(all_of_them), at_once))
