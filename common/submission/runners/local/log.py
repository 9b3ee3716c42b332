"""The log of one program: all that it writes, up to a limit. Standard library only."""

import os
from contextlib import suppress
from pathlib import Path

_END_BYTES = 4096


class Log:
    """Appends to a file. A full disk, or a log that is full, keeps no program from going on.

    Parameters
    ----------
    limit_bytes : what is more is left out, and a line says so.

    Attributes
    ----------
    end : the last of what was written, kept or not.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        with suppress(OSError):
            # The program of an earlier run may have put a link here.
            if path.is_symlink():
                path.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._fd: int | None = os.open(path, flags, 0o600)
        except OSError:
            self._fd = None
        self._left = limit_bytes - (os.fstat(self._fd).st_size if self._fd is not None else 0)
        self._limit_bytes = limit_bytes
        self._is_cut = False
        self.end = b""

    def write(self, data: bytes) -> None:
        self.end = (self.end + data[-_END_BYTES:])[-_END_BYTES:]
        if self._fd is None or self._is_cut:
            return
        kept = data[: max(0, self._left)]
        self._left -= len(kept)
        try:
            while kept:
                kept = kept[os.write(self._fd, kept) :]
        except OSError as exc:
            self._cut(f"the log cannot be written ({exc.strerror}); what follows is left out")
        else:
            if self._left <= 0 and len(data) > 0:
                self._cut(f"the log is cut at {self._limit_bytes} bytes; what follows is left out")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def _cut(self, why: str) -> None:
        self._is_cut = True
        if self._fd is not None:
            with suppress(OSError):
                os.write(self._fd, f"\natoll: {why}; the program goes on\n".encode())
