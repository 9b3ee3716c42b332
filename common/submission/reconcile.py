"""Asks each cluster, in one call a round, what became of its tasks, and carries out what follows from it.

Any number of processes may do so at once: every change is written only where the task still is as it was read, and
what is asked of a cluster may be asked twice.
"""

import hashlib
import os
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from common.clock import Clock, new_id
from common.errors import AtollError, Invalid
from common.jobs.store import JobStore
from common.submission.catalogue import Catalogue
from common.submission.decide import Decision, SubmitJob, decide, may_begin_anew
from common.submission.dependencies import Never, Wait, judge
from common.submission.errors import ClusterDown
from common.submission.records import Known, Observation, Task
from common.submission.rows import known_of
from common.submission.runners.base import Runner
from common.submission.service import Stale, TaskService
from common.submission.states import TaskState
from common.submission.store import Followed, TaskStore
from common.telemetry import metrics
from common.telemetry.logs import get_logger

log = get_logger("atoll.tasks")

# What hangs in one cluster does not keep the others waiting for longer than this.
_ROUND_S = 5.0


class Reconciler:
    """One a process. `tick` is a step of the scheduler's round."""

    def __init__(
        self,
        store: TaskStore,
        service: TaskService,
        clusters: Catalogue,
        jobs: JobStore,
        clock: Clock,
        *,
        lease_s: float = 20.0,
    ) -> None:
        self._store = store
        self._service = service
        self._clusters = clusters
        self._jobs = jobs
        self._clock = clock
        self._lease_s = lease_s
        self._holder = f"{socket.gethostname()[:60]}-{os.getpid()}-{new_id(clock)}"
        self._lock = threading.Lock()
        self._under_way: dict[str, threading.Thread] = {}
        self._shown: set[tuple[str, str]] = set()
        for name in clusters.names:
            metrics.know_cluster(name)

    def tick(self) -> None:
        """One round over all clusters that have tasks, each on a thread of its own."""
        self._show_counts()
        threads = [thread for name in self._store.live_clusters() if (thread := self._begin(name))]
        until_s = time.monotonic() + _ROUND_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        self.collect()

    def look(self, cluster: str) -> bool:
        """One round over one cluster; whether it was this process's to make. Does not raise."""
        began_s = time.perf_counter()
        try:
            name = f"tasks {hashlib.sha256(cluster.encode()).hexdigest()[:32]}"
            if not self._jobs.take_lease(name, self._holder, self._lease_s):
                return False
            outcome = self.reconcile(cluster)
        except Exception as exc:
            log.error("tasks cannot be looked after", cluster=cluster, exc_info=exc)
            outcome = "failed"
        metrics.TASK_RECONCILES.labels(cluster, outcome).inc()
        metrics.TASK_RECONCILE_SECONDS.labels(cluster).observe(time.perf_counter() - began_s)
        return True

    def reconcile(self, cluster: str) -> str:
        """Look, decide, act. Returns `done` or `down`."""
        followed = self._store.followed(cluster)
        ended = self._store.looked_back_at(cluster)
        try:
            runner = self._clusters.get(cluster)
        except AtollError as exc:
            self._explain(followed, exc)
            return "failed"
        self._look_after_waiting([one for one in followed if one.task.spec.dependencies], runner)
        asked = self._asked(followed, ended)
        seen: dict[str, list[Observation]] = defaultdict(list)
        try:
            for observation in runner.observe(asked) if asked else ():
                seen[observation.name].append(observation)
        except ClusterDown as exc:
            log.warning("cluster is down", cluster=cluster, error=exc.detail)
            return "down"
        now = self._clock.now()
        forget_after_s = runner.config.forget_after_s
        decisions: list[tuple[Task, Decision]] = []
        for one in followed:
            job = SubmitJob(one.job_state, one.job_error)
            found = seen.get(one.task.name, ())
            decisions.append((one.task, decide(one.task, found, now, forget_after_s=forget_after_s, job=job)))
        for task in ended:
            found = seen.get(task.name, ())
            decision = decide(task, found, now, forget_after_s=forget_after_s, job=SubmitJob(None))
            decisions.append((task, decision))
        self._carry_out(decisions, runner)
        self._end_earlier([*(one.task for one in followed), *ended], seen, runner)
        return "done"

    def collect(self) -> None:
        """Have the files of tasks brought back that have ended, where no job is about to."""
        for one in self._store.uncollected():
            if one.job_state is not None and one.job_state.is_finished and self._was_collecting(one):
                # Its tries are used up, or somebody cancelled it.
                self._store.change(one.task, files="missing")
                continue
            try:
                self._service.collect(one.task)
            except Stale:
                continue

    def _was_collecting(self, one: Followed) -> bool:
        job_id = one.task.job_id
        return job_id is not None and "/collect?" in self._jobs.get(job_id).path

    def _begin(self, cluster: str) -> threading.Thread | None:
        with self._lock:
            running = self._under_way.get(cluster)
            if running is not None and running.is_alive():
                return None
            # A daemon: a cluster that hangs must not keep the process from ending.
            thread = threading.Thread(target=self.look, args=(cluster,), name="tasks", daemon=True)
            self._under_way[cluster] = thread
        thread.start()
        return thread

    @staticmethod
    def _asked(followed: Sequence[Followed], ended: Sequence[Task]) -> list[Known]:
        """What to ask the cluster about: what it has, or may have; and attempts of theirs that were lost."""
        current = [one.task for one in followed if one.task.state.is_on_cluster] + list(ended)
        everyone = [one.task for one in followed] + list(ended)
        return [task.known for task in current] + [
            known
            for task in everyone
            for one in task.earlier
            if one["state"] == TaskState.LOST.value and (known := known_of(task, one["attempt"])) is not None
        ]

    def _carry_out(self, decisions: Sequence[tuple[Task, Decision]], runner: Runner) -> None:
        again = [pair for pair in decisions if pair[1].ends and may_begin_anew(pair[0], pair[1].values["state"])]
        anew = {task.id for task, _ in again}
        changes = [(task, self._to_write(decision)) for task, decision in decisions if decision.values]
        plain = [(task, values) for task, values in changes if task.id not in anew]
        for (_, values), changed in zip(plain, self._store.change_all(plain), strict=True):
            if changed is not None and values.get("state") is not None:
                self._tell(changed)
        for task, decision in again:
            self._begin_anew(task, decision)
        for task, decision in decisions:
            if decision.resubmit:
                self._hand_over(task)
            for cluster_job_id in decision.cancel:
                self._cancel(replace(task.known, cluster_job_id=cluster_job_id), decision.why, runner)

    @staticmethod
    def _to_write(decision: Decision) -> dict[str, Any]:
        values = dict(decision.values)
        if values.get("files") == "collecting":
            # The job that handed it over has done its part; `collect` finds those that have none.
            values["job_id"] = None
        return values

    def _begin_anew(self, task: Task, decision: Decision) -> None:
        ended = dict(decision.values)
        try:
            if ended.get("files") == "collecting":
                # First: whatever happens after it, the files of this attempt are brought back.
                self._service.collect_earlier(task)
            self._service.begin_anew(task, task.retries_left - 1, **ended)
        except Stale:
            return
        self._tell(replace(task, **decision.values))

    def _hand_over(self, task: Task) -> None:
        try:
            self._service.hand_over(task)
        except Stale:
            return
        log.warning("task's job was gone; handing it over again", task=task.id)

    def _look_after_waiting(self, waiting: Sequence[Followed], runner: Runner) -> None:
        """Let go those whose time has come, and cancel those whose time never will."""
        waiting = [one for one in waiting if one.task.held or one.task.state is TaskState.PENDING]
        if not waiting:
            return
        briefs = self._store.briefs(task_id for one in waiting for task_id in one.task.spec.dependencies)
        for one in waiting:
            task = one.task
            verdict = judge(task.spec, briefs, takes_dependencies=runner.takes_dependencies)
            if isinstance(verdict, Never):
                self._give_up(task, verdict.reason)
            elif task.held and isinstance(verdict, Wait):
                if task.reason != verdict.reason:
                    self._store.change(task, durable=False, reason=verdict.reason)
            elif task.held and not one.has_job:
                self._hand_over(task)

    def _give_up(self, task: Task, reason: str) -> None:
        if not task.held:
            # Its cluster has it, and may wait for ever; the next look ends it there.
            if not task.cancel_asked:
                self._store.change(task, cancel_asked=True, reason=reason)
            return
        now = self._clock.now()
        changed = self._store.change(task, state=TaskState.CANCELLED, held=False, reason=reason, finished_at=now)
        if changed is not None:
            self._tell(changed)

    def _end_earlier(self, tasks: Sequence[Task], seen: dict[str, list[Observation]], runner: Runner) -> None:
        """End what still runs of attempts that were given up: another attempt has taken their place."""
        for task in tasks:
            for one in task.earlier:
                for observation in seen.get(one["name"], ()):
                    known = known_of(task, one["attempt"])
                    if known is not None and not observation.state.is_finished:
                        self._cancel(replace(known, cluster_job_id=observation.cluster_job_id), "orphan", runner)

    def _cancel(self, known: Known, why: str, runner: Runner) -> None:
        try:
            runner.cancel(known)
        except AtollError as exc:
            log.warning("not cancelled yet", task=known.task_id, error=exc.detail)
            return
        if why != "asked":
            metrics.TASK_STRAYS.labels(runner.config.name, why).inc()
            log.warning("ended on its cluster", task=known.task_id, why=why, cluster_job=known.cluster_job_id)

    def _explain(self, followed: Sequence[Followed], exc: AtollError) -> None:
        """The cluster is not configured here any more, or lacks a package: say so with each of its tasks."""
        for one in followed:
            task = one.task
            if task.cancel_asked and isinstance(exc, Invalid):
                reason = f"cancelled; its cluster {task.spec.cluster} is not configured any more"
                self._store.change(task, state=TaskState.CANCELLED, reason=reason, finished_at=self._clock.now())
            elif task.reason != exc.detail:
                self._store.change(task, durable=False, reason=exc.detail)

    def _tell(self, task: Task) -> None:
        if task.state.is_finished:
            metrics.TASKS_FINISHED.labels(task.spec.cluster, task.state.value).inc()
        log.info("task", task=task.id, state=task.state.value, attempt=task.attempt, reason=task.reason)

    def _show_counts(self) -> None:
        counts = self._store.live_counts()
        shown = {(cluster, state.value) for cluster, state in counts}
        for cluster, state in self._shown - shown:
            metrics.TASKS_LIVE.labels(cluster, state).set(0)
        for (cluster, state), count in counts.items():
            metrics.TASKS_LIVE.labels(cluster, state.value).set(count)
        self._shown |= shown
