"""The executor of submission jobs: hands a task to its cluster, has it cancelled there, and brings back what it left.

It runs on a thread of the worker's own process: runners keep their connections.
"""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import sqlalchemy as sa

from common.clock import Clock
from common.errors import AtollError
from common.jobs.context import JobContext
from common.jobs.errors import JobRefused
from common.jobs.records import Job, Result
from common.jobs.retry import failure_of
from common.submission.catalogue import Catalogue
from common.submission.collect import Collector
from common.submission.decide import REASON_CHARS
from common.submission.dependencies import Go, Never, Verdict, Wait, judge
from common.submission.errors import ClusterDown
from common.submission.package import Packer
from common.submission.records import Submission, Task
from common.submission.states import TaskState
from common.submission.store import TaskStore
from common.telemetry import metrics, tracing
from common.telemetry.logs import get_logger

log = get_logger("atoll.tasks")

_PATH = re.compile(r"/tasks/([0-9a-z]{27})/(submit|cancel|collect)")
_TRIES = 10


class BeingHandedOver(ClusterDown):
    """Whether the cluster has a task is not known yet; somebody is about to find out."""


class SubmissionExecutor:
    """Runs the jobs of kind `submission`. Each step may run again after any crash: it looks before it acts.

    Parameters
    ----------
    check_current : raises `Fenced` for a job's attempt that is over.
    told : called with a cluster's name when something happened there that the next look will see.
    """

    def __init__(
        self,
        store: TaskStore,
        clusters: Catalogue,
        packer: Packer,
        collector: Collector,
        clock: Clock,
        check_current: Callable[[Job], object],
        told: Callable[[str], None] = lambda cluster: None,
    ) -> None:
        self._store = store
        self._clusters = clusters
        self._packer = packer
        self._collector = collector
        self._clock = clock
        self._check_current = check_current
        self._told = told

    def run(self, job: Job, context: JobContext) -> Result:
        url = urlsplit(job.path)
        found = _PATH.fullmatch(url.path)
        if found is None:
            raise JobRefused(f"{job.path[:100]} is no submission")
        task_id, what = found.groups()
        attempt = int(parse_qs(url.query).get("attempt", ["1"])[0])
        task = self._store.get(task_id)
        if what == "collect":
            self._collector.collect(task, attempt)
        elif task.attempt == attempt and what == "submit":
            self._submit(task, context)
        elif task.attempt == attempt:
            self._cancel(task)
        return Result(body=orjson.dumps({"task": task_id, "state": self._store.get(task_id).state.value}))

    def _submit(self, task: Task, context: JobContext) -> None:
        cluster = task.spec.cluster
        began_s = time.perf_counter()
        try:
            outcome = self._hand_over(task, context)
        except ClusterDown as exc:
            metrics.TASK_SUBMISSIONS.labels(cluster, "down").inc()
            self._explain(task, exc)
            raise
        except Exception as exc:
            failure = failure_of(exc)
            metrics.TASK_SUBMISSIONS.labels(cluster, "refused" if failure.refused else "failed").inc()
            if not failure.refused:
                self._explain(task, exc)
                raise
            self._fail(task, failure.text)
            raise JobRefused(failure.text) from None
        metrics.TASK_SUBMISSIONS.labels(cluster, outcome).inc()
        if outcome == "submitted":
            metrics.TASK_SUBMIT_SECONDS.labels(cluster).observe(time.perf_counter() - began_s)

    def _hand_over(self, task: Task, context: JobContext) -> str:
        """Returns how it ended, as the metric names it."""
        for _ in range(_TRIES):
            if task.state not in (TaskState.RECEIVED, TaskState.SUBMITTING) or task.cluster_job_id is not None:
                return "found"
            if task.state is TaskState.SUBMITTING:
                return self._ask(task, context, is_new=False)
            changed = self._prepare(task)
            if changed is None:
                # Somebody else changed it: look again before anything is asked of a cluster.
                task = self._store.get(task.id)
            elif changed.state is TaskState.SUBMITTING:
                return self._ask(changed, context, is_new=True)
            else:
                return "held" if changed.held else "refused"
        raise AtollError("the task is changing all the time")

    def _prepare(self, task: Task) -> Task | None:
        """Write down that a cluster is about to be asked, or why not; None where somebody else changed the task.

        What has never been `submitting` need not be looked for on any cluster.
        """
        verdict = self._judged(task)
        if isinstance(verdict, Never):
            now = self._clock.now()
            return self._store.change(task, state=TaskState.CANCELLED, reason=verdict.reason, finished_at=now)
        if isinstance(verdict, Wait):
            return self._store.change(task, held=True, reason=verdict.reason)
        return self._store.change(task, state=TaskState.SUBMITTING, held=False, reason=None)

    def _judged(self, task: Task) -> Verdict:
        runner = self._clusters.get(task.spec.cluster)
        briefs = self._store.briefs(task.spec.dependencies)
        return judge(task.spec, briefs, takes_dependencies=runner.takes_dependencies)

    def _ask(self, task: Task, context: JobContext, *, is_new: bool) -> str:
        """Hand it to its cluster, unless that has it already."""
        runner = self._clusters.get(task.spec.cluster)
        verdict = self._judged(task)
        depends_on = verdict.depends_on if isinstance(verdict, Go) else ()
        submission = Submission(task.id, task.name, task.owner, task.spec, depends_on)
        found = None if is_new else runner.find(submission)
        outcome = "submitted" if found is None else "found"
        if found is None:
            if task.cancel_asked:
                self._change(task, _is_unknown, state=TaskState.CANCELLED, finished_at=self._clock.now())
                return "refused"
            with self._packer.package(task, runner) as package:
                # A worker that was held up for so long that another one took over must not submit any more.
                self._check_current(context.job)
                told = {"atoll.cluster": task.spec.cluster, "atoll.task": task.id}
                with tracing.span(f"submit {task.spec.cluster}", told, "client"):
                    found = runner.submit(submission, package)
        cluster_job_id = found
        context.on_commit(lambda connection: self._record(connection, task, cluster_job_id))
        self._told(task.spec.cluster)
        return outcome

    def _record(self, connection: sa.Connection, task: Task, cluster_job_id: str) -> None:
        """Write what the cluster calls it, in the transaction that ends the job."""
        now = self._store.find_in(connection, task.id, lock=True)
        if now is None or now.attempt != task.attempt or now.cluster_job_id is not None:
            # A look at the cluster was faster.
            return
        values: dict[str, Any] = {"cluster_job_id": cluster_job_id, "submitted_at": self._clock.now()}
        if now.state is TaskState.SUBMITTING:
            values["state"] = TaskState.PENDING
            if not now.cancel_asked:
                values["reason"] = None
        self._store.change_in(connection, now, **values)

    def _cancel(self, task: Task) -> None:
        if not task.state.is_on_cluster:
            return
        runner = self._clusters.get(task.spec.cluster)
        if task.cluster_job_id is None:
            found = runner.find(Submission(task.id, task.name, task.owner, task.spec))
            if found is None:
                # Whoever hands it over sees that it was cancelled, or the next try here finds it.
                raise BeingHandedOver("the task is just being handed to its cluster")
            task = self._change(task, _is_unknown, cluster_job_id=found)
        runner.cancel(task.known)
        self._told(task.spec.cluster)

    def _change(self, task: Task, may: Callable[[Task], bool], **values: Any) -> Task:
        """Change a task for as long as it `may` be; what became of it."""
        for _ in range(_TRIES):
            if not may(task):
                return task
            changed = self._store.change(task, **values)
            if changed is not None:
                return changed
            now = self._store.get(task.id)
            if now.attempt != task.attempt:
                return now
            task = now
        raise AtollError("the task is changing all the time")

    def _fail(self, task: Task, text: str) -> None:
        now = self._clock.now()
        reason = text[:REASON_CHARS]
        task = self._change(task, _is_unknown, state=TaskState.FAILED, reason=reason, finished_at=now)
        if task.state is TaskState.FAILED:
            metrics.TASKS_FINISHED.labels(task.spec.cluster, TaskState.FAILED.value).inc()

    def _explain(self, task: Task, exc: Exception) -> None:
        """Show why it is not handed over yet. Nothing depends on it."""
        detail = exc.detail if isinstance(exc, AtollError) else type(exc).__name__
        reason = f"not handed over yet: {detail}"[:REASON_CHARS]
        try:
            now = self._store.get(task.id)
            if now.attempt == task.attempt and _is_unknown(now) and not now.cancel_asked and now.reason != reason:
                self._store.change(now, durable=False, reason=reason)
        except (AtollError, sa.exc.SQLAlchemyError) as failed:
            log.warning("task's delay cannot be noted", task=task.id, error=type(failed).__name__)


def _is_unknown(task: Task) -> bool:
    """Whether it has not finished, and no cluster is known to have it."""
    return not task.state.is_finished and task.cluster_job_id is None
