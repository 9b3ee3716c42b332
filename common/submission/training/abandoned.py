"""Ends tasks of trainings whose jobs have ended without them: cancelled while no worker had them, late, or dead."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from common.database import Database
from common.errors import Conflict
from common.jobs.states import FINISHED, Kind
from common.jobs.tables import jobs
from common.submission.states import FINISHED as ENDED
from common.submission.states import TaskState
from common.submission.tables import tasks

if TYPE_CHECKING:
    from common.submission.service import TaskService

_LIVE = sorted(state.value for state in TaskState if state not in ENDED)
# A task that trains has the id of its job.
_FIND = (
    sa.select(tasks.c.id)
    .join(jobs, jobs.c.id == tasks.c.id)
    .where(tasks.c.state.in_(_LIVE), tasks.c.cancel_asked.is_(False))
    .where(jobs.c.kind == Kind.TRAINING.value, jobs.c.state.in_(sorted(state.value for state in FINISHED)))
    .limit(100)
)


class Abandoned:
    """A round of the scheduler.

    Parameters
    ----------
    service : gives what cancels; called where there is something to cancel.
    """

    def __init__(self, database: Database, service: "Callable[[], TaskService]") -> None:
        self._database = database
        self._service = service

    def cancel(self) -> None:
        for task_id in self._database.read(lambda connection: connection.execute(_FIND).scalars().all()):
            # It has ended meanwhile.
            with suppress(Conflict):
                self._service().cancel(task_id, "its training has ended")
