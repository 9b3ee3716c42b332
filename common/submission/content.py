"""What a part of a form holds: in memory, or from a certain size on in a file of this machine."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from common.errors import TooLarge
from common.storage.landing import Landing

_IN_MEMORY_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
# A thread each for milliseconds; those of other routes stay free.
_WRITES = CapacityLimiter(4)


class Content:
    """Takes the content of a part.

    Parameters
    ----------
    left : bytes that may come.
    error : what is raised when more come.
    """

    def __init__(self, folder: Path, left: int, error: Callable[[], TooLarge]) -> None:
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._folder = folder
        self._left = left
        self._error = error
        self._memory = bytearray()
        self._landing: Landing | None = None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def value(self) -> Path | bytes:
        return bytes(self._memory) if self._landing is None else self._landing.path

    async def write(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self.size_bytes > self._left:
            raise self._error()
        self._memory += piece
        if len(self._memory) >= _PIECE_BYTES and (self._landing or self.size_bytes > _IN_MEMORY_BYTES):
            await to_thread.run_sync(self._flush, limiter=_WRITES)

    async def end(self) -> None:
        if self._landing is None:
            self._digest.update(self._memory)
        else:
            await to_thread.run_sync(self._flush, limiter=_WRITES)

    def begins_with(self, magic: bytes) -> bool:
        if self._landing is None:
            return self._memory.startswith(magic)
        with self._landing.path.open("rb") as file:
            return file.read(len(magic)) == magic

    def close(self) -> None:
        if self._landing is not None:
            self._landing.close()

    def _flush(self) -> None:
        if self._landing is None:
            # Its own limit is ours, which was looked at already.
            self._landing = Landing(self._folder, 1 << 62, "")
        piece = bytes(self._memory)
        self._memory.clear()
        self._digest.update(piece)
        self._landing.write(piece)
