"""How many CPUs this process may really use: affinity, and the container's quota (cgroup v2, then v1)."""

import math
import os
from pathlib import Path

_V2 = Path("/sys/fs/cgroup/cpu.max")
_V1_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_V1_PERIOD = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def parse_cpu_max(text: str) -> float | None:
    """CPUs granted by cgroup v2's `cpu.max` ("max 100000" or "150000 100000"); None is no limit."""
    quota, _, period = text.strip().partition(" ")
    if quota == "max":
        return None
    return int(quota) / int(period or 100_000)


def _quota() -> float | None:
    try:
        return parse_cpu_max(_V2.read_text())
    except (OSError, ValueError):
        pass
    try:
        quota = int(_V1_QUOTA.read_text())
        return quota / int(_V1_PERIOD.read_text()) if quota > 0 else None
    except (OSError, ValueError):
        return None


def cpu_count() -> int:
    """Whole CPUs, at least one. A quota of 1.5 CPUs counts as two: one thread would leave half a CPU idle."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return max(1, affinity if quota is None else min(affinity, math.ceil(quota)))
