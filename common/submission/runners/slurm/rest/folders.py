"""The folders of tasks on a file system that this machine and the cluster both mount.

What lies in a task's folder belongs to its user, who may have put anything there: nothing is followed out of it, and
only plain files are read.
"""

import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import LogPart, Package
from common.submission.runners.slurm.rest.config import SlurmRestConfig

_CHUNK = 1 << 20
_CLAIM = re.compile(r"claim(-\d{1,7})?")
_JOB_ID = re.compile(r"[1-9][0-9]{0,11}")
_LOG = re.compile(r"task(-\d{1,7})?\.log")
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OWNER_CHARS = 100
# A link, or a socket.
_NO_FILE = (errno.ELOOP, errno.ENXIO)


class TaskFolders:
    """Writes, reads and removes the folders of tasks.

    Raises
    ------
    ClusterDown
        From every method: the file system does not answer, or is full.
    """

    def __init__(self, config: SlurmRestConfig) -> None:
        self._config = config
        self._root = Path(config.folder)

    def place(self, name: str, package: Package, user: str) -> None:
        """Write a task's folder: all of it, or nothing under its name. One that is there already is left as it is.

        Raises
        ------
        ClusterRefused
            It cannot be given to the user.
        """
        final = self._root / name
        if final.is_dir():
            return
        fresh = self._root / f".new-{name}-{uuid.uuid4().hex[:8]}"
        try:
            with self._telling():
                fresh.mkdir(mode=0o700)
                for path, content in package.files.items():
                    self._write(fresh / path, content)
                self._hand_over(fresh, user)
                self._rename(fresh, final)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def is_there(self, name: str) -> bool:
        """Whether a folder was written for a submission of this name: before that, it cannot have been submitted."""
        with self._telling():
            try:
                (self._root / name).lstat()
            except FileNotFoundError:
                # Were the whole file system gone, that would be no answer.
                self._root.stat()
                return False
            return True

    def claimed_by(self, name: str) -> str | None:
        """The number of the job (of an array: the array's) that runs the program there, as `run.sh` noted it.

        None before it runs, and for what is no number: it is the program's own folder.
        """
        with self._telling(), self._opened(name) as folder:
            if folder is None:
                return None
            for claim in _names(folder):
                file = _open_file(f"{claim}/owner", folder) if _CLAIM.fullmatch(claim) else None
                if file is None:
                    continue
                try:
                    owner = os.read(file, _OWNER_CHARS).decode(errors="replace").strip()
                finally:
                    os.close(file)
                if _JOB_ID.fullmatch(owner):
                    return owner
            return None

    def read_log(self, name: str, log: str, offset: int, limit: int) -> LogPart:
        """A part of a log; empty where there is none (yet)."""
        with self._telling(), self._opened(name) as folder:
            file = None if folder is None else _open_file(log, folder)
            if file is None:
                return LogPart(b"", offset, 0)
            try:
                return LogPart(os.pread(file, limit, offset), offset, os.fstat(file).st_size)
            finally:
                os.close(file)

    def collect(self, name: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Logs, and all plain files below `output`. Names that are no UTF-8 are left out."""
        with self._telling(), self._opened(name) as folder:
            if folder is None:
                return
            for log in _names(folder):
                if _LOG.fullmatch(log):
                    yield from _one(log, log, folder)
            if not _is_folder("output", folder):
                return
            for top, _, files, inside in os.fwalk("output", dir_fd=folder, follow_symlinks=False):
                for file in sorted(files):
                    path = f"{top}/{file}"
                    if _is_text(path):
                        yield from _one(path, file, inside)

    def clean(self, name: str) -> None:
        """Remove a task's folder, and what an interrupted writing of it left."""
        with self._telling():
            for left in (self._root / name, *self._root.glob(f".new-{name}-????????")):
                with suppress(FileNotFoundError):
                    shutil.rmtree(left)

    def _write(self, path: Path, content: Path | bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)

    def _rename(self, fresh: Path, final: Path) -> None:
        try:
            fresh.rename(final)
        except OSError:
            # Somebody else has just placed the same.
            if not final.is_dir():
                raise

    def _hand_over(self, folder: Path, user: str) -> None:
        group = self._config.group
        if self._config.access == "inherit" or (group is None and os.geteuid() != 0):
            # By the folder's ACL, or it is our own account that runs the jobs.
            return
        for path in (folder, *folder.rglob("*")):
            is_folder = path.is_dir()
            try:
                if group is None:
                    shutil.chown(path, user)
                    path.chmod(0o700 if is_folder else 0o600)
                else:
                    shutil.chown(path, group=group)
                    # What the job makes there belongs to the group as well.
                    path.chmod(0o2770 if is_folder else 0o660)
            except (LookupError, PermissionError) as exc:
                whom = user if group is None else f"the group {group}"
                raise ClusterRefused(f"the task's folder cannot be given to {whom} on this machine: {exc}") from None

    @contextmanager
    def _opened(self, name: str) -> Iterator[int | None]:
        try:
            folder = os.open(self._root / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self._root.stat()
            yield None
            return
        try:
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            said = exc.strerror or type(exc).__name__
            raise ClusterDown(f"the folder of {self._config.name}, {self._root}, cannot be used: {said}") from None


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _open_file(path: str, folder: int) -> int | None:
    """A plain file, by a path of at most two parts; None if there is none."""
    first, _, second = path.partition("/")
    if second:
        try:
            within = os.open(first, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            if exc.errno in _NO_FILE:
                return None
            raise
        try:
            return _open_file(second, within)
        finally:
            os.close(within)
    try:
        file = os.open(first, _PLAIN, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno in _NO_FILE:
            return None
        raise
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def _one(path: str, file: str, folder: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    opened = _open_file(file, folder)
    if opened is None:
        return
    try:
        yield path, _parts(opened)
    finally:
        os.close(opened)


def _parts(file: int) -> Iterator[bytes]:
    while part := os.read(file, _CHUNK):
        yield part


def _is_folder(name: str, folder: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
