"""Reading and writing in the folder of a task, whose program may have put there what it likes. Standard library only.

A link could lead anywhere, and a pipe would be waited for: both are as if they were not there.
"""

import json
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

# A file of a state keeps its place on the disk, so that it can be written over when the disk is full.
_BLOCK = 4096


def open_regular(path: Path | str, *, dir_fd: int | None = None) -> int | None:
    """A descriptor to read a plain file with; None if there is none of this name."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return fd


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None if there is none, or something else."""
    fd = open_regular(path)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        try:
            found = json.loads(file.read(1 << 20))
        except ValueError:
            return None
    return found if isinstance(found, dict) else None


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file as a whole, durably. On a full disk it is written over where it lies."""
    data = json.dumps(value).encode().ljust(_BLOCK)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, data)
            os.fsync(fd)
            is_whole = os.fstat(fd).st_size == len(data)
        finally:
            os.close(fd)
        if not is_whole:
            raise OSError("the disk is full")
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, data, 0)
        finally:
            os.close(fd)
