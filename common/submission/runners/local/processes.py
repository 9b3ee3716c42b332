"""The processes of a task, found by whose children they are, or by what their environment says. Standard library only.

Linux tells through /proc; elsewhere the group of the program is all that is known.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PODMAN_S = 30


def adopt_orphans(is_on: bool) -> None:
    """Become the parent of what this process's descendants leave behind, so that none can slip away; or no longer."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(is_on), 0, 0, 0)


def die_with_parent() -> None:
    """Called in a new process: it is killed when its parent is."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def boot_id() -> str:
    """Changes when the machine starts anew: processes of before are gone."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> int | None:
    """When a process started, in ticks since the machine did: another one of the same number has another."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def descendants(pid: int) -> list[int]:
    """The children of a process, their children, and so on, that have not ended."""
    found: list[int] = []
    todo = [pid]
    while todo:
        for child in _children(todo.pop()):
            todo.append(child)
            # What has ended and is not waited for yet uses nothing and cannot be killed.
            if _stat(child):
                found.append(child)
    return found


def memory_bytes(pids: list[int], limit: int | None) -> int:
    """What processes have in memory; what they share is counted once if it matters for the limit."""
    resident = sum(int(fields[21]) * _PAGE for fields in map(_stat, pids) if fields)
    if limit is None or resident <= limit:
        return resident
    return sum(map(_proportional_bytes, pids))


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_leftovers(folder: Path, index: int | None, pid: int | None, started: int | None) -> None:
    """Kill all processes of a task whose supervisor is gone."""
    if pid is not None and started is not None and start_time(pid) == started:
        signal_all([*descendants(pid), pid], signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    wanted = {b"ATOLL_TASK_DIR=" + os.fsencode(folder)}
    if index is not None:
        wanted.add(f"ATOLL_ARRAY_INDEX={index}".encode())
    for _ in range(20):
        found = [other for other in _pids() if other != os.getpid() and wanted <= _environment(other)]
        if not found:
            return
        signal_all(found, signal.SIGKILL)


def container_of(name: str, index: int | None) -> str:
    return name if index is None else f"{name}-{index}"


def remove_container(name: str | None, index: int | None) -> bool:
    """Remove the container of a task, running or not; whether it ran out of memory."""
    if name is None:
        return False
    full = container_of(name, index)
    asked = _podman("inspect", "--format", "{{.State.OOMKilled}}", full)
    _podman("rm", "--force", "--time", "0", full)
    return asked.strip() == "true"


def _podman(*words: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(  # noqa: S603 - names that are ours
            ["podman", *words],  # noqa: S607 - the podman of the machine
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PODMAN_S,
            check=False,
            text=True,
        ).stdout
    return ""


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(_PROC / str(pid) / "task")  # noqa: PTH208 - names only
    except OSError:
        return []
    found: list[int] = []
    for thread in threads:
        try:
            found += map(int, (_PROC / str(pid) / "task" / thread / "children").read_text().split())
        except FileNotFoundError:
            # A kernel without this file, or a thread that has just ended.
            if (_PROC / "self/task" / str(os.getpid()) / "children").exists():
                continue
            return [other for other in _pids() if (fields := _stat(other)) and int(fields[1]) == pid]
        except OSError:
            continue
    return found


def _pids() -> Iterator[int]:
    try:
        names = os.listdir(_PROC)  # noqa: PTH208 - names only
    except OSError:
        return iter(())
    return (int(name) for name in names if name.isdigit())


def _stat(pid: int) -> list[str] | None:
    """The fields after the command's name (which may hold anything), from the state on; None if it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in ("Z", "X") else fields


def _proportional_bytes(pid: int) -> int:
    with suppress(OSError, ValueError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def _environment(pid: int) -> set[bytes]:
    try:
        return set((_PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    except OSError:
        return set()
