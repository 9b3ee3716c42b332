"""Reading on a thread for many who wait at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future


class SharedReads:
    """Runs `read` on a thread, one at a time, each time for all who asked before it began.

    However many ask, no more than one read is under way and the next waits for `gap_s`; yet nobody is given what was
    read before they asked.

    Parameters
    ----------
    read : blocks. What it raises is the result for all who asked, None if it raises nothing.
    gap_s : seconds from the begin of one read to the begin of the next, at least.
    """

    def __init__(self, read: Callable[[], None], *, gap_s: float) -> None:
        self._read = read
        self._gap_s = gap_s
        self._lock = threading.Lock()
        self._next: Future[BaseException | None] | None = None
        self._is_running = False
        self._began_s = -gap_s

    def ask(self) -> "Future[BaseException | None]":
        """Done when a read that had not begun yet is over. It cannot be cancelled: others may wait for it too."""
        with self._lock:
            if self._next is None:
                self._next = Future()
                self._next.set_running_or_notify_cancel()
                if not self._is_running:
                    self._is_running = True
                    # A daemon: a database that hangs must not keep the process from ending.
                    threading.Thread(target=self._work, name="keys", daemon=True).start()
            return self._next

    def _work(self) -> None:
        while True:
            time.sleep(max(0.0, self._began_s + self._gap_s - time.monotonic()))
            with self._lock:
                future, self._next = self._next, None
                if future is None:
                    self._is_running = False
                    return
            self._began_s = time.monotonic()
            failure: BaseException | None = None
            try:
                self._read()
            except BaseException as exc:  # noqa: BLE001  # whatever it is, those who wait have to be told
                failure = exc
            # Not raised: each of thousands who wait would add its own frames to the one traceback.
            future.set_result(failure)
