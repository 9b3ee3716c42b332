"""The folders of tasks on Atoll's share, as Atoll sees them.

Programs write there, so that nothing in them is trusted: a link could lead to Atoll's own secrets. Where the share is a
mounted directory, every step below the task's folder is taken without following links. Other shares know none.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from common.settings import get_settings
from common.storage.location import open_share
from common.storage.share import CHUNK_BYTES, FileMissing, Share
from common.submission.errors import ClusterRefused
from common.submission.records import LogPart, Package
from common.submission.runners.kubernetes.config import KubernetesBase
from common.submission.script import OUTPUT

# Folders that only exist with a file in them.
KEEP = ".keep"
# Each level of folders holds one of them open.
_MOST_DEEP = 50
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TaskFolders:
    """Writes and reads them, by the names of submissions.

    Parameters
    ----------
    share : Atoll's own; by default that of the settings.
    """

    def __init__(self, config: KubernetesBase, share: Share | None = None) -> None:
        self._config = config
        self._given = share

    @property
    def _share(self) -> Share:
        return self._given or open_share(get_settings().storage)

    def folder(self, name: str) -> str:
        return f"{self._config.folder}/{self._config.name}/{name}"

    def place(self, name: str, package: Package, *also: str) -> None:
        """Write the files; a second time over the first.

        Parameters
        ----------
        also : folders that must be there.

        Raises
        ------
        ClusterRefused
            A program has put links into the folder.
        """
        share, folder = self._share, self.folder(name)
        here = share.local_path(folder)
        paths = [*(f"{path}/{KEEP}" for path in also), *package.files]
        if here is not None and any(_has_link(here, path) for path in paths):
            raise ClusterRefused(f"{folder} on the share has links in it, which a program must have put there")
        for path in also:
            share.write(f"{folder}/{path}/{KEEP}", [b""])
        # run.sh comes last: with it, the folder is complete.
        for path in sorted(package.files, key=lambda path: (path == "run.sh", path)):
            content = package.files[path]
            share.write(f"{folder}/{path}", _read(content) if isinstance(content, Path) else [content])

    def log(self, name: str, offset: int, limit: int, element: int | None) -> LogPart | None:
        """A piece of the log; None where none has been begun."""
        path = f"{self.folder(name)}/{log_name(element)}"
        here = self._share.local_path(path)
        if here is not None:
            return _local_log(here, offset, limit)
        info = self._share.stat(path)
        if info is None:
            return None
        try:
            content = _skipped(self._share.read(path), offset, limit)
        except FileMissing:
            return None
        return LogPart(content, offset, max(info.size_bytes, offset + len(content)))

    def collect(self, name: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The files of `output/`, and the logs."""
        share, folder = self._share, self.folder(name)
        here = share.local_path(folder)
        if here is not None:
            yield from _local_files(here)
            return
        for info in share.find(folder):
            path = info.path.removeprefix(f"{folder}/")
            if _is_left(path):
                yield path, share.read(info.path)

    def clean(self, name: str) -> None:
        share, folder = self._share, self.folder(name)
        here = share.local_path(folder)
        if here is not None:
            # It follows no links.
            shutil.rmtree(here, ignore_errors=True)
            return
        for info in share.find(folder):
            share.delete(info.path)


def log_name(element: int | None) -> str:
    return "task.log" if element is None else f"task-{element}.log"


def _is_left(path: str) -> bool:
    """Whether a task leaves it for its owner."""
    if path.startswith(f"{OUTPUT}/"):
        return path.rpartition("/")[2] != KEEP
    return "/" not in path and path.startswith("task") and path.endswith(".log")


def _has_link(folder: Path, path: str) -> bool:
    at = folder
    for part in ("", *path.split("/")):
        at = at / part
        if at.is_symlink():
            return True
    return False


def _local_log(path: Path, offset: int, limit: int) -> LogPart | None:
    fd = _opened(path, _FILE)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None
        file.seek(offset)
        content = file.read(limit)
        return LogPart(content, offset, max(found.st_size, offset + len(content)))


def _local_files(folder: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    fd = _opened(folder, _FOLDER)
    if fd is not None:
        yield from _below(fd, "")


def _below(folder_fd: int, prefix: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Plain files, by their paths; `folder_fd` is closed."""
    try:
        for name in sorted(os.listdir(folder_fd)):
            path = f"{prefix}{name}"
            inner = _opened(name, _FOLDER, folder_fd) if prefix or name == OUTPUT else None
            if inner is not None and prefix.count("/") >= _MOST_DEEP:
                os.close(inner)
            elif inner is not None:
                yield from _below(inner, f"{path}/")
            elif _is_left(path):
                yield from _plain_file(path, _opened(name, _FILE, folder_fd))
    finally:
        os.close(folder_fd)


def _plain_file(path: str, fd: int | None) -> Iterator[tuple[str, Iterator[bytes]]]:
    if fd is None:
        return
    # Closed here, since nobody has to read the parts.
    with os.fdopen(fd, "rb", buffering=0) as file:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            yield path, iter(partial(file.read, CHUNK_BYTES), b"")


def _opened(path: Path | str, flags: int, folder_fd: int | None = None) -> int | None:
    with suppress(OSError):
        return os.open(path, flags, dir_fd=folder_fd)
    return None


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            yield part


def _skipped(parts: Iterator[bytes], offset: int, limit: int) -> bytes:
    found, at = bytearray(), 0
    for part in parts:
        found += part[max(0, offset - at) :]
        at += len(part)
        if len(found) >= limit:
            break
    return bytes(found[:limit])
