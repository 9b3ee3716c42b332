"""A control group for one task's memory, where this process may make one. Standard library only.

The kernel then ends a task that takes too much in the very moment; elsewhere its memory is looked at now and then.
"""

import os
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A group below this process's own."""

    def __init__(self, folder: Path, is_unified: bool) -> None:
        self.folder = folder
        self._is_unified = is_unified

    def join(self) -> None:
        """Put the calling process into it, and all that it will start."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def was_exceeded(self) -> bool:
        """Whether the kernel has ended a process of it for want of memory."""
        name = "memory.events" if self._is_unified else "memory.oom_control"
        with suppress(OSError, ValueError):
            for line in (self.folder / name).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value) > 0
        return False

    def remove(self) -> None:
        with suppress(OSError):
            self.folder.rmdir()


def make_group(name: str, limit_bytes: int) -> MemoryGroup | None:
    """A group with this limit, swap included; None where there can be none."""
    for folder, is_unified in _parents():
        group = folder / f"atoll-{name}"
        limits = {"memory.max": limit_bytes, "memory.swap.max": 0}
        if not is_unified:
            limits = {"memory.limit_in_bytes": limit_bytes, "memory.memsw.limit_in_bytes": limit_bytes}
        first, second = limits
        try:
            group.mkdir(exist_ok=True)
            (group / first).write_text(str(limits[first]))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        # Swap is not counted everywhere.
        with suppress(OSError):
            (group / second).write_text(str(limits[second]))
        return MemoryGroup(group, is_unified)
    return None


def _parents() -> list[tuple[Path, bool]]:
    """Where a group could be made: this process's own group, version 2 and then version 1."""
    found: list[tuple[Path, bool]] = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            own = _ROOT / path.lstrip("/")
            with suppress(OSError):
                if "memory" in (own / "cgroup.subtree_control").read_text().split():
                    found.insert(0, (own, True))
        elif "memory" in controllers.split(","):
            found.append((_ROOT / "memory" / path.lstrip("/"), False))
    return found
