"""A task as it was when somebody looked."""

from typing import Any

from common.client.view import JobView
from common.submission.states import FINISHED, TaskState


class TaskView(JobView):
    """What is known of a task; `data` is all that the server told (docs/api.md)."""

    noun = "task"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.name} {self.state}>"

    @property
    def name(self) -> str:
        return str(self.data.get("name", ""))

    @property
    def cluster(self) -> str:
        return str(self.data.get("cluster", ""))

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED

    @property
    def is_settled(self) -> bool:
        """Whether it has finished and its files are there, or will not be."""
        return self.is_finished and self.data.get("files") in ("complete", "missing")

    @property
    def has_succeeded(self) -> bool:
        return self.state == TaskState.SUCCEEDED

    @property
    def exit_code(self) -> int | None:
        return self.data.get("exit_code")

    @property
    def error(self) -> str | None:
        """Why it came to nothing, in the cluster's words; None while it has not."""
        return self.data.get("reason") if self.is_finished and not self.has_succeeded else None

    @property
    def told(self) -> str:
        """Its end in a few words: `failed (exit code 3)`."""
        more: list[str] = []
        if self.exit_code:
            more.append(f"exit code {self.exit_code}")
        if self.data.get("signal"):
            more.append(f"signal {self.data['signal']}")
        if self.error:
            more.append(str(self.error))
        return f"{self.state} ({', '.join(more)})" if more else self.state


def parts_of(view: TaskView) -> list[dict[str, Any]]:
    """The elements of an array, as told; none of a task that is no array."""
    found = view.data.get("elements")
    return found if isinstance(found, list) else []
