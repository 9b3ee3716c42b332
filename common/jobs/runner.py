"""Runs the job that a message names; the worker and the queue functions of Azure call the same `handle`."""

import os
import random
import socket
import threading
from collections.abc import Callable, Mapping

from structlog.contextvars import bound_contextvars

from common.clock import Clock, new_id
from common.jobs.attempt import Running, insist
from common.jobs.attempts import NotBegun
from common.jobs.callbacks.sender import Callbacks
from common.jobs.context import Executor, JobContext
from common.jobs.errors import Fenced
from common.jobs.handling import Disposition
from common.jobs.queues.base import Message, Queue
from common.jobs.records import Job, Outcome
from common.jobs.redact import redact
from common.jobs.states import Event, Kind
from common.jobs.store import JobStore
from common.settings import JobSettings, secret_values
from common.telemetry import metrics, tracing
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")

# While the database is away, its jobs' messages come back so often.
POSTPONE_S = 10.0


class Runner:
    """The handler that runs jobs on threads of this process.

    Parameters
    ----------
    executors : who runs the jobs of a kind.
    refuses : why a job must not run any more, asked before it does; None for most.

    Attributes
    ----------
    is_spent : whether a job was stopped before its end here, so that its code may still be running.
    """

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        executors: Mapping[Kind, Executor],
        settings: JobSettings,
        clock: Clock,
        rng: random.Random | None = None,
        callbacks: Callbacks | None = None,
        refuses: Callable[[Job], str | None] = lambda job: None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._executors = executors
        self._settings = settings
        self._clock = clock
        self._rng = rng or random.Random()
        self._callbacks = callbacks
        self._refuses = refuses
        self._secrets = secret_values()
        self._name = f"{socket.gethostname()[:60]}-{os.getpid()}"
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._report: Callable[[Job], None] | None = None
        self.is_spent = False

    def report_to(self, began: Callable[[Job], None]) -> None:
        """Call `began` with every job that begins here, and leave heartbeats and cancellation to whoever listens."""
        self._report = began

    def handle(self, message: Message) -> Disposition:
        """Run the message's job to its end, and say what to do with the message. Does not raise."""
        worker_id = f"{self._name}-{new_id(self._clock)}"
        try:
            begun = insist(lambda: self._store.begin_attempt(message.job_id, worker_id))
        except Exception as exc:  # whatever it is, the message must stay
            log.error("job cannot begin", job=message.job_id, exc_info=exc)
            return Disposition.GIVE_BACK
        if isinstance(begun, NotBegun):
            return self._pass_by(message, begun)
        told = {
            "messaging.operation.name": "process",
            "messaging.destination.name": begun.queue,
            "messaging.message.id": begun.id,
        }
        with (
            bound_contextvars(job=begun.id, kind=begun.kind.value, epoch=begun.epoch),
            tracing.span(f"process {begun.queue}", told, "consumer", begun.traceparent),
        ):
            return self._run(begun)

    def postpone(self, message: Message) -> bool:
        if self._store.answers():
            return False
        try:
            self._queue.send(message.queue, message.job_id, POSTPONE_S)
        except Exception as exc:  # each kind of queue has errors of its own
            log.warning("message cannot be sent", job=message.job_id, exc_info=exc)
            return False
        return True

    def handle_poison(self, job_id: str) -> None:
        """The backstop for a message that came back too often: its job is dead, unless it is running or finished."""
        ended = self._store.exhaust(job_id, "its message came back too often without being handled")
        if ended is not None:
            self.call_back(ended)

    def call_back(self, job: Job) -> None:
        """Tell a job's caller that it has ended, where one asked for that; returns at once."""
        # A process that may be killed at any time leaves that to its worker.
        is_mine = self._report is None
        if is_mine and self._callbacks is not None and job.callback_url is not None:
            self._callbacks.wake()

    def running(self) -> list[Job]:
        """The jobs under way in this process."""
        with self._lock:
            return [running.job for running in self._running.values()]

    def cancel_here(self, job_id: str) -> None:
        """Tell a job that runs in this process that it was cancelled; it would notice by itself a little later."""
        with self._lock:
            running = self._running.get(job_id)
        if running is not None:
            running.cancel()

    def leave(self) -> None:
        """Put all running jobs back into their queues, because this process has to end."""
        with self._lock:
            found = list(self._running.values())
        for running in found:
            running.leave()

    def print_here(self, line: str) -> bool:
        """Add a line to the log of the job that runs here; False if there is none, or several."""
        with self._lock:
            found = list(self._running.values())
        if len(found) != 1:
            return False
        found[0].context.log(line)
        return True

    def _pass_by(self, message: Message, reason: NotBegun) -> Disposition:
        if reason.due_in_s is not None:
            # A duplicate came before the job's time: a message that comes in time takes its place.
            try:
                self._queue.send(message.queue, message.job_id, reason.due_in_s)
            except Exception as exc:  # each kind of queue has errors of its own
                log.warning("message cannot be sent", job=message.job_id, exc_info=exc)
                return Disposition.GIVE_BACK
        log.debug("message passed by", job=message.job_id, reason=reason.reason)
        return Disposition.DELETE

    def _run(self, job: Job) -> Disposition:
        context = JobContext(job, self._store, self._clock, self._clean)
        if self._report is not None:
            self._report(job)
        is_watched = self._report is not None
        running = Running(job, context, self._store, self._settings, self._clock, is_watched=is_watched)
        with self._lock:
            self._running[job.id] = running
        began_s = self._clock.monotonic_s()
        try:
            executor = self._executors.get(job.kind)
            if context.remaining_s <= 0:
                outcome = Outcome(Event.EXPIRE, "its deadline passed before it could begin")
            elif executor is None:
                outcome = Outcome(Event.REFUSE, f"this worker runs no {job.kind} jobs")
            elif (reason := insist(lambda: self._refuses(job))) is not None:
                outcome = Outcome(Event.REFUSE, reason)
            else:
                with tracing.span(f"attempt {job.kind}", _told(job)) as attempt:
                    running.run(executor)
                    outcome = running.outcome(self._clean, self._rng)
                    attempt.note({"atoll.job.event": outcome.event.value}, outcome.error)
            ended = self._finish(running, outcome)
        except Fenced:
            log.warning("attempt is over already; nothing it does counts any more")
            return Disposition.DELETE
        except Exception as exc:  # the store is away: the scheduler finds the job when it is back
            log.error("job cannot be finished", exc_info=exc)
            return Disposition.GIVE_BACK
        finally:
            self.is_spent = self.is_spent or running.was_stopped
            context.stop()
            with self._lock:
                self._running.pop(job.id, None)
        self._tell(job, ended, self._clock.monotonic_s() - began_s)
        return Disposition.DELETE

    def end(self, job: Job, outcome: Outcome, ran_s: float) -> None:
        """End the attempt of a job whose process could not do it. Raises `Fenced` if it is over already."""
        ended = insist(lambda: self._store.finish(job.id, job.epoch, outcome))
        self._tell(job, ended, ran_s)

    def enqueue(self, job: Job) -> None:
        """Send the message for a waiting job. If that fails, the scheduler does it later."""
        left_s = max(0.0, (job.due_at - self._clock.now()).total_seconds())
        # Never longer than it was told to wait, should the clock have been set back since.
        delay_s = min(left_s, job.delay_s, self._settings.retry_cap_s)
        try:
            self._queue.send(job.queue, job.id, delay_s)
            self._store.mark_enqueued(job.id, job.epoch)
        except Exception as exc:  # each kind of queue has errors of its own
            log.warning("job is not in its queue yet", job=job.id, exc_info=exc)

    def _finish(self, running: Running, outcome: Outcome) -> Job:
        job, context = running.job, running.context
        try:
            insist(context.flush)
            return insist(lambda: self._store.finish(job.id, job.epoch, outcome, context.commit))
        except Fenced:
            raise
        except Exception as exc:
            if outcome.event is not Event.SUCCEED:
                raise
            # What the work wanted to write with its end cannot be written: that is a failed attempt too.
            log.warning("job's effect cannot be written", exc_info=exc)
            failed = running.failed(exc, self._clean, self._rng)
            return insist(lambda: self._store.finish(job.id, job.epoch, failed))

    def _tell(self, job: Job, ended: Job, ran_s: float) -> None:
        started_at = job.started_at or job.queued_at
        waited_s = max(0.0, (started_at - max(job.queued_at, job.due_at)).total_seconds())
        metrics.JOB_WAIT_SECONDS.labels(job.kind.value).observe(waited_s)
        metrics.JOB_SECONDS.labels(job.kind.value).observe(ran_s)
        metrics.JOB_ATTEMPTS.labels(job.kind.value, ended.state.value).inc()
        log.info(
            "job",
            state=ended.state.value,
            model=job.model,
            attempt=job.attempts,
            error=ended.error,
            ms=round(ran_s * 1000, 1),
        )
        if ended.state.is_finished:
            self.call_back(ended)
        if ended.state.is_waiting:
            self.enqueue(ended)

    def _clean(self, text: str) -> str:
        return redact(text, self._secrets)


def _told(job: Job) -> dict[str, tracing.Value]:
    """What the span of an attempt says of its job."""
    return {
        "atoll.job.id": job.id,
        "atoll.job.kind": job.kind.value,
        "atoll.job.attempt": job.attempts,
        "atoll.model": job.model,
    }
