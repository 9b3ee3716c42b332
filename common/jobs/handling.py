"""What a worker asks of whoever runs its jobs: on a thread of this process, or in a process of their own."""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

from common.jobs.queues.base import Message


class Disposition(StrEnum):
    """What to do with the message. `GIVE_BACK`: it was not handled, and should come again."""

    DELETE = "delete"
    GIVE_BACK = "give back"


class Handler(Protocol):
    """Runs jobs, one a call of `handle`, as many at once as there are threads that call."""

    def handle(self, message: Message) -> Disposition:
        """Run the message's job to its end, and say what to do with the message. Does not raise."""

    def postpone(self, message: Message) -> bool:
        """Send a message that was not handled anew, if that is the database's fault; whether it was.

        How often the new one came back says again something about its job, and nothing about the database.
        """

    def handle_poison(self, job_id: str) -> None:
        """The backstop for a message that came back too often: its job is dead, unless it is running or finished."""

    def cancel_here(self, job_id: str) -> None:
        """Tell a job that runs here that it was cancelled; it would notice by itself a little later."""

    def leave(self) -> None:
        """Put all running jobs back into their queues, because this process has to end."""


class ByQueue:
    """A `Handler` that leaves the jobs of some queues to one, and all others to another.

    Parameters
    ----------
    others : handles the messages of `queues`.
    """

    def __init__(self, handler: Handler, others: Handler, queues: Collection[str]) -> None:
        self._handler = handler
        self._others = others
        self._queues = frozenset(queues)

    def handle(self, message: Message) -> Disposition:
        return (self._others if message.queue in self._queues else self._handler).handle(message)

    def postpone(self, message: Message) -> bool:
        return self._handler.postpone(message)

    def handle_poison(self, job_id: str) -> None:
        self._handler.handle_poison(job_id)

    def cancel_here(self, job_id: str) -> None:
        for handler in (self._handler, self._others):
            handler.cancel_here(job_id)

    def leave(self) -> None:
        for handler in (self._handler, self._others):
            handler.leave()
