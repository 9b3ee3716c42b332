"""The folders of tasks on a file system that this machine and the cluster both mount.

What lies in a task's folder belongs to its user, who may have put anything there: nothing is followed out of it, and
only plain files are read.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import LogPart, Package
from common.submission.runners.slurm.rest.config import SlurmRestConfig

_CHUNK = 1 << 20
_LOCK_LOOK_S = 0.02
_CLAIM = re.compile(r"claim(-\d{1,7})?")
_JOB_ID = re.compile(r"[1-9][0-9]{0,11}")
_LOG = re.compile(r"task(-\d{1,7})?\.log")
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOCK, _JOB = "lock", "job"
_NUMBER_CHARS = 100
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

    @contextmanager
    def placed(self, name: str, package: Package, user: str, limit_s: float) -> Iterator[bool]:
        """Have a task's folder written, all of it or nothing, and keep others from submitting it meanwhile.

        Gives whether it is new: before it was there, nobody can have submitted it. The lock is taken before the folder
        can be seen, so that nobody else is faster. Where a file system keeps no locks, `run.sh`'s claim has to do.

        Raises
        ------
        ClusterRefused
            It cannot be given to the user.
        ClusterDown
            Somebody else is submitting it, for longer than `limit_s`.
        """
        with self._telling():
            lock = self._write_all(name, package, user)
            is_new = lock is not None
            if lock is None:
                with self._opened(name) as folder:
                    if folder is None:
                        raise ClusterDown(f"the folder of {name} was removed just now")
                    lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            if not is_new and not _locked(lock, limit_s):
                raise ClusterDown(f"{name} is being submitted by another process")
            yield is_new
        finally:
            os.close(lock)

    def note_job(self, name: str, job_id: str) -> None:
        """Note the number of the job that was submitted, so that Slurm need not be asked for it."""
        with self._telling(), self._opened(name) as folder:
            if folder is None:
                return
            fresh = f".job-{uuid.uuid4().hex[:8]}"
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
            try:
                os.write(file, f"{job_id}\n".encode())
            finally:
                os.close(file)
            os.rename(fresh, _JOB, src_dir_fd=folder, dst_dir_fd=folder)

    def submitted_as(self, name: str) -> str | None:
        """The number of the job that runs the program there, or else of the one that was submitted for it.

        The first as `run.sh` noted it, the second as `note_job` did; None for what is no number, since it is the
        program's own folder.
        """
        return self.claimed_by(name) or self._number_in(name, lambda folder: [_JOB])

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
        """The number of the job (of an array: the array's) that runs the program there; None before it runs."""
        return self._number_in(name, lambda folder: [f"{one}/owner" for one in _names(folder) if _CLAIM.fullmatch(one)])

    def _number_in(self, name: str, files: Callable[[int], list[str]]) -> str | None:
        """The number of a job in the first of these files that has one."""
        with self._telling(), self._opened(name) as folder:
            for path in [] if folder is None else files(folder):
                file = _open_file(path, folder) if folder is not None else None
                if file is None:
                    continue
                try:
                    said = os.read(file, _NUMBER_CHARS).decode(errors="replace").strip()
                finally:
                    os.close(file)
                if _JOB_ID.fullmatch(said):
                    return said
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

    def _write_all(self, name: str, package: Package, user: str) -> int | None:
        """A new folder, with its lock held; None if there is one already."""
        final = self._root / name
        if final.is_dir():
            return None
        fresh = self._root / f".new-{name}-{uuid.uuid4().hex[:8]}"
        lock = None
        try:
            fresh.mkdir(mode=0o700)
            for path, content in package.files.items():
                _write(fresh / path, content)
            lock = os.open(fresh / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            _locked(lock, 0)
            self._hand_over(fresh, user)
            fresh.rename(final)
        except BaseException as exc:
            if lock is not None:
                os.close(lock)
            # Somebody else has just placed the same.
            if isinstance(exc, OSError) and lock is not None and final.is_dir():
                return None
            raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return lock

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


def _write(path: Path, content: Path | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        shutil.copyfile(content, path)


def _locked(lock: int, limit_s: float) -> bool:
    """Whether the lock is ours, within the time; true as well where the file system keeps none."""
    until_s = time.monotonic() + limit_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_LOCK_LOOK_S)
        except OSError:
            return True
        else:
            return True


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
