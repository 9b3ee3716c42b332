"""How much memory there is for a job's process."""

import os
import sys
from pathlib import Path

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_SHARE = 0.75


def most_bytes(asked_bytes: int) -> int:
    """The limit of one job's process: `asked_bytes`, or for 0 three quarters of what the machine or container has."""
    if asked_bytes or sys.platform == "win32":
        return asked_bytes
    return int(_SHARE * min([_physical_bytes(), *_container_bytes()]))


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _container_bytes() -> list[int]:
    found = []
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        # "max", or a number near 2^63, is no limit.
        if text.isdecimal():
            found.append(int(text))
    return found
