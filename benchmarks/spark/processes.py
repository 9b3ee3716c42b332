"""The executors of a Spark application on this machine, as processes."""

import os
import time
from pathlib import Path


def executors_of(application_id: str) -> list[int]:
    """Process ids, ascending."""
    everything = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(pid for pid in everything if _is_executor(pid, application_id))


def age_s(pid: int) -> float:
    """Seconds since the process began; 0 where it is gone."""
    try:
        began_ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began_ticks / os.sysconf("SC_CLK_TCK")


def _is_executor(pid: int, application_id: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return application_id.encode() in command and any(b"CoarseGrainedExecutorBackend" in word for word in command)
