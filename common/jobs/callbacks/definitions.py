"""What `GET /jobs/{job_id}` tells about a callback, and what OpenAPI tells of the call itself."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Header
from pydantic import BaseModel, Field

from common.jobs.callbacks.event import JobEvent, masked
from common.jobs.records import Job

if TYPE_CHECKING:
    from common.jobs.callbacks.outbox import Callback


class CallbackInfo(BaseModel):
    """How far the job's caller has been told of its end."""

    url: str = Field(description="Where it goes; name, password and query are not shown.")
    state: Literal["waiting", "pending", "delivered", "given_up"] = Field(
        description="`waiting` for the job's end, `pending` while it is tried."
    )
    id: str | None = Field(None, description="Its `webhook-id`, the same at every try; null before the job's end.")
    attempts: int = Field(0, description="Tries so far.")
    last_error: str | None = Field(None, description="Why the last try failed.")
    next_at: datetime | None = Field(None, description="When it is tried next, or counts as interrupted.")
    delivered_at: datetime | None = None

    @property
    def tag(self) -> str:
        """Differs where anything here does; for an ETag."""
        moment = "" if self.next_at is None else int(self.next_at.timestamp())
        return f"-{self.state}-{self.attempts}-{moment}"

    @classmethod
    def of(cls, job: Job, found: "Callback | None") -> "CallbackInfo | None":
        """`found` is that of the job's newest end; None where the caller gave no address."""
        if job.callback_url is None:
            return None
        if found is None or not job.state.is_finished:
            return cls(url=masked(job.callback_url), state="waiting")
        return cls.model_validate(
            {
                "url": masked(found.url),
                "state": found.state,
                "id": found.id,
                "attempts": found.attempts,
                "last_error": found.last_error,
                "next_at": found.next_at,
                "delivered_at": found.delivered_at,
            }
        )


async def job_ended(
    body: JobEvent,
    webhook_id: Annotated[str, Header(description="The same at every try; drop what you have seen.")],
    webhook_timestamp: Annotated[int, Header(description="When this try was signed, in Unix seconds.")],
    webhook_signature: Annotated[str, Header(description="`v1,` and base64, one or more, separated by spaces.")],
) -> None:
    """Sent to the `X-Callback-Url` of a job when it has ended, signed as Standard Webhooks are. Answer any 2xx."""
