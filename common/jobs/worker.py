"""Takes messages from queues and has them handled, several at once, until told to stop."""

import queue as queues
import threading
from collections.abc import Sequence

from common.clock import Clock
from common.jobs.handling import Disposition, Handler
from common.jobs.queues.base import Message, Queue
from common.settings import JobSettings
from common.telemetry.logs import get_logger

log = get_logger("atoll.worker")

# A message that was not handled comes again after this.
GIVE_BACK_S = 5.0
# A message that came back so often never will be handled; the job's own attempts are counted elsewhere, and less.
POISON_COUNT = 20
# What jobs that were told to leave get to be written down.
_LEAVE_S = 5.0
_LONGEST_PAUSE_S = 30.0


class Worker:
    """Polls `names` in turn. `run` blocks; `stop` may be called from any thread or signal handler.

    Nothing is taken that cannot begin at once: a job that waits behind a long one here could run elsewhere.
    """

    def __init__(
        self,
        queue: Queue,
        handler: Handler,
        names: Sequence[str],
        settings: JobSettings,
        clock: Clock,
        concurrency: int,
    ) -> None:
        self._queue = queue
        self._handler = handler
        self._names = list(names)
        self._settings = settings
        self._clock = clock
        self._concurrency = concurrency
        self._stopping = threading.Event()
        self._inbox: queues.SimpleQueue[Message | None] = queues.SimpleQueue()
        self._lock = threading.Lock()
        self._held: dict[str, Message] = {}
        self._renewed_s = clock.monotonic_s()
        self._drain_s = settings.drain_s

    def run(self, limit: int | None = None, idle_s: float | None = None) -> int:
        """Work until stopped; or until `limit` messages were handled, or none came for `idle_s`.

        Returns how many messages were taken.
        """
        threads = [
            threading.Thread(target=self._handle_all, name=f"worker-{number}", daemon=True)
            for number in range(self._concurrency)
        ]
        for thread in threads:
            thread.start()
        try:
            taken = self._take_all(limit, idle_s)
        finally:
            self._drain(None if limit is not None and not self._stopping.is_set() else self._drain_s)
            for _ in threads:
                self._inbox.put(None)
        return taken

    def stop(self, drain_s: float | None = None) -> None:
        """Take nothing more; wait `drain_s` for what runs, then put it back into its queue."""
        if drain_s is not None:
            self._drain_s = drain_s
        self._stopping.set()
        self._queue.wake()

    def _take_all(self, limit: int | None, idle_s: float | None) -> int:
        taken = 0
        pause_s = min(0.02, self._queue.poll_s)
        idle_since_s = self._clock.monotonic_s()
        while not self._stopping.is_set() and (limit is None or taken < limit):
            free = self._concurrency - self._count()
            wanted = free if limit is None else min(free, limit - taken)
            try:
                self._renew_all()
                got = self._take(wanted) if wanted > 0 else 0
                longest_s = self._queue.poll_s
            except Exception as exc:  # noqa: BLE001  # each kind of queue has errors of its own
                log.warning("queue cannot be read; trying again", error=f"{type(exc).__name__}: {exc}"[:300])
                got, longest_s = 0, _LONGEST_PAUSE_S
                pause_s = max(pause_s, 0.5)
            taken += got
            if got:
                pause_s = min(0.02, self._queue.poll_s)
                idle_since_s = self._clock.monotonic_s()
                continue
            if idle_s is not None and wanted and self._clock.monotonic_s() - idle_since_s >= idle_s:
                break
            # With all hands full only the end of a job is awaited, and that wakes.
            self._queue.wait(pause_s if wanted else 1.0)
            pause_s = min(pause_s * 2, longest_s)
        return taken

    def _take(self, wanted: int) -> int:
        got = 0
        for name in self._queue.ready(self._names):
            if got >= wanted or self._stopping.is_set():
                break
            for message in self._queue.receive(name, wanted - got, self._settings.lease_s):
                got += 1
                with self._lock:
                    self._held[message.id] = message
                self._inbox.put(message)
        # The next look begins with another queue, so that a full one does not starve the others.
        self._names.append(self._names.pop(0))
        return got

    def _handle_all(self) -> None:
        while (message := self._inbox.get()) is not None:
            try:
                self._handle(message)
            except Exception as exc:
                # The message comes back when its lease ends.
                log.error("message was not handled", job=message.job_id, exc_info=exc)
            finally:
                with self._lock:
                    self._held.pop(message.id, None)
                self._queue.wake()

    def _handle(self, message: Message) -> None:
        if self._stopping.is_set():
            self._queue.renew(message, 0)
            return
        if message.dequeue_count > POISON_COUNT:
            self._handler.handle_poison(message.job_id)
            self._queue.poison(message)
            return
        disposition = self._handler.handle(message)
        with self._lock:
            # A renewal may have changed the receipt.
            held = self._held.get(message.id, message)
        if disposition is Disposition.DELETE:
            self._queue.delete(held)
        else:
            self._queue.renew(held, GIVE_BACK_S)

    def _renew_all(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._renewed_s < self._settings.lease_s / 2:
            return
        self._renewed_s = now_s
        with self._lock:
            held = list(self._held.values())
        for message in held:
            renewed = self._queue.renew(message, self._settings.lease_s)
            with self._lock:
                # It may have been handled in the meantime.
                if renewed is not None and message.id in self._held:
                    self._held[message.id] = renewed

    def _drain(self, drain_s: float | None) -> None:
        """Wait for what runs: to its end for None, else `drain_s` and then until it is put back."""
        until_s = None if drain_s is None else self._clock.monotonic_s() + drain_s
        left = False
        while self._count():
            now_s = self._clock.monotonic_s()
            if until_s is None and self._stopping.is_set():
                until_s = now_s + self._drain_s
            if until_s is not None and now_s >= until_s:
                if left:
                    log.warning("jobs are left for the scheduler to find", count=self._count())
                    return
                log.info("putting running jobs back", count=self._count())
                self._handler.leave()
                left, until_s = True, now_s + _LEAVE_S
            try:
                self._renew_all()
            except Exception as exc:  # noqa: BLE001  # the next round may succeed
                log.warning("leases cannot be renewed", error=type(exc).__name__)
            self._queue.wait(0.1)

    def _count(self) -> int:
        with self._lock:
            return len(self._held)
