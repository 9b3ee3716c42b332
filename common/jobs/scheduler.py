"""Looks after all jobs every few seconds: sends what was not sent, finds what went silent, removes what is over.

Every process may call `tick`; a lease lets one act at a time. Two that act at once, as after a clock was set, do no
harm: each repair is a transaction that looks again before it changes anything.
"""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from common.clock import Clock, new_id
from common.jobs.callbacks.sender import Callbacks
from common.jobs.queues.base import Queue
from common.jobs.runner import Runner
from common.jobs.service import JobService
from common.jobs.standing import Standing
from common.jobs.states import Kind
from common.jobs.store import JobStore
from common.jobs.watch import Watch
from common.settings import JobSettings, Schedule
from common.storage.leftovers import Leftovers
from common.telemetry import metrics
from common.telemetry.logs import get_logger

log = get_logger("atoll.scheduler")

LEASE = "scheduler"
# A submitter gets this long to send the message itself.
UNQUEUED_S = 5.0
# Where fewer messages than jobs wait, some were lost: those of the jobs that have waited for longest.
OVERLOOKED_S = 20.0
# Queues give the oldest message first. A job that waits while much later ones run has lost its message too.
OVERTAKEN_S = 60.0
# Neither can be seen where lost messages and doubled ones make up for each other.
OVERLOOKED_IN_FULL_QUEUE_S = 3600.0
# What is removed is gone: only by a clock that has been watched for a while.
_SURE_S = 120.0
CHORE_S = 3600.0


class Scheduler:
    """One a process. `tick` is called by a timer function, or by `run` on a thread.

    Attributes
    ----------
    chores : by name of at most 64 characters, what to call every hour, by one process for all; each removes something,
        and tells how many.
    rounds : by name, what to do in every round, by one process for all.
    """

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        runner: Runner,
        service: JobService,
        settings: JobSettings,
        clock: Clock,
        callbacks: Callbacks | None = None,
        leftovers: Leftovers | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._runner = runner
        self._service = service
        self._settings = settings
        self._clock = clock
        self._callbacks = callbacks
        self._leftovers = leftovers
        self._watch = Watch(settings.stall_s)
        self._standing = Standing()
        self.chores: dict[str, Callable[[], int]] = {}
        self.rounds: dict[str, Callable[[], None]] = {}
        self._holder = f"{socket.gethostname()[:60]}-{os.getpid()}-{new_id()}"
        self._stopping = threading.Event()

    def run(self) -> None:
        """Tick until stopped."""
        while not self._stopping.is_set():
            began_s = self._clock.monotonic_s()
            self.tick()
            # A round that waited for receivers of callbacks does not put off the next one.
            self._stopping.wait(max(0.0, self._settings.tick_s - (self._clock.monotonic_s() - began_s)))

    def stop(self) -> None:
        self._stopping.set()

    def tick(self) -> bool:
        """One round; whether this process held the lease. Does not raise: each step is tried whatever the others do."""
        try:
            self._watch.see(self._clock.now(), self._clock.monotonic_s())
            # A little more than a round: the next holder is not kept waiting when this one dies.
            if not self._store.take_lease(LEASE, self._holder, self._settings.tick_s * 1.5):
                metrics.SCHEDULER_TICKS.labels("idle").inc()
                self._standing.forget()
                return False
        except Exception as exc:  # noqa: BLE001  # the next round may find it
            log.warning("store cannot be reached", error=type(exc).__name__)
            metrics.SCHEDULER_TICKS.labels("failed").inc()
            return False
        steps: Sequence[Callable[[], None]] = (
            self._find_silent,
            self._send_unqueued,
            self._send_overlooked,
            self._end_late,
            self._submit_scheduled,
            self._remove_old,
            self._sweep_share,
            self._do_chores,
            self._do_rounds,
            self._show,
            # Last: it waits for receivers.
            self._call_back,
        )
        failed = [step for step in steps if not self._try(step, step.__name__)]
        metrics.SCHEDULER_TICKS.labels("failed" if failed else "done").inc()
        return True

    @staticmethod
    def _try(step: Callable[[], None], name: str) -> bool:
        try:
            step()
        except Exception as exc:
            log.error("scheduler's step failed", step=name, exc_info=exc)
            return False
        return True

    def _find_silent(self) -> None:
        beats = self._store.beats()
        for beat in self._watch.silent(beats, self._clock.now(), self._clock.monotonic_s()):
            job = self._store.lose(beat)
            if job is not None:
                log.warning("worker vanished", job=job.id, attempt=job.attempts, state=job.state.value)
                metrics.JOBS_REPAIRED.labels("lost").inc()
                if job.state.is_waiting:
                    self._runner.enqueue(job)

    def _send_unqueued(self) -> None:
        for job in self._store.unqueued(UNQUEUED_S):
            metrics.JOBS_REPAIRED.labels("unqueued").inc()
            self._runner.enqueue(job)

    def _send_overlooked(self) -> None:
        waits = self._store.waiting_queues()
        lengths = {name: self._queue.depth(name).length for name in waits}
        self._standing.queues(lengths, waits)
        for name, waiting in waits.items():
            missing = waiting - lengths[name]
            if missing > 0:
                found = self._store.overlooked(name, OVERLOOKED_S, missing)
            else:
                found = self._store.overlooked(name, OVERLOOKED_IN_FULL_QUEUE_S)
            found += self._store.overtaken(name, OVERTAKEN_S)
            for job in {job.id: job for job in found}.values():
                metrics.JOBS_REPAIRED.labels("overlooked").inc()
                self._runner.enqueue(job)

    def _end_late(self) -> None:
        if self._watch.is_steady(self._clock.monotonic_s(), self._settings.stall_s):
            for job in self._store.expire_waiting():
                log.info("deadline passed", job=job.id)
                metrics.JOBS_REPAIRED.labels("late").inc()

    def _remove_old(self) -> None:
        if self._is_sure():
            expired, pruned = self._store.expire_results(), self._store.prune()
            if expired or pruned:
                log.info("removed", results=expired, jobs=pruned)

    def _is_sure(self) -> bool:
        """Whether the clock has been watched for long enough to remove anything by it."""
        return self._watch.is_steady(self._clock.monotonic_s(), _SURE_S, since_start=True)

    def _sweep_share(self) -> None:
        if self._leftovers is not None and self._is_sure():
            self._leftovers.sweep_if_due()

    def _do_chores(self) -> None:
        if not self._is_sure():
            return
        now = self._clock.now()
        coming = now + timedelta(seconds=CHORE_S)
        for name, remove in self.chores.items():
            due = self._store.schedule_next(name)
            # One that is impossibly late was set by a clock that was ahead.
            if due is not None and now < due <= coming:
                continue
            self._store.set_schedule(name, coming)
            if removed := remove():
                log.info("removed", chore=name, count=removed)

    def _do_rounds(self) -> None:
        for name, look in self.rounds.items():
            self._try(look, name)

    def _show(self) -> None:
        self._standing.show(self._store, self._clock.now())

    def _call_back(self) -> None:
        if self._callbacks is not None:
            self._callbacks.sweep(self._settings.tick_s / 2)

    def _submit_scheduled(self) -> None:
        for schedule in self._settings.schedules:
            self._try(partial(self._submit_one, schedule), f"schedule {schedule.path}")

    def _submit_one(self, schedule: Schedule) -> None:
        """Submit the job of the slot that has come, if one has; the newest of several that were missed.

        The slot is part of the idempotency key, so a process that does the same at the same time, or again after its
        clock was set back, finds the job that is there.
        """
        name = _name(schedule)
        now = self._clock.now()
        coming = _next_slot(schedule.cron, now)
        due = self._store.schedule_next(name)
        if due is None or due > coming:
            # New; or set back, since a slot later than the next one was waited for.
            self._store.set_schedule(name, coming)
            return
        if now < due:
            return
        slot = _last_slot(schedule.cron, now)
        body = json.dumps(schedule.body).encode() if schedule.body is not None else b""
        accepted = self._service.submit(
            Kind.PREDICTION,
            schedule.path,
            body,
            model=schedule.path.strip("/").partition("/")[0].partition("?")[0],
            owner="schedule",
            headers={"content-type": "application/json"},
            idempotency_key=f"{name}@{slot.isoformat()}",
        )
        self._store.set_schedule(name, coming)
        log.info("scheduled", path=schedule.path, slot=slot.isoformat(), job=accepted.job.id, new=accepted.is_new)


def _name(schedule: Schedule) -> str:
    text = json.dumps([schedule.cron, schedule.path, schedule.body], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _next_slot(cron: str, after: datetime) -> datetime:
    from croniter import croniter

    found: datetime = croniter(cron, after).get_next(datetime)
    return found


def _last_slot(cron: str, now: datetime) -> datetime:
    """The newest slot that is not in the future."""
    from croniter import croniter

    # croniter leaves out a slot that is this very second.
    found: datetime = croniter(cron, now + timedelta(seconds=1)).get_prev(datetime)
    return found
