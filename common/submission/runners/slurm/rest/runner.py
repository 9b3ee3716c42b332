"""The runner for a Slurm cluster behind slurmrestd, with task folders on a file system that both mount."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx

from common.clock import Clock, SystemClock, id_time
from common.errors import AtollError, Invalid
from common.submission.arrays import indices
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.names import task_of
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Submission
from common.submission.runners.base import Runner
from common.submission.runners.slurm.batch import batch_options, batch_script
from common.submission.runners.slurm.checks import check_spec
from common.submission.runners.slurm.containers import image_names
from common.submission.runners.slurm.rest import shapes
from common.submission.runners.slurm.rest.client import NoSuchJob, RestClient
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.facts import Facts
from common.submission.runners.slurm.rest.folders import TaskFolders
from common.submission.runners.slurm.rest.properties import job_body
from common.submission.runners.slurm.rows import JobRow, observations
from common.submission.runners.slurm.states import read
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

_Wanted = Mapping[str, tuple[str, str | None]]

# How many jobs one question to slurmdbd names: they stand in its address.
_ASKED_AT_ONCE = 500
_NAMES_AT_ONCE = 20
# A cluster's clock may differ, and a day more costs nothing.
_BEFORE = timedelta(days=1)
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
        self._facts = Facts(self.info, self._clock)

    def info(self) -> ClusterInfo:
        found = self._ask_info()
        self._facts.note(found)
        return found

    def _ask_info(self) -> ClusterInfo:
        try:
            answer = self._client.slurm("GET", "ping")
            nodes = self._client.slurm("GET", "nodes")
            partitions = shapes.partitions(self._client.slurm("GET", "partitions"), nodes)
            pending, running = shapes.queue(self._client.slurm("GET", "diag"))
        except (AtollError, NoSuchJob) as exc:
            return ClusterInfo("down", detail=str(exc))
        detail = [f"no answer from {name}" for name, answers in shapes.controllers(answer) if not answers]
        detail += [f"{one.name} is {one.state}" for one in partitions if one.state != "up"]
        used, all_cpus = shapes.cpus(nodes)
        return ClusterInfo(
            state="degraded" if detail or not partitions else "up",
            detail="; ".join(detail),
            version=shapes.release(answer),
            partitions=partitions,
            pending=pending,
            running=running,
            load=used / all_cpus if all_cpus else None,
        )

    def check(self, spec: TaskSpec) -> None:
        told, is_fresh = self._facts.known()
        try:
            check_spec(spec, self.config, told, self._images())
        except Invalid:
            # What is refused may have come to be since then.
            info = None if is_fresh or told is None else self.info()
            if info is None or info.state == "down":
                raise
            check_spec(spec, self.config, info.partitions, self._images())

    def preview(self, task: Submission) -> str:
        folder = self.config.seen_by_cluster(task.name)
        options, exec_, run = batch_script(task, self.config, folder).rpartition("exec sh ")
        # A login would have set it, and many programs look for it.
        return f"{options}{_HOME}{exec_}{run}"

    def find(self, task: Submission) -> str | None:
        noted = self._folders.submitted_as(task.name)
        if noted is not None:
            return noted
        wanted = {task.name: (self.config.user_of(task.owner), task.spec.array)}
        rows = shapes.job_rows(self._client.slurm("GET", "jobs"), wanted)
        # Its folder is written before it is submitted.
        if not rows and self.config.accounting and self._folders.is_there(task.name):
            rows = self._accounted({"job_name": task.name}, wanted)
        return min((row.job_id for row in rows), key=int, default=None)

    def submit(self, task: Submission, package: Package) -> str:
        user = self.config.user_of(task.owner)
        options = batch_options(task, self.config, self.config.seen_by_cluster(task.name))
        body = job_body(self.preview(task), options, {"PATH": self.config.path}, self._client.version)
        with self._folders.placed(task.name, package, user, self.config.timeout_s) as is_new:
            found = None if is_new else self.find(task)
            if found is None:
                found = self._post(body, user)
                self._folders.note_job(task.name, found)
        return found

    def _post(self, body: Mapping[str, Any], user: str) -> str:
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
        if not known:
            return []
        wanted = {one.name: (self.config.user_of(one.owner), one.spec.array) for one in known}
        queued = shapes.job_rows(self._client.slurm("GET", "jobs"), wanted)
        accounted = self._figures(queued, known, wanted) if self.config.accounting else []
        return self._without_idle_twins(observations(queued, accounted, wanted))

    def cancel(self, known: Known) -> None:
        number = _number(known)
        if number is None:
            return
        # A second DELETE of a job that is ending is an error to some versions: it has what it wants.
        with suppress(NoSuchJob):
            user = self.config.user_of(known.owner)
            self._client.slurm("DELETE", f"job/{number}", user=user)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        log = "task.log" if element is None else f"task-{int(element)}.log"
        return self._folders.read_log(known.name, log, offset, limit)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        return self._folders.collect(known.name)

    def clean(self, known: Known) -> None:
        self._folders.clean(known.name)

    def close(self) -> None:
        self._client.close()

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
        seen = {(row.job_id, row.index) for row in queued}
        names = _names(queued)
        ended = [row for row in queued if _has_ended(row)]
        # A job that has left the program to another one says nothing of how that went.
        figures = {row.job_id for row in ended} | {self._folders.claimed_by(name) or "" for name in _names(ended)}
        # Elements of an array are forgotten one by one.
        gone = {
            number for one in known if (number := _number(one)) and not seen.issuperset(_parts(number, one.spec.array))
        }
        nameless = [one.name for one in known if _number(one) is None and one.name not in names]
        rows: list[JobRow] = []
        try:
            for ids in _several(sorted((gone | figures) - {""}), _ASKED_AT_ONCE):
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
        made = [id_time(found[0]) for name in wanted if (found := task_of(name))]
        since = int((min(made, default=self._clock.now()) - _BEFORE).timestamp())
        asked = {**query, "start_time": f"uts{since}"}
        return shapes.accounted_rows(self._client.accounting("jobs", asked), wanted)


def _number(known: Known) -> str | None:
    """What Slurm calls it; None where that is not known."""
    number = known.cluster_job_id
    return number if number is not None and number.isascii() and number.isdigit() else None


def _has_ended(row: JobRow) -> bool:
    found = read(row.state, row.reason, row.ending)
    return found is not None and found.state.is_finished


def _names(rows: Iterable[JobRow]) -> set[str]:
    return {row.name for row in rows}


def _parts(job_id: str, array: str | None) -> set[tuple[str, int | None]]:
    return {(job_id, index) for index in (indices(array)[0] if array else (None,))}


def _several(all_of_them: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    return (all_of_them[start : start + at_once] for start in range(0, len(all_of_them), at_once))
