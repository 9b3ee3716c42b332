"""Temporary folders of this process, and those of processes that were killed and could not tidy up."""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

_MARK = "atoll-owner-"


def make_folder(prefix: str) -> Path:
    """A new folder named after this process; those of that prefix whose process is gone are removed."""
    named = re.compile(re.escape(prefix) + r"(\d+)-.*")
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        found = named.fullmatch(folder.name)
        if found:
            _remove_if_orphan(folder, [int(found[1])])
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))


def adopt(folder: Path) -> None:
    """Say in a temporary folder that it is this process's; those beside it whose process is gone are removed.

    For folders that a library makes, and whose names do not tell.
    """
    (folder / f"{_MARK}{os.getpid()}").touch()
    owners: dict[Path, list[int]] = {}
    for other in folder.parent.iterdir():
        # It belongs to somebody else, or has gone since it was listed.
        with contextlib.suppress(OSError):
            for mark in other.glob(f"{_MARK}*"):
                number = mark.name.removeprefix(_MARK)
                if number.isdecimal():
                    owners.setdefault(other, []).append(int(number))
    for other, pids in owners.items():
        _remove_if_orphan(other, pids)


def _remove_if_orphan(folder: Path, pids: list[int]) -> None:
    # Another process may be doing the same.
    with contextlib.suppress(OSError):
        if folder.stat().st_uid == os.getuid() and not any(map(_is_alive, pids)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # Another user's.
        return True
    return True
