"""Limits that a process sets itself before it opens what a stranger sent. Nothing here can be taken back later."""

import contextlib
import ctypes
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_FILES = 256


def early(request: Mapping[str, Any]) -> None:
    """CPU time, sizes of files, no dump of memory, no network where that can be had, and an end with the parent's."""
    cpu_s = int(request["cpu_s"])
    # The soft limit tells it by a signal, the hard one ends it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(request["unpacked_bytes"]),) * 2)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Containers often do not allow it; no format needs a network, and none of them can run code of its own.
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def memory(memory_bytes: int) -> None:
    """Address space on top of what the process has now; beyond it, allocating fails."""
    limit = used_bytes(0) + memory_bytes
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def used_bytes(column: int = 1) -> int:
    """Of this process: 0 is address space, 1 what lies in memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[column]) * resource.getpagesize()
    except OSError:
        # No /proc: the most that was ever used, in kB on Linux and bytes elsewhere.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most * (1024 if sys.platform == "linux" else 1)
