"""Bodies too large for a database row: write-once files on the share, named by job and content."""

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Protocol

from common.errors import DependencyFailed

# What stays in the database.
INLINE_BYTES = 256 * 1024

_NAME = re.compile(r"[0-9a-z]{1,32}/[0-9a-f]{64}")


class Blobs(Protocol):
    """Where large bodies lie. Each job has its own, so that removing one's never takes another's away."""

    def put(self, job_id: str, content: bytes) -> str:
        """Keep `content`; the name asks for it. Putting the same again is harmless."""

    def get(self, name: str) -> bytes:
        """The content put under `name`.

        Raises
        ------
        DependencyFailed
            It is gone, or is not what was put there.
        """

    def remove(self, job_id: str) -> None:
        """Forget all of a job."""


class DirectoryBlobs:
    """Blobs in a folder, e.g. on a mounted share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, job_id: str, content: bytes) -> str:
        name = f"{job_id}/{hashlib.sha256(content).hexdigest()}"
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written in place: not every share renames atomically. A reader checks the hash, and only a name that was
        # committed to the database is ever read.
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return name

    def get(self, name: str) -> bytes:
        try:
            content = self._path(name).read_bytes()
        except OSError:
            raise DependencyFailed("the stored body cannot be read from the share; try again") from None
        if hashlib.sha256(content).hexdigest() != name.rpartition("/")[2]:
            raise DependencyFailed("the stored body is damaged on the share")
        return content

    def remove(self, job_id: str) -> None:
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError("not the name of a blob")
        return self._folder / name
