"""Trainings on clusters, looked after by the worker that took the job: the task that trains, and what becomes of it.

The task has the id of the job, so that a worker that takes the job over, or takes it again, goes on with the same task.
It ends as a training of the worker's own would: by `TrainContext.publish`, in the transaction that ends the job.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from common.errors import AtollError, Conflict
from common.jobs.context import JobContext
from common.jobs.errors import JobCancelled, JobRefused
from common.jobs.records import Job
from common.jobs.store import JobStore
from common.jobs.train_context import TrainContext
from common.plugins.fingerprint import code_version
from common.plugins.record import PluginRecord
from common.settings import Settings
from common.storage.blobs import BlobRef, Blobs
from common.storage.share import FileMissing
from common.submission.catalogue import Catalogue
from common.submission.collect import folder_of
from common.submission.errors import NoTask
from common.submission.records import Task
from common.submission.service import TaskService
from common.submission.states import TaskState
from common.submission.training.spec import PROGRAM, training_spec
from common.submission.training.wire import (
    ACCOUNT,
    ARTEFACTS,
    JOURNAL,
    ORDER,
    REQUEST,
    Account,
    Gone,
    Lines,
    Order,
    Progressed,
    Said,
    Told,
)

_LOOK_S = 0.5
_LOOK_LATE_S = 3.0
# Looks at the log cost a call to the cluster.
_LOG_S = 2.0
_LOG_BYTES = 256 << 10
_SHOWN_LINES = 15
_SHOWN_CHARS = 2000
# The same program with the same data may do better elsewhere, or later.
_WORTH_ANOTHER = frozenset({TaskState.OUT_OF_MEMORY, TaskState.NODE_FAILED, TaskState.LOST})


class TaskUnsuccessful(Exception):
    """The training's task came to nothing, and another try may do better."""


class ClusterTrainings:
    """Has trainings run on clusters.

    Parameters
    ----------
    jobs : tells whether a job that is to stop was cancelled.
    """

    def __init__(
        self,
        tasks: TaskService,
        clusters: Catalogue,
        jobs: JobStore,
        blobs: Blobs,
        settings: Settings,
        look_s: float = _LOOK_S,
    ) -> None:
        self._tasks = tasks
        self._clusters = clusters
        self._jobs = jobs
        self._blobs = blobs
        self._settings = settings
        self._look_s = look_s

    def run(self, job: Job, context: JobContext, record: PluginRecord, cluster: str) -> "Collected":
        """Train, and give what the training left.

        Raises
        ------
        JobRefused
            The plugin refused, or the program failed; the end of its log says why.
        TaskUnsuccessful
            It was lost, or killed for lack of memory, or its node failed.
        JobCancelled
        """
        task = self._begin(job, context, record, cluster)
        task = self._follow(task, context)
        if task.state is TaskState.SUCCEEDED:
            return Collected(self._blobs, task)
        raise self._error(task)

    def _begin(self, job: Job, context: JobContext, record: PluginRecord, cluster: str) -> Task:
        """The task, made or found; begun anew if it came to nothing."""
        try:
            task = self._tasks.store.get(job.id)
        except NoTask:
            return self._submit(job, context, record, cluster)
        while task.state.is_finished and task.state is not TaskState.SUCCEEDED:
            with suppress(Conflict):
                # A job that runs again is a person's wish, or the kernel's.
                return self._tasks.retry(task.id)
            self._pause(context, task, self._look_s)
            task = self._tasks.store.get(task.id)
        return task

    def _submit(self, job: Job, context: JobContext, record: PluginRecord, cluster: str) -> Task:
        config = self._clusters.config(cluster)
        order = Order(record.name, job.id, code_version(record.module))
        inputs = {name: self._blobs.put(content) for name, content in self._inputs(order, context).items()}
        spec = training_spec(record.name, config, self._settings, urlsplit(job.path).query)
        self._clusters.get(cluster).check(spec)
        accepted = self._tasks.submit(
            spec,
            self._blobs.put(PROGRAM),
            inputs,
            owner=job.owner,
            headers=job.headers,
            task_id=job.id,
            traceparent=job.traceparent,
        )
        context.log(f"trains on {cluster} as task {accepted.task.id}")
        return accepted.task

    @staticmethod
    def _inputs(order: Order, context: JobContext) -> Mapping[str, bytes]:
        return {ORDER: order.to_json(), REQUEST: context.body or b"{}"}

    def _follow(self, task: Task, context: JobContext) -> Task:
        """Return when the task has finished and its files are here."""
        relay = _Relay(context, task.attempt)
        quiet, log_in_s = 0, 0.0
        state: TaskState | None = None
        while True:
            if task.state is not state:
                state = task.state
                context.progress(message=_told(task))
            if task.state.is_finished and task.files != "collecting":
                relay.feed(self._log(task, relay.offset))
                relay.end()
                return task
            if task.state is TaskState.RUNNING and log_in_s <= 0:
                log_in_s = _LOG_S
                with suppress(AtollError):
                    # What is missed now comes later.
                    self._read_log(task, relay)
            pause_s = min(self._look_s * 1.2**quiet, _LOOK_LATE_S)
            self._pause(context, task, pause_s)
            log_in_s -= pause_s
            now = self._tasks.store.get(task.id)
            quiet = quiet + 1 if now.version == task.version else 0
            task = now

    def _pause(self, context: JobContext, task: Task, pause_s: float) -> None:
        """Wait a little. If the job is to end, the task is too; if only its worker has to leave, it goes on."""
        if not context.wait_cancelled(pause_s):
            return
        if context.remaining_s <= 0 or self._jobs.is_cancelling(context.job.id, context.job.epoch):
            with suppress(Conflict):
                self._tasks.cancel(task.id, "its training was cancelled")
        raise JobCancelled

    def _read_log(self, task: Task, relay: "_Relay") -> None:
        runner = self._clusters.get(task.spec.cluster)
        while part := runner.read_log(task.known, relay.offset, _LOG_BYTES).content:
            relay.feed(part)

    def _log(self, task: Task, offset: int) -> bytes:
        """The log from `offset` on, as it was brought back, at most its last part."""
        found = bytearray()
        with suppress(FileMissing):
            for part in self._blobs.share.read(f"{folder_of(task.id, task.attempt)}/task.log"):
                found += part[offset:]
                offset = max(0, offset - len(part))
                del found[:-_LOG_BYTES]
        return bytes(found)

    def _error(self, task: Task) -> Exception:
        """Why a task came to nothing: what the plugin said, else the end of the log."""
        lines = Lines()
        told = [*lines.feed(self._log(task, 0)), *lines.end()]
        gone = next((one for one in told if isinstance(one, Gone)), None)
        if gone is not None and gone.refused and task.state is TaskState.FAILED:
            return JobRefused(gone.text)
        text = f"its task is {_told(task)}; "
        if gone is not None:
            text += gone.text
        elif said := [one.text for one in told if isinstance(one, Said)]:
            text += "the end of its log: " + "\n".join(said[-_SHOWN_LINES:])[-_SHOWN_CHARS:]
        else:
            text += "it wrote no log"
        return TaskUnsuccessful(text) if task.state in _WORTH_ANOTHER else JobRefused(text)


class Collected:
    """What a training on a cluster left, on the share."""

    def __init__(self, blobs: Blobs, task: Task) -> None:
        self._blobs = blobs
        self._folder = f"{folder_of(task.id, task.attempt)}/output"
        try:
            self.account = Account.read(self._read(ACCOUNT))
        except (FileMissing, ValueError) as exc:
            raise JobRefused(f"the task {task.id} ended well, but left no account of a training: {exc}") from None

    def trials(self) -> list[dict[str, Any]]:
        """The entries of its study's journal; none if it searched nothing."""
        try:
            return [orjson.loads(line) for line in self._read(JOURNAL).split(b"\n")[:-1]]
        except FileMissing:
            return []

    def publish(self, training: TrainContext) -> None:
        """Hand it to a context of this side, as the plugin did with its own there.

        Raises
        ------
        JobRefused
            An artefact is not what the training wrote.
        """
        published = self.account.published
        if published is None:
            return
        artefacts: dict[str, bytes | Path] = {}
        for made in self.account.artefacts:
            path = f"{self._folder}/{ARTEFACTS}/{made.name}"
            ref = BlobRef(made.sha256, made.size_bytes)
            if self._blobs.put(self._parts(path)) != ref:
                raise JobRefused(f"the artefact {made.name} is not the one that was trained; train again")
            # It is there: putting it again writes nothing.
            artefacts[made.name] = self._blobs.path(ref)
        training.publish(artefacts, **published)

    def _parts(self, path: str) -> Iterator[bytes]:
        return self._blobs.share.read(path)

    def _read(self, name: str) -> bytes:
        return b"".join(self._blobs.share.read(f"{self._folder}/{name}"))


class _Relay:
    """Passes on what a training tells. Where another worker takes the job over, it goes on where this one was.

    Parameters
    ----------
    attempt : of the task; each has a log of its own.
    """

    def __init__(self, context: JobContext, attempt: int) -> None:
        self._context = context
        self._attempt = attempt
        saved = context.checkpoint.load()
        number, told_bytes = orjson.loads(saved) if saved else (attempt, 0)
        self._lines = Lines(told_bytes if number == attempt else 0)

    @property
    def offset(self) -> int:
        """How much of the log was read."""
        return self._lines.read_bytes

    def feed(self, content: bytes) -> None:
        for told in self._lines.feed(content):
            self._take(told)
        if content:
            self._context.checkpoint.save(orjson.dumps([self._attempt, self._lines.told_bytes]))

    def end(self) -> None:
        for told in self._lines.end():
            self._take(told)

    def _take(self, told: Told) -> None:
        if isinstance(told, Progressed):
            self._context.progress(told.fraction, told.message, **told.metrics)
        elif isinstance(told, Said):
            self._context.log(told.text, told.level)


def _told(task: Task) -> str:
    more = [f"exit code {task.exit_code}"] if task.exit_code else []
    more += [task.reason] if task.reason else []
    return f"{task.state.value} on {task.spec.cluster}" + (f" ({', '.join(more)})" if more else "")
