"""What the tasks of a stage did, from the metrics that Spark tells at the end of each. Pure.

The five ratios are those that the old listener sends, so that runs of both sources can be compared: of each it divides
the sums over all tasks, gives 0 where the dividend is 0, and else 1 where the divisor is 0. Those of bytes may be more
than 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.scaleout.records import Metrics


@dataclass
class TaskSums:
    """Sums over the tasks of one attempt of a stage. Milliseconds and bytes."""

    run_ms: float = 0.0
    cpu_ms: float = 0.0
    gc_ms: float = 0.0
    shuffle_read: int = 0
    shuffle_written: int = 0
    read: int = 0
    written: int = 0
    spilled: int = 0
    peak_memory: int = 0
    tasks: int = 0

    def add(self, told: Mapping[str, Any]) -> None:
        """Count the `Task Metrics` of one task."""
        shuffled = told.get("Shuffle Read Metrics") or {}
        self.tasks += 1
        self.run_ms += _of(told, "Executor Run Time")
        self.cpu_ms += _of(told, "Executor CPU Time") / 1e6
        self.gc_ms += _of(told, "JVM GC Time")
        self.shuffle_read += _of(shuffled, "Remote Bytes Read") + _of(shuffled, "Local Bytes Read")
        self.shuffle_written += _of(told.get("Shuffle Write Metrics") or {}, "Shuffle Bytes Written")
        self.read += _of(told.get("Input Metrics") or {}, "Bytes Read")
        self.written += _of(told.get("Output Metrics") or {}, "Bytes Written")
        self.spilled += _of(told, "Disk Bytes Spilled")
        self.peak_memory += _of(told, "Peak Execution Memory")

    def metrics(self) -> Metrics:
        if not self.tasks:
            return Metrics()
        return Metrics(
            cpu_utilization=min(1.0, _share(self.cpu_ms, self.run_ms)),
            gc_time_ratio=min(1.0, _share(self.gc_ms, self.run_ms)),
            shuffle_rw_ratio=_share(self.shuffle_read, self.shuffle_written),
            data_io_ratio=_share(self.read, self.written),
            memory_spill_ratio=_share(self.spilled, self.peak_memory),
        )


def _of(told: Mapping[str, Any], name: str) -> int:
    """Spark tells -1 of what it does not know."""
    return max(0, int(told.get(name) or 0))


def _share(part: float, whole: float) -> float:
    if part == 0:
        return 0.0
    return 1.0 if whole == 0 else part / whole
