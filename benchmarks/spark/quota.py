"""A share of a core for each executor, as a container's CPU limit gives it.

On a machine of two cores more executors gain nothing, since one alone takes all it finds. With a quota of the kernel's
control groups each has the same as on a cluster that has room, however many there are. Needs root, and a kernel whose
`cpu` controller can be written to; either version of control groups.
"""

import contextlib
import threading
import time
from pathlib import Path
from types import TracebackType

from benchmarks.spark.processes import age_s, executors_of

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_POLL_S = 0.2
# A container starts in a burst as well: the JVM's own start is no part of what is measured.
_START_S = 5.0


class Quota:
    """Keeps every executor of an application, also one that comes later, to `cpus` of a core.

    Parameters
    ----------
    shares : weight against other processes; 1024 is that of nice 0, 110 of nice 10.
    """

    def __init__(self, application_id: str, cpus: float, shares: int = 1024) -> None:
        self._application_id, self._cpus, self._shares = application_id, cpus, shares
        self._groups: dict[int, Path] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Quota":
        for pid in executors_of(self._application_id):
            self._place(pid)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def lift(self, pid: int) -> None:
        """Let an executor end as fast as it can."""
        group = self._groups.get(pid)
        if group is not None:
            with contextlib.suppress(OSError):
                (group.parent / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """Remove the groups of executors that are gone."""
        deadline = time.monotonic() + 20
        while self._groups and time.monotonic() < deadline:
            for pid, group in list(self._groups.items()):
                with contextlib.suppress(OSError):
                    group.rmdir()
                    del self._groups[pid]
            time.sleep(0.1)

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            for pid in executors_of(self._application_id):
                if pid not in self._groups and age_s(pid) > _START_S:
                    self._place(pid)
        for pid in list(self._groups):
            self.lift(pid)

    def _place(self, pid: int) -> None:
        first = (_ROOT / "cpu").is_dir()
        group = (_ROOT / "cpu" if first else _ROOT) / f"atoll-spark-{pid}"
        quota_us = int(self._cpus * _PERIOD_US)
        group.mkdir(exist_ok=True)
        if first:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
            (group / "cpu.shares").write_text(str(self._shares))
        else:
            (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
            (group / "cpu.weight").write_text(str(max(1, self._shares * 100 // 1024)))
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
        self._groups[pid] = group
