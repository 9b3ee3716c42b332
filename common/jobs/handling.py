"""What a worker asks of whoever runs its jobs: on a thread of this process, or in a process of their own."""

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

    def handle_poison(self, job_id: str) -> None:
        """The backstop for a message that came back too often: its job is dead, unless it is running or finished."""

    def cancel_here(self, job_id: str) -> None:
        """Tell a job that runs here that it was cancelled; it would notice by itself a little later."""

    def leave(self) -> None:
        """Put all running jobs back into their queues, because this process has to end."""
