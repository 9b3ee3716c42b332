"""What a process does for tasks in the background. As long as there are none, it imports nothing of theirs and asks the
database for no more than whether there are any."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from common.clock import Clock
from common.database import Database
from common.jobs.context import JobContext
from common.jobs.records import Job, Result
from common.submission.tables import ANY, ANY_LIVE
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from common.submission.system import TaskSystem

log = get_logger("atoll.tasks")

# How often clusters are looked at where that costs next to nothing.
QUICK_S = 1.0
# Longer than tasks are looked at again after they finished.
RECENT_S = 300.0


class Following:
    """The kernel's executor of submissions, and the steps of the scheduler.

    Parameters
    ----------
    tasks : gives the process's task system, made at the first call.
    """

    def __init__(self, database: Database, clock: Clock, tasks: Callable[[], "TaskSystem"]) -> None:
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self._lock = threading.Lock()
        self._quick: threading.Thread | None = None

    def run(self, job: Job, context: JobContext) -> Result:
        tasks = self._tasks()
        result = tasks.executor.run(job, context)
        self._look_often(tasks)
        return result

    def tick(self) -> None:
        """One round over all clusters, if any has tasks."""
        since = {"since": self._clock.now() - timedelta(seconds=RECENT_S)}
        if self._database.read(lambda connection: connection.execute(ANY_LIVE, since).scalar()):
            tasks = self._tasks()
            tasks.reconciler.tick()
            self._look_often(tasks)

    def remove_old(self) -> int:
        if self._database.read(lambda connection: connection.execute(ANY).scalar()):
            return self._tasks().remove_old()
        return 0

    def _look_often(self, tasks: "TaskSystem") -> None:
        """Look each second at clusters of this machine, for as long as they have tasks."""
        with self._lock:
            if self._quick is None or not self._quick.is_alive():
                self._quick = threading.Thread(target=self._look, args=(tasks,), name="tasks-quick", daemon=True)
                self._quick.start()

    def _look(self, tasks: "TaskSystem") -> None:
        try:
            while tasks.look_quickly():
                tasks.stopping.wait(QUICK_S)
        except Exception as exc:  # noqa: BLE001 - the scheduler's next round looks anyway, and begins anew here
            log.warning("local tasks are not looked at for now", error=type(exc).__name__)
