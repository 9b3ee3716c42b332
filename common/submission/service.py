"""What routes do with tasks: submit, cancel, retry. A task and the job that works for it are one transaction."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa

from common.clock import Clock, new_id
from common.errors import Conflict
from common.jobs.records import Job
from common.jobs.rows import Also
from common.jobs.service import JobService
from common.jobs.states import Kind
from common.security.ownership import MARKS
from common.storage.blobs import BlobRef, Blobs
from common.submission.names import cluster_name
from common.submission.records import AcceptedTask, Task
from common.submission.rows import next_attempt
from common.submission.spec import TaskSpec
from common.submission.states import TaskState
from common.submission.store import KeyUsed, TaskStore
from common.telemetry import metrics

# Tries of a job that waits for a cluster: with the kernel's back-off some hours. After that the cluster is asked once
# more whether it has the task, and else the task has failed.
_TRIES = {"submit": 60, "cancel": 60, "collect": 40}
_CHANGE_TRIES = 10


# Done to a task within the transaction that changes it, as an audit record is written.
With = Callable[[sa.Connection, Task], object]


class Stale(Exception):
    """Rolls a transaction back: the task was changed by somebody else since it was read."""


class TaskService:
    """Tasks as the rest of the app sees them. Reading goes through `store` too."""

    def __init__(self, store: TaskStore, jobs: JobService, blobs: Blobs, clock: Clock) -> None:
        self.store = store
        self._jobs = jobs
        self._blobs = blobs
        self._clock = clock

    def submit(
        self,
        spec: TaskSpec,
        program: BlobRef,
        inputs: Mapping[str, BlobRef] | None = None,
        *,
        owner: str = "",
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        max_open: int = 0,
        traceparent: str | None = None,
        task_id: str | None = None,
        also: With | None = None,
    ) -> AcceptedTask:
        """Accept a task; once this returns it will not be lost.

        Parameters
        ----------
        spec : as its runner has checked it.
        program : one file, or an archive (`.zip`, `.tar.gz`) of several, on the share.
        inputs : by name, as in `spec.inputs`.
        headers : of the request, with what the owner may do (`ownership.marks`).
        idempotency_key : the same key and the same task within 24 hours are the same task.
        max_open : how many jobs of the owner may wait or run; 0 for any.
        task_id : of `new_id`; by it, too, the same task is accepted once.
        also : done in the transaction that accepts it.

        Raises
        ------
        Invalid
            The key was used for another task.
        BlobsGone, TooManyRequests
        """
        given = dict(inputs or {})
        task = self._first(spec, program, owner, headers or {}, task_id or new_id(self._clock))
        digest = _digest(spec, program, given)
        written: list[Task] = []

        def write(connection: sa.Connection, job: Job) -> None:
            earlier = self.store.find_in(connection, task.id)
            if earlier is not None:
                raise KeyUsed(earlier)
            if idempotency_key is not None:
                self.store.claim_key(connection, owner, idempotency_key, task.id, digest)
            self.store.add(connection, replace(task, job_id=job.id), given, self._blobs)
            written.append(replace(task, job_id=job.id))
            if also is not None:
                also(connection, written[-1])

        try:
            self.send("submit", task, also=write, max_open=max_open, headers=headers, traceparent=traceparent)
        except KeyUsed as used:
            return AcceptedTask(used.task, is_new=False)
        metrics.TASKS_ACCEPTED.labels(spec.cluster).inc()
        return AcceptedTask(written[-1], is_new=True)

    def cancel(self, task_id: str, reason: str = "cancelled on request", also: With | None = None) -> Task:
        """Cancel a task that has not finished: at once where no cluster may have it, else as soon as its cluster does.

        Raises
        ------
        NoTask, Conflict
        """
        for _ in range(_CHANGE_TRIES):
            task = self.store.get(task_id)
            if task.state.is_finished:
                raise Conflict(
                    f"the task is {task.state.value} already; only one that has not finished can be cancelled"
                )
            if task.cancel_asked:
                return task
            values: dict[str, Any] = {"cancel_asked": True, "reason": reason}
            if task.state is TaskState.RECEIVED:
                # No cluster was asked for it yet: whoever is about to finds it cancelled.
                values |= {"state": TaskState.CANCELLED, "finished_at": self._clock.now(), "held": False}
                if (done := self.store.change(task, also=also, **values)) is not None:
                    metrics.TASKS_FINISHED.labels(task.spec.cluster, TaskState.CANCELLED.value).inc()
                    return done
                continue
            try:
                return self._send_with("cancel", task, values, also)
            except Stale:
                continue
        raise Conflict("the task is changing all the time; try again")

    def retry(self, task_id: str, *, max_open: int = 0, also: With | None = None) -> Task:
        """Begin a finished task anew, as its next attempt, with all its automatic retries before it.

        Raises
        ------
        NoTask, TooManyRequests
        Conflict
            It has not finished, or its files are still being brought back.
        """
        for _ in range(_CHANGE_TRIES):
            task = self.store.get(task_id)
            if not task.state.is_finished:
                raise Conflict(f"the task is {task.state.value}; only one that has finished can be begun anew")
            if task.files == "collecting":
                raise Conflict("its files are still being brought back; try again in a moment")
            try:
                return self.begin_anew(task, task.spec.retries, also=also, max_open=max_open)
            except Stale:
                continue
        raise Conflict("the task is changing all the time; try again")

    def begin_anew(
        self, task: Task, retries_left: int, *, also: With | None = None, max_open: int = 0, **ended: Any
    ) -> Task:
        """Start the next attempt of a task.

        Parameters
        ----------
        ended : what is known of the attempt that ended, beyond what the task says.

        Raises
        ------
        Stale
        """
        name = cluster_name(task.spec.name, task.id, task.attempt + 1)
        values = next_attempt(task, name, retries_left, **ended)
        return self._send_with("submit", task, values, also, attempt=task.attempt + 1, max_open=max_open)

    def hand_over(self, task: Task) -> Task:
        """Have a task submitted that no job works for: one that was held, or whose job is gone.

        Raises
        ------
        Stale
        """
        return self._send_with("submit", task, {"held": False})

    def collect(self, task: Task) -> Task:
        """Have the files of a finished task brought back.

        Raises
        ------
        Stale
        """
        return self._send_with("collect", task, {})

    def collect_earlier(self, task: Task) -> None:
        """Have the files of an attempt brought back that another one follows. Harmless if asked for twice."""
        self.send("collect", task, idempotency_key=f"collect {task.id} {task.attempt}")

    def send(
        self,
        what: str,
        task: Task,
        *,
        attempt: int | None = None,
        also: Also | None = None,
        max_open: int = 0,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
    ) -> Job:
        """A job that does something for a task: `submit`, `cancel` or `collect`."""
        accepted = self._jobs.submit(
            Kind.SUBMISSION,
            f"/tasks/{task.id}/{what}?attempt={attempt or task.attempt}",
            owner=task.owner,
            headers=headers if headers is not None else task.marks,
            idempotency_key=idempotency_key,
            traceparent=traceparent,
            max_attempts=_TRIES[what],
            max_open=max_open,
            also=also,
        )
        return accepted.job

    def _send_with(
        self,
        what: str,
        task: Task,
        values: Mapping[str, Any],
        also: With | None = None,
        *,
        attempt: int | None = None,
        max_open: int = 0,
    ) -> Task:
        changed: list[Task] = []

        def write(connection: sa.Connection, job: Job) -> None:
            # The job that cancels is beside the one that hands over.
            mine = {} if what == "cancel" else {"job_id": job.id}
            done = self.store.change_in(connection, task, **{**values, **mine})
            if done is None:
                raise Stale
            changed.append(done)
            if also is not None:
                also(connection, done)

        self.send(what, task, attempt=attempt, also=write, max_open=max_open)
        return changed[-1]

    def _first(self, spec: TaskSpec, program: BlobRef, owner: str, headers: Mapping[str, str], task_id: str) -> Task:
        now = self._clock.now()
        return Task(
            id=task_id,
            owner=owner,
            spec=spec,
            program=program,
            state=TaskState.RECEIVED,
            attempt=1,
            name=cluster_name(spec.name, task_id, 1),
            job_id=None,
            cluster_job_id=None,
            reason=None,
            exit_code=None,
            signal=None,
            nodes=(),
            created_at=now,
            submitted_at=None,
            started_at=None,
            finished_at=None,
            cpu_time_s=None,
            peak_memory_bytes=None,
            restarts=0,
            elements=(),
            cancel_asked=False,
            files="none",
            run_id=None,
            metrics={},
            updated_at=now,
            retries_left=spec.retries,
            marks={name.lower(): value for name, value in headers.items() if name.lower() in MARKS},
        )


def _digest(spec: TaskSpec, program: BlobRef, inputs: Mapping[str, BlobRef]) -> str:
    """What makes two requests the same."""
    parts = [spec.to_row(), program.sha256, {name: ref.sha256 for name, ref in inputs.items()}]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
