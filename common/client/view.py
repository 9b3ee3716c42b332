"""A job as it was when somebody looked."""

from typing import Any
from urllib.parse import quote

from common.jobs.states import FINISHED, State


class JobView:
    """What is known of a job; `data` is all that the server told (docs/api.md)."""

    noun = "job"

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.etag: str | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.model} {self.state}>"

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def place(self) -> str:
        """Its path on the server."""
        return f"/{self.noun}s/{quote(self.id, safe='')}"

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))

    @property
    def model(self) -> str:
        return str(self.data.get("model", ""))

    @property
    def state(self) -> str:
        """`queued`, `running`, `retrying`, `cancelling`, `succeeded`, `failed`, `cancelled` or `dead`."""
        return str(self.data.get("state", ""))

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED

    @property
    def is_settled(self) -> bool:
        """Whether nothing more of it will change by itself."""
        return self.is_finished

    @property
    def has_succeeded(self) -> bool:
        return self.state == State.SUCCEEDED

    @property
    def progress(self) -> float | None:
        """0 to 1; None where it is unknown."""
        return self.data.get("progress")

    @property
    def message(self) -> str | None:
        return self.data.get("message")

    @property
    def metrics(self) -> dict[str, Any]:
        return self.data.get("metrics") or {}

    @property
    def error(self) -> str | None:
        return self.data.get("error")

    def update(self, data: dict[str, Any], etag: str | None = None) -> None:
        """Take in what was told now; what is told without an ETag may leave out some."""
        self.data = data if etag else {**self.data, **data}
        self.etag = etag
