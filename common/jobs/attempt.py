"""One attempt under way: a thread runs the job's code, the caller's thread watches over it."""

import contextvars
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common.clock import Clock
from common.jobs.context import Executor, JobContext
from common.jobs.errors import Fenced, JobCancelled
from common.jobs.prediction import BadAnswer
from common.jobs.records import Job, Outcome, Result
from common.jobs.retry import Dead, Failed, Failure, RetryPolicy, failure_of, failure_of_status, plan_retry
from common.jobs.states import Event
from common.jobs.store import JobStore
from common.settings import JobSettings
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")
T = TypeVar("T")

# How often the supervisor looks whether the job was cancelled, and writes its progress.
LOOK_S = 1.0
# A store that cannot be reached is asked again for about ten seconds; after that the attempt counts as lost.
_STORE_TRIES = 7
_FIRST_PAUSE_S = 0.1

# The connection's errors. A mistake in the SQL is none of them, nor is `Fenced`.
_AWAY = (OperationalError, InterfaceError, PoolTimeout, OSError)


def insist(call: Callable[[], T]) -> T:
    """Call the store until it answers. It may have done what was asked and failed to say so: its methods allow that."""
    for left in range(_STORE_TRIES - 1, -1, -1):
        try:
            return call()
        except _AWAY as exc:
            if not left:
                raise
            log.warning("store cannot be reached; trying again", error=type(exc).__name__)
            time.sleep(_FIRST_PAUSE_S * 2 ** (_STORE_TRIES - 2 - left) * random.uniform(0.5, 1))
    raise AssertionError("unreachable")


def outcome_of(
    failure: Failure,
    job: Job,
    settings: JobSettings,
    clean: Callable[[str], str],
    rng: random.Random,
    result: Result | None = None,
) -> Outcome:
    """How an attempt that failed ends: for the job as a whole, or until the next attempt."""
    failure = Failure(clean(failure.text), failure.refused, failure.retry_after_s)
    policy = RetryPolicy(job.max_attempts, settings.retry_base_s, settings.retry_cap_s)
    decision = plan_retry(job.attempts, failure, policy, rng)
    if isinstance(decision, Failed):
        return Outcome(Event.REFUSE, decision.reason, result)
    if isinstance(decision, Dead):
        return Outcome(Event.EXHAUST, decision.reason, result)
    return Outcome(Event.RETRY, failure.text, delay_s=decision.delay_s)


class Running:
    """An attempt that has begun.

    Why it has to stop is noted before the code is told, so that its end can be read rightly: `is_cancelled` by a
    person, `is_late` by its deadline, `is_leaving` because the process ends.

    Parameters
    ----------
    is_watched : somebody else writes the heartbeats and tells when the job is cancelled.
    """

    def __init__(
        self,
        job: Job,
        context: JobContext,
        store: JobStore,
        settings: JobSettings,
        clock: Clock,
        *,
        is_watched: bool = False,
    ) -> None:
        self.job = job
        self.context = context
        self._store = store
        self._settings = settings
        self._clock = clock
        self._is_watched = is_watched
        self._wake = threading.Event()
        self._is_done = False
        self._is_cancelled = self._is_late = self._is_leaving = False
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._beaten_s = clock.monotonic_s()

    def cancel(self) -> None:
        """A person cancelled the job."""
        self._is_cancelled = True
        self.context.stop()
        self._wake.set()

    @property
    def was_stopped(self) -> bool:
        """Whether the code was told to end; what it began may still be running."""
        return self._is_cancelled or self._is_late or self._is_leaving

    def leave(self) -> None:
        """The process has to end; the job will go on elsewhere."""
        self._is_leaving = True
        self.context.stop()
        self._wake.set()

    def run(self, executor: Executor) -> None:
        """Return when the code has ended, or has to be left behind. Raises `Fenced` if the attempt is over."""
        # With this thread's context: the code's log lines name the job, and its spans belong to the attempt.
        work = contextvars.copy_context().run
        name = f"job-{self.job.id[:11]}"
        threading.Thread(target=work, args=(self._work, executor), name=name, daemon=True).start()
        stopping_s: float | None = None
        while True:
            self._wake.wait(self._pause_s())
            self._wake.clear()
            if self._is_done or self._is_leaving:
                return
            now_s = self._clock.monotonic_s()
            self._look(now_s)
            if self.context.remaining_s <= 0:
                self._is_late = True
            if self._is_cancelled or self._is_late:
                stopping_s = now_s if stopping_s is None else stopping_s
                self.context.stop()
                if now_s - stopping_s >= self._settings.cancel_grace_s:
                    # Python cannot end a thread. Its writes are fenced from here on.
                    log.warning("job does not stop; its thread is left behind")
                    return

    def outcome(self, clean: Callable[[str], str], rng: random.Random) -> Outcome:
        """How the attempt ended, as the store is to be told."""
        if self._is_done and self._error is None and self._result is not None:
            return Outcome(Event.SUCCEED, result=self._result)
        if self._error is None or isinstance(self._error, JobCancelled):
            return self._stopped()
        if isinstance(self._error, Fenced):
            raise self._error
        return self.failed(self._error, clean, rng)

    def failed(self, error: BaseException, clean: Callable[[str], str], rng: random.Random) -> Outcome:
        """What follows from an error: another attempt, or the end."""
        if not isinstance(error, BadAnswer):
            return outcome_of(failure_of(error), self.job, self._settings, clean, rng)
        result = error.result
        failure = failure_of_status(result.status, str(error), error.retry_after)
        return outcome_of(failure, self.job, self._settings, clean, rng, result)

    def _stopped(self) -> Outcome:
        if self._is_cancelled:
            return Outcome(Event.STOP)
        if self._is_late:
            return Outcome(Event.EXPIRE, "its deadline passed while it ran")
        if self._is_leaving:
            return Outcome(Event.INTERRUPT, "its worker had to leave")
        return Outcome(Event.REFUSE, "the model's code stopped without an answer")

    def _work(self, executor: Executor) -> None:
        """The thread of the job's own code. Nothing that it raises leaves it."""
        try:
            self._result = executor.run(self.job, self.context)
        except BaseException as exc:  # noqa: BLE001  # SystemExit and MemoryError too: the worker has to live
            # The traceback would keep the code's variables, and with them perhaps all memory, alive.
            self._error = exc.with_traceback(None)
            if not isinstance(exc, JobCancelled | Fenced | BadAnswer):
                log.warning("job's code failed", job=self.job.id, error=type(exc).__name__)
        finally:
            self._is_done = True
            self._wake.set()

    def _look(self, now_s: float) -> None:
        """Write what the code told, say that it lives, and see whether it is to be cancelled."""
        try:
            asked = self.context.flush()
            if asked is not None:
                self._beaten_s = now_s
            elif self._is_watched:
                return
            elif now_s - self._beaten_s >= self._settings.heartbeat_s:
                asked = self._store.heartbeat(self.job.id, self.job.epoch)
                self._beaten_s = now_s
            else:
                asked = self._store.is_cancelling(self.job.id, self.job.epoch)
        except _AWAY as exc:
            # The code runs on; if the store stays away for too long, a later look finds the attempt fenced.
            log.warning("heartbeat failed", job=self.job.id, error=type(exc).__name__)
            return
        self._is_cancelled = self._is_cancelled or asked

    def _pause_s(self) -> float:
        pause_s = min(LOOK_S, self._settings.heartbeat_s)
        if self.was_stopped:
            # The grace runs in whole looks, but no longer than it is.
            return min(pause_s, self._settings.cancel_grace_s)
        # Until the deadline if that is nearer.
        return max(0.0, min(pause_s, self.context.remaining_s))
