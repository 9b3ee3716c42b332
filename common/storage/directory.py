"""The share as a directory: a local disk, or a mounted file share (SMB, NFS)."""

import errno
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from common.storage.share import (
    CHUNK_BYTES,
    PARTIAL,
    FileInfo,
    FileMissing,
    NotAFile,
    Share,
    ShareDown,
    ShareFull,
    check_folder,
    check_path,
    is_partial,
    partial_beside,
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISPLACED = (IsADirectoryError, NotADirectoryError, FileExistsError)


class DirectoryShare(Share):
    """Files below `root`, which is made when something is written.

    A file is written beside its target, forced to disk, then renamed over it. On a local disk that is atomic and
    survives a power cut; on SMB the server decides, so that a blob's digest has the last word.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.label = str(self.root)

    def read(self, path: str) -> Iterator[bytes]:
        with self._reporting(path), self._locate(path).open("rb", buffering=0) as file:
            # The open file stays the old one when its name is given to another.
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        target = self._locate(path)
        partial = self.root / partial_beside(path)
        # Only what the disk says is translated: what `chunks` raises is the caller's.
        with self._reporting(path):
            holders = _make_folders(target.parent)
            # Unbuffered, so that closing writes nothing more and cannot fail a second time.
            file = partial.open("xb", buffering=0)
        size_bytes = 0
        try:
            with file:
                for chunk in chunks:
                    with self._reporting(path):
                        _write_all(file, chunk)
                    size_bytes += len(chunk)
                with self._reporting(path):
                    os.fsync(file.fileno())
            with self._reporting(path):
                partial.replace(target)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        for folder in (target.parent, *holders):
            _sync_folder(folder)
        return size_bytes

    def stat(self, path: str) -> FileInfo | None:
        file = self._locate(path)
        try:
            with self._reporting(path):
                return self._info(path, file) if file.is_file() else None
        except FileMissing:
            return None

    def find(self, folder: str = "") -> list[FileInfo]:
        base = self.root / check_folder(folder)
        found = []
        with self._reporting(folder):
            for parent, folders, names in os.walk(base):
                folders.sort()
                for name in names:
                    file = Path(parent, name)
                    # A file may go between the listing and the look at it; a link may lead nowhere.
                    with suppress(FileNotFoundError):
                        if not is_partial(name) and file.is_file():
                            found.append(self._info(file.relative_to(self.root).as_posix(), file))
        return sorted(found, key=lambda info: info.path)

    def delete(self, path: str) -> bool:
        file = self._locate(path)
        try:
            with self._reporting(path):
                if file.is_dir():
                    return False
                file.unlink()
        except (FileMissing, NotAFile):
            return False
        return True

    def move(self, path: str, target: str) -> None:
        source, destination = self._locate(path), self._locate(target)
        with self._reporting(path):
            if not source.is_file():
                raise FileMissing(f"there is no file {path!r} on the share")
            _make_folders(destination.parent)
            source.replace(destination)
            _sync_folder(destination.parent)

    def sweep(self, older_than_s: float) -> int:
        gone = 0
        with self._reporting(""):
            for file in self.root.rglob(PARTIAL + "*"):
                with suppress(FileNotFoundError):
                    if _is_older(file, older_than_s):
                        file.unlink()
                        gone += 1
        return gone

    def expire(self, folder: str, older_than_s: float) -> int:
        gone = 0
        with self._reporting(folder):
            for file in (self.root / check_folder(folder)).rglob("*"):
                with suppress(FileNotFoundError):
                    if not is_partial(file.name) and file.is_file() and _is_older(file, older_than_s):
                        file.unlink()
                        gone += 1
        return gone

    def local_path(self, path: str) -> Path:
        return self._locate(path)

    def _locate(self, path: str) -> Path:
        return self.root / check_path(path)

    @staticmethod
    def _info(path: str, file: Path) -> FileInfo:
        found = file.stat()
        # The inode too: two files of one size may be written within the clock's resolution.
        return FileInfo(path, found.st_size, f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}")

    @contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise FileMissing(f"there is no file {path!r} on the share") from None
        except _MISPLACED:
            raise NotAFile(f"{path!r} is a folder on the share, or lies below a file; choose another name") from None
        except OSError as exc:
            if exc.errno in _FULL:
                raise ShareFull from exc
            raise ShareDown(f"the file share failed at {path!r}: {exc.strerror or type(exc).__name__}") from exc


def _is_older(file: Path, age_s: float) -> bool:
    return file.stat().st_mtime < time.time() - age_s


def _write_all(file: FileIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns the folders that hold new ones, to be forced to disk too."""
    holders: list[Path] = []
    missing = folder
    while not missing.exists():
        missing = missing.parent
        holders.append(missing)
    folder.mkdir(parents=True, exist_ok=True)
    return holders


def _sync_folder(folder: Path) -> None:
    """Force a folder's names to disk; file systems that cannot (SMB) say so, and are left alone."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
