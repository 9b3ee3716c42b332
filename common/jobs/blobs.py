"""Bodies too large for a database row: write-once files on the share, named by job and content."""

import hashlib
from typing import Protocol

from common.errors import DependencyFailed
from common.storage.share import FileMissing, Share

# What stays in the database.
INLINE_BYTES = 256 * 1024


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


class ShareBlobs:
    """Blobs in the folder `jobs` of the share, which all workers reach."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def put(self, job_id: str, content: bytes) -> str:
        name = f"{job_id}/{hashlib.sha256(content).hexdigest()}"
        self._share.write(_path(name), [content])
        return name

    def get(self, name: str) -> bytes:
        try:
            content = b"".join(self._share.read(_path(name)))
        except FileMissing:
            raise DependencyFailed("the stored body is not on the share any more") from None
        # Not every share writes atomically.
        if hashlib.sha256(content).hexdigest() != name.rpartition("/")[2]:
            raise DependencyFailed("the stored body is damaged on the share")
        return content

    def remove(self, job_id: str) -> None:
        for file in self._share.find(f"jobs/{job_id}"):
            self._share.delete(file.path)


def _path(name: str) -> str:
    return f"jobs/{name}"
