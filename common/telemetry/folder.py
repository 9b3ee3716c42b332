"""The folder in which the processes of one host keep their metrics together.

Apart from `metrics`, which must not be imported before the folder's name is in the environment.
"""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

_PREFIX = "atoll-metrics-"
_NAME = re.compile(re.escape(_PREFIX) + r"(\d+)-.*")


def make_metrics_folder() -> Path:
    """A new folder, named after this process; those of processes that were killed and could not tidy up are removed."""
    _remove_orphans(Path(tempfile.gettempdir()))
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def _remove_orphans(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        named = _NAME.fullmatch(folder.name)
        # Another one may be doing the same.
        with contextlib.suppress(OSError):
            if named and folder.stat().st_uid == os.getuid() and not _is_alive(int(named[1])):
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
