"""Puts the parts of tasks together. One a process, made when the first task is seen."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta

from common.clock import Clock
from common.errors import AtollError
from common.http.addresses import Allowance
from common.jobs.service import JobService
from common.jobs.store import JobStore
from common.settings import Settings
from common.storage.blobs import Blobs
from common.submission.catalogue import Catalogue
from common.submission.collect import FOLDER, Collector, Publish
from common.submission.executor import SubmissionExecutor
from common.submission.package import Packer
from common.submission.reconcile import Reconciler
from common.submission.service import TaskService
from common.submission.store import TaskStore
from common.telemetry.logs import get_logger

log = get_logger("atoll.tasks")

# They run on Atoll's own machine: to look is to read a few files.
QUICK_KINDS = frozenset({"local"})


@dataclass(eq=False)
class TaskSystem:
    """Tasks, as routes, workers and the scheduler use them.

    Attributes
    ----------
    service : submits, cancels and retries.
    store : reads.
    clusters : the configured clusters and their runners.
    executor : runs the kernel's jobs of kind `submission`.
    reconciler : asks the clusters.
    blobs : where programs are put.
    """

    settings: Settings
    clock: Clock
    store: TaskStore
    service: TaskService
    clusters: Catalogue
    executor: SubmissionExecutor
    reconciler: Reconciler
    collector: Collector
    blobs: Blobs
    stopping: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def build(
        cls,
        settings: Settings,
        store: TaskStore,
        jobs: JobService,
        job_store: JobStore,
        blobs: Blobs,
        clock: Clock,
        *,
        clusters: Catalogue | None = None,
        publish: Publish | None = None,
    ) -> "TaskSystem":
        """As configured. Raises `SettingsError` for clusters that are not configured right."""
        clusters = clusters or Catalogue.of(settings)
        allow: Allowance = settings.callbacks.allowance
        service = TaskService(store, jobs, blobs, clock)
        collector = Collector(store, clusters, blobs.share, settings.submission, allow, publish)
        lease_s = settings.jobs.tick_s * 1.5
        reconciler = Reconciler(store, service, clusters, job_store, clock, lease_s=lease_s)
        packer = Packer(store, blobs, settings.submission)
        executor = SubmissionExecutor(
            store, clusters, packer, collector, clock, lambda job: job_store.is_cancelling(job.id, job.epoch)
        )
        return cls(settings, clock, store, service, clusters, executor, reconciler, collector, blobs)

    def look_quickly(self) -> bool:
        """Look at the clusters where that costs next to nothing; whether they have tasks to look after."""
        if self.stopping.is_set():
            return False
        live = [name for name in self.store.live_clusters() if self._is_quick(name)]
        for name in live:
            self.reconciler.look(name)
        self.reconciler.collect()
        return bool(live)

    def _is_quick(self, cluster: str) -> bool:
        return cluster in self.clusters and self.clusters.config(cluster).kind in QUICK_KINDS

    def remove_old(self) -> int:
        """Forget tasks that finished long ago, with their files on the share. A chore of the scheduler."""
        before = self.clock.now() - timedelta(days=self.settings.submission.task_days)
        count = 0
        while old := self.store.old(before):
            gone = [task.id for task in old if self._remove_files(task.id)]
            self.store.remove(gone)
            count += len(gone)
            if len(gone) < len(old):
                # The share does not answer; another hour may do.
                break
        return count

    def _remove_files(self, task_id: str) -> bool:
        share = self.blobs.share
        try:
            for file in share.find(f"{FOLDER}/{task_id}"):
                share.delete(file.path)
        except AtollError as exc:
            log.warning("a task's files cannot be removed", task=task_id, error=exc.detail)
            return False
        return True

    def close(self) -> None:
        """Look no more, and let go of the connections to clusters."""
        self.stopping.set()
        self.clusters.close()
