"""What a running job's code is given: progress, cancellation, log, checkpoint.

The code's own thread writes nothing to the database but checkpoints: progress and lines are collected here, and the
runner's supervising thread writes the newest ones about once a second. A loop may report as often as it likes.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from common.clock import Clock
from common.jobs.errors import JobCancelled
from common.jobs.records import Job, NewLine, Progress, Result, Within

# Lines kept between two writes; a loop that logs without end must not take all memory.
_BUFFERED_LINES = 1000


class Records(Protocol):
    """Where what a job's code tells is written: the store, or, on a cluster, files and standard output."""

    def request_body(self, job_id: str) -> bytes: ...

    def load_checkpoint(self, job_id: str) -> bytes | None: ...

    def save_checkpoint(self, job_id: str, epoch: int, content: bytes) -> None: ...

    def append_logs(self, job_id: str, epoch: int, lines: Sequence[NewLine]) -> None: ...

    def progress(self, job_id: str, epoch: int, progress: Progress) -> bool:
        """Whether the job is to be cancelled."""
        ...


class Checkpoint:
    """What an attempt leaves for the next one. Saving from an attempt that is over raises `Fenced`."""

    def __init__(self, store: Records, job: Job) -> None:
        self._store = store
        self._job = job

    def load(self) -> bytes | None:
        """What this attempt or an earlier one saved last."""
        return self._store.load_checkpoint(self._job.id)

    def save(self, content: bytes) -> None:
        self._store.save_checkpoint(self._job.id, self._job.epoch, content)


class JobContext:
    """One attempt, as its code sees it. Safe to use from several threads.

    Attributes
    ----------
    job : the record, as it was when the attempt began.
    checkpoint : bytes that survive the attempt.
    remaining_s : gives the seconds until the deadline, infinite without one.
    """

    def __init__(self, job: Job, store: Records, clock: Clock, clean: Callable[[str], str] = str) -> None:
        self.job = job
        self.checkpoint = Checkpoint(store, job)
        self._store = store
        self._clock = clock
        self._clean = clean
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._progress = Progress()
        self._is_dirty = False
        self._lines: list[NewLine] = []
        self._hooks: list[Within] = []
        # A deadline is a wall time, but its distance is measured once: a clock that jumps later ends nothing.
        self._began_s = clock.monotonic_s()
        self._time_s = (job.deadline - clock.now()).total_seconds() if job.deadline else math.inf

    @property
    def body(self) -> bytes:
        """The body of the request."""
        return self._store.request_body(self.job.id)

    @property
    def remaining_s(self) -> float:
        return self._time_s - (self._clock.monotonic_s() - self._began_s)

    @property
    def cancelled(self) -> bool:
        """Whether to stop: somebody cancelled the job, its deadline passed, or its worker has to leave."""
        return self._stop.is_set()

    def check_cancelled(self) -> None:
        """Leave the work by `JobCancelled` if it is to stop. Call it where it is safe to leave."""
        if self.cancelled:
            raise JobCancelled

    def wait_cancelled(self, timeout_s: float) -> bool:
        """Sleep, but no longer than until the job is to stop; whether it is."""
        return self._stop.wait(timeout_s)

    def progress(self, fraction: float | None = None, message: str | None = None, **metrics: Any) -> None:
        """Tell how far the work is.

        Parameters
        ----------
        fraction : 0 to 1; None leaves it as it was. Others are brought into that range.
        message : for people; None leaves it as it was.
        metrics : named figures, e.g. `loss=0.2`; they are added to those told before.
        """
        with self._lock:
            old = self._progress
            known = fraction is not None and math.isfinite(fraction)
            self._progress = Progress(
                min(1.0, max(0.0, fraction)) if known and fraction is not None else old.fraction,
                self._clean(message) if message is not None else old.message,
                {**old.metrics, **{name: _plain(value) for name, value in metrics.items()}},
            )
            self._is_dirty = True

    def log(self, text: str, level: str = "info") -> None:
        """Add a line to the job's log, which its owner can read."""
        line = NewLine(self._clock.now(), self._clean(text), level)
        with self._lock:
            self._lines.append(line)
            del self._lines[:-_BUFFERED_LINES]

    def on_commit(self, hook: Within) -> None:
        """Run `hook(connection)` in the transaction that makes the job succeed: both happen, or neither."""
        self._hooks.append(hook)

    def stop(self) -> None:
        """Ask the work to end; the runner's side."""
        self._stop.set()

    def commit(self, connection: Any) -> None:
        """Run the hooks; the runner's side."""
        for hook in self._hooks:
            hook(connection)

    def flush(self) -> bool | None:
        """Write what was told since the last time; the runner's side.

        Returns whether the job is to be cancelled, None if there was nothing to write. Raises `Fenced`.
        """
        with self._lock:
            progress = self._progress if self._is_dirty else None
            lines, self._lines, self._is_dirty = self._lines, [], False
        try:
            if lines:
                self._store.append_logs(self.job.id, self.job.epoch, lines)
                lines = []
            return self._store.progress(self.job.id, self.job.epoch, progress) if progress else None
        except Exception:
            # For the next time, when the store may be back.
            with self._lock:
                self._lines = [*lines, *self._lines]
                self._is_dirty = self._is_dirty or progress is not None
            raise


class Executor(Protocol):
    """Runs the jobs of one kind."""

    def run(self, job: Job, context: JobContext) -> Result:
        """Do the work and give its answer, on a thread of its own.

        Raises
        ------
        JobRefused, Invalid
            The job is wrong as asked: it fails, and is not tried again.
        JobCancelled
            It was told to stop, and did.
        Exception
            Anything else is tried again, as often as the job's attempts allow.
        """


Executors = Mapping[str, Executor]


def _plain(value: Any) -> Any:
    """A metric's value as JSON can hold it: NumPy's numbers become Python's, NaN and infinities null."""
    if hasattr(value, "item") and callable(value.item):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
