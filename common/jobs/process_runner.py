"""The handler that runs each job in a process that can be killed: a cancelled job's CPU is free within a second, and a
job that crashes, or takes all memory, takes nothing else with it.

A process is kept for the next job, since making one costs an import of the app. It is ended after a job that had to be
stopped, because what the job's code left running cannot be told from what belongs there.
"""

import atexit
import random
import signal
import threading
from dataclasses import dataclass, field

from common.clock import Clock
from common.jobs.attempt import outcome_of
from common.jobs.child import Began, Build, Cancel, Ended, Handle, Leave, Ready
from common.jobs.children import Child, Nursery
from common.jobs.errors import Fenced
from common.jobs.handling import Disposition
from common.jobs.queues.base import Message
from common.jobs.records import Job, Outcome
from common.jobs.retry import Failure
from common.jobs.runner import Runner
from common.jobs.states import Event
from common.jobs.store import JobStore
from common.settings import JobSettings, Settings
from common.telemetry.logs import get_logger

log = get_logger("atoll.jobs")

# How often it is looked whether a job was cancelled by another process.
LOOK_S = 0.25
# The process itself ends a job that was stopped after its grace; only one that cannot even do that needs longer.
_MARGIN_S = 0.25
# What `multiprocessing` gives where the process that forks the others was killed as well. Code that ends itself by this
# very number is tried again for nothing; a job that was killed and is not tried again would be lost.
_UNKNOWN_EXIT = 255
# From the end of an attempt until its process has sent the message for the next one, and says that it is done.
_SAY_SO_S = 10.0
# A process that has neither begun its job nor passed it by is stuck: no database makes it wait for so long.
_BEGIN_S = 120.0


@dataclass(eq=False)
class _Attempt:
    """A message in a child's hands. `stop` is the event by which its job ends if the child does not end it."""

    message: Message
    child: Child
    sent_s: float
    job: Job | None = None
    began_s: float = 0.0
    beaten_s: float = 0.0
    late_s: float | None = None
    stop: Event | None = None
    stopped_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class ProcessRunner:
    """A `Handler`. Its processes are made when they are needed, one for each job that runs at once.

    Parameters
    ----------
    runner : this process's own; it ends the attempts of processes that died, and sends messages.
    build : gives the runner in a new process.
    """

    def __init__(self, runner: Runner, store: JobStore, settings: Settings, clock: Clock, build: Build) -> None:
        self._runner = runner
        self._store = store
        self._settings: JobSettings = settings.jobs
        self._clock = clock
        self._rng = random.Random()
        self._nursery = Nursery(settings, build)
        self._idle: list[Child] = []
        self._attempts: list[_Attempt] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_used = False
        # Otherwise the interpreter, before it ends, waits for processes that wait for it.
        atexit.register(self.close)

    def prepare(self) -> None:
        """Make a process before the first job needs it, unless that has come. Blocks for as long as that takes."""
        if not self._is_used:
            self._warm()

    def close(self) -> None:
        """End all processes; jobs that run are found missing, unless they were put back before."""
        self._is_closed = True
        self._nursery.close()
        with self._lock:
            children = self._idle + [attempt.child for attempt in self._attempts]
            self._idle = []
        for child in children:
            child.kill()
        atexit.unregister(self.close)

    def handle(self, message: Message) -> Disposition:
        try:
            child = self._take()
            attempt = _Attempt(message, child, self._clock.monotonic_s())
        except OSError as exc:
            log.error("no process can be made for a job", job=message.job_id, exc_info=exc)
            return Disposition.GIVE_BACK
        with self._lock:
            self._attempts.append(attempt)
        is_usable = False
        try:
            child.send(Handle(message))
            ended = self._follow(attempt)
            is_usable = ended is not None and not ended.is_spent
        finally:
            with self._lock:
                self._attempts.remove(attempt)
            if not is_usable:
                child.kill()
        if is_usable:
            self._give_back(child)
        elif attempt.stop is not Event.INTERRUPT:
            # The next job should not have to wait for its process.
            threading.Thread(target=self._warm, name="job-process", daemon=True).start()
        if ended is None:
            return self._bury(attempt)
        if attempt.job is not None:
            self._runner.call_back(attempt.job)
        return ended.disposition

    def postpone(self, message: Message) -> bool:
        return self._runner.postpone(message)

    def handle_poison(self, job_id: str) -> None:
        self._runner.handle_poison(job_id)

    def cancel_here(self, job_id: str) -> None:
        for attempt in self._found():
            if attempt.job is not None and attempt.job.id == job_id:
                self._stop(attempt, Event.STOP)

    def leave(self) -> None:
        for attempt in self._found():
            self._stop(attempt, Event.INTERRUPT)

    def _found(self) -> list[_Attempt]:
        with self._lock:
            return list(self._attempts)

    def _take(self) -> Child:
        with self._lock:
            self._is_used = True
            while self._idle:
                # The one used last: its memory is warm, and the others' may be needed by nobody any more.
                child = self._idle.pop()
                if child.is_alive:
                    return child
        return self._nursery.make()

    def _warm(self) -> None:
        try:
            self._give_back(self._nursery.make())
        except OSError as exc:
            if not self._is_closed:
                log.warning("no process can be made", error=str(exc))

    def _give_back(self, child: Child) -> None:
        if not child.is_alive:
            return
        with self._lock:
            if not self._is_closed:
                self._idle.append(child)
                return
        child.kill()

    def _follow(self, attempt: _Attempt) -> Ended | None:
        """Look after an attempt until its process says that it ended; None if the process is, or has to be, killed."""
        while True:
            reply = attempt.child.receive(LOOK_S)
            if isinstance(reply, Ended):
                return reply
            if isinstance(reply, EOFError):
                return None
            now_s = self._clock.monotonic_s()
            if isinstance(reply, Began):
                self._begin(attempt, reply.job, now_s)
                # Beginning was a look and a heartbeat.
                continue
            if isinstance(reply, Ready):
                attempt.sent_s = now_s
            if not self._may_go_on(attempt, now_s):
                return None

    def _begin(self, attempt: _Attempt, job: Job, now_s: float) -> None:
        attempt.began_s = attempt.beaten_s = now_s
        if job.deadline is not None:
            attempt.late_s = now_s + (job.deadline - self._clock.now()).total_seconds()
        with attempt.lock:
            attempt.job = job
            missed = attempt.stop
        if missed is not None:
            attempt.child.send(Leave())

    def _may_go_on(self, attempt: _Attempt, now_s: float) -> bool:
        if attempt.job is None:
            if now_s - attempt.sent_s > _BEGIN_S:
                log.error("a job's process does not begin", job=attempt.message.job_id)
                return False
            return True
        if attempt.late_s is not None and now_s >= attempt.late_s:
            # The process knows that too, and ends the job by itself if it can.
            self._mark(attempt, Event.EXPIRE, now_s)
        try:
            if self._look(attempt, attempt.job, now_s):
                self._stop(attempt, Event.STOP)
        except Fenced:
            # Somebody gave this attempt up, or it ended a moment ago and the process is about to say so.
            self._mark(attempt, Event.INTERRUPT, now_s + _SAY_SO_S)
        except Exception as exc:  # noqa: BLE001  # if the store stays away, a later look finds the attempt fenced
            log.warning("heartbeat failed", job=attempt.job.id, error=type(exc).__name__)
        waited_s = now_s - attempt.stopped_s
        return attempt.stop is None or waited_s < self._settings.cancel_grace_s + _MARGIN_S

    def _look(self, attempt: _Attempt, job: Job, now_s: float) -> bool:
        """Say that the job lives, if it is time to; whether it is to be cancelled."""
        if now_s - attempt.beaten_s >= self._settings.heartbeat_s:
            attempt.beaten_s = now_s
            return self._store.heartbeat(job.id, job.epoch)
        return self._store.is_cancelling(job.id, job.epoch)

    def _mark(self, attempt: _Attempt, event: Event, now_s: float) -> bool:
        """Note why the attempt has to stop, and since when; False if that was noted before."""
        with attempt.lock:
            if attempt.stop is not None:
                return False
            attempt.stop, attempt.stopped_s = event, now_s
            return True

    def _stop(self, attempt: _Attempt, event: Event) -> None:
        if not self._mark(attempt, event, self._clock.monotonic_s()):
            return
        with attempt.lock:
            job = attempt.job
        if job is not None:
            attempt.child.send(Cancel(job.id) if event is Event.STOP else Leave())

    def _bury(self, attempt: _Attempt) -> Disposition:
        """Write down the end of an attempt whose process is dead."""
        job = attempt.job
        if job is None:
            return Disposition.GIVE_BACK
        outcome = _OUTCOMES.get(attempt.stop) if attempt.stop else None
        if outcome is None:
            failure = failure_of_exit(attempt.child.exit_code)
            log.warning("job's process died", job=job.id, error=failure.text)
            outcome = outcome_of(failure, job, self._settings, str, self._rng)
        try:
            self._runner.end(job, outcome, self._clock.monotonic_s() - attempt.began_s)
        except Fenced:
            # The process wrote it down before it died.
            return Disposition.DELETE
        except Exception as exc:  # the store is away: the scheduler finds the job when it is back
            log.error("job cannot be finished", job=job.id, exc_info=exc)
            return Disposition.GIVE_BACK
        return Disposition.DELETE


_OUTCOMES = {
    Event.STOP: Outcome(Event.STOP),
    Event.EXPIRE: Outcome(Event.EXPIRE, "its deadline passed while it ran"),
    Event.INTERRUPT: Outcome(Event.INTERRUPT, "its worker had to leave"),
}


def failure_of_exit(exit_code: int | None) -> Failure:
    """What the end of a job's process means for the job.

    Parameters
    ----------
    exit_code : as `multiprocessing` gives it: negative is the number of a signal.
    """
    if exit_code is None or exit_code == _UNKNOWN_EXIT:
        return Failure("the job's process ended, and so did the process that could say how")
    if exit_code >= 0:
        return Failure(f"the model's code ended its process with exit code {exit_code}", refused=True)
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = "; there may not have been enough memory" if -exit_code == signal.SIGKILL else ""
    return Failure(f"the job's process was killed by {name}{hint}")
