"""A task's folder as one tar stream, there and back."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO

from common.submission.errors import ClusterDown, OutputTooLarge
from common.submission.records import Package

_PART_BYTES = 256 * 1024
_BLOCK = 512
_ENDING = bytes(2 * _BLOCK)


async def packed(package: Package, last: tuple[str, bytes]) -> AsyncIterator[bytes]:
    """The files of a package and one more behind them, in parts of some 256 KiB: small files share one.

    Raises
    ------
    ClusterDown
        A file cannot be read (any more).
    """
    gathered = bytearray()
    for path, file in [*package.files.items(), last]:
        try:
            async for part in _member(path, file):
                gathered += part
                if len(gathered) >= _PART_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
        except OSError as exc:
            raise ClusterDown(f"{path[:200]} cannot be read here, and was not sent: {exc.strerror or exc}") from exc
    yield bytes(gathered) + _ENDING


async def _member(path: str, file: Path | bytes) -> AsyncIterator[bytes]:
    if isinstance(file, bytes):
        yield _header(path, len(file), runs=False) + file + _filling(len(file))
        return
    stat = await asyncio.to_thread(file.stat)
    yield _header(path, stat.st_size, runs=bool(stat.st_mode & 0o100))
    async for part in _parts(file, stat.st_size):
        yield part
    yield _filling(stat.st_size)


async def _parts(file: Path, size: int) -> AsyncIterator[bytes]:
    """Exactly `size` bytes, as the header promised."""
    with await asyncio.to_thread(file.open, "rb") as opened:
        left = size
        while left:
            # Small files come from the cache of the disk at once; a thread would cost more than it spares.
            part = opened.read(left) if left <= _PART_BYTES else await asyncio.to_thread(opened.read, _PART_BYTES)
            if not part:
                raise OSError(f"{file.name} became shorter while it was sent")
            left -= len(part)
            yield part


def _header(path: str, size: int, *, runs: bool) -> bytes:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path[:80]} lies outside the task's folder")
    member = tarfile.TarInfo(path)
    member.size = size
    member.mode = 0o700 if runs else 0o600
    return member.tobuf(tarfile.GNU_FORMAT)


def _filling(size: int) -> bytes:
    return bytes(-size % _BLOCK)


class Source(io.RawIOBase):
    """A stream for `tarfile` over a function that gives the next bytes, and none at the end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._read(_PART_BYTES if size < 0 else size)


def unpacked(source: Source, max_bytes: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The plain files of a tar stream, in its order. Each one's parts are to be read before the next is asked for.

    Raises
    ------
    OutputTooLarge
        They are larger, together, than `max_bytes`.
    ClusterDown
        The stream breaks off.
    """
    total = 0
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=_PART_BYTES) as archive:
            for member in archive:
                if not member.isfile() or not _is_inside(member.name):
                    continue
                total += member.size
                if total > max_bytes:
                    raise OutputTooLarge(
                        f"the task left more than {max_bytes} bytes; write less to its output folder, or set "
                        "max_output_bytes of the cluster"
                    )
                opened = archive.extractfile(member)
                if opened is not None:
                    yield member.name, _content(opened)
    except tarfile.ReadError as exc:
        # Nothing at all is what a task without a folder leaves.
        if str(exc) != "empty file":
            raise ClusterDown(f"the files did not arrive in full: {exc}") from exc


def _content(opened: IO[bytes]) -> Iterator[bytes]:
    try:
        while part := opened.read(_PART_BYTES):
            yield part
    except tarfile.ReadError as exc:
        raise ClusterDown(f"a file did not arrive in full: {exc}") from exc


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")
