"""Files of this machine that are being received. What a process that was killed left behind is told from what is on its
way by a lock, which ends with the process.
"""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from common.clock import new_id
from common.errors import TooLarge, Unavailable
from common.telemetry.logs import get_logger

log = get_logger("atoll.storage")

_SUFFIX = ".part"
# A file is there for a moment before it is locked.
_YOUNG_S = 60.0
# Where files cannot be locked, nothing takes as long.
_OLD_S = 86400.0


class Landing:
    """A new file in `folder`, until `close` removes it. One thread at a time.

    Parameters
    ----------
    setting : the variable that `max_bytes` comes from.

    Attributes
    ----------
    size_bytes, digest : of what was written.
    """

    def __init__(self, folder: Path, max_bytes: int, setting: str) -> None:
        self.path = folder / f"{new_id()}{_SUFFIX}"
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self._max_bytes = max_bytes
        self._setting = setting
        with _told_when_full():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)
            _try_lock(self._file.fileno())

    def write(self, piece: bytes) -> None:
        """
        Raises
        ------
        TooLarge
        Unavailable
            The disk is full.
        """
        self.size_bytes += len(piece)
        if self.size_bytes > self._max_bytes:
            raise too_large(self._max_bytes, self._setting)
        self.digest.update(piece)
        with _told_when_full():
            # A raw file may take less than all of it.
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) or 0 :]

    def close(self) -> None:
        """Remove the file; again does nothing."""
        self.path.unlink(missing_ok=True)
        self._file.close()


def too_large(max_bytes: int, setting: str) -> TooLarge:
    return TooLarge(f"the file is larger than {max_bytes} bytes; send less, or raise {setting}")


def sweep(folder: Path) -> int:
    """Remove the files whose process has ended; how many."""
    gone = 0
    if folder.is_dir():
        for path in folder.glob(f"*{_SUFFIX}"):
            # Another process may sweep at the same time.
            with contextlib.suppress(FileNotFoundError):
                if _is_abandoned(path):
                    path.unlink()
                    gone += 1
    if gone:
        log.info("removed uploads that were cut off", files=gone)
    return gone


def _is_abandoned(path: Path) -> bool:
    age_s = time.time() - path.stat().st_mtime
    if sys.platform == "win32":
        return age_s > _OLD_S
    if age_s < _YOUNG_S:
        return False
    number = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return _try_lock(number)
    finally:
        os.close(number)


def _try_lock(number: int) -> bool:
    """Whether nobody else holds the lock; it goes with the open file."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        log.warning("an upload cannot be written", error=str(exc))
        raise Unavailable(
            "this host has no room to receive the file; nothing was kept, try again later", retry_after_s=60
        ) from exc
