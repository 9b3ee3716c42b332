"""Taking turns among threads and processes of one machine."""

import contextlib
import os
import sys
import threading
from types import TracebackType


class Turns:
    """One holder at a time, among all threads and processes that name the same `path`; to be used by `with`.

    SQLite has one writer at a time, but those that wait sleep for milliseconds and try again; here they are woken.
    It is no more than that: where the file cannot be locked, processes are left to SQLite's own waiting. The lock ends
    with the process that holds it, and is not passed on to processes that are forked.

    Parameters
    ----------
    path : what is shared; the lock is a file beside it. None, or empty, for threads alone.
    """

    def __init__(self, path: str | None) -> None:
        self._path = f"{path}-writer" if path and path != ":memory:" else None
        self._threads = threading.Lock()
        self._file: int | None = None

    def __enter__(self) -> None:
        self._threads.acquire()
        if sys.platform != "win32" and self._path is not None:
            import fcntl

            with contextlib.suppress(OSError):
                if self._file is None:
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32" and self._file is not None:
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._threads:
            if self._file is not None:
                os.close(self._file)
                self._file = None
