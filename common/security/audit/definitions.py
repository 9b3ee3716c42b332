"""What `/audit` answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from common.security.audit.record import Record


class Actor(BaseModel):
    """Who did something."""

    id: str = Field(description="`key:<id>`, `oidc:<subject>`; empty for a caller without a key.")
    name: str = Field(description="A key's name, a token's user.")
    kind: Literal["anonymous", "key", "token", "system"]


class RecordInfo(BaseModel):
    """Who did what to what, when and from where."""

    id: str
    at: datetime
    by: Actor
    address: str = Field(description="Of the caller; empty for a command on the machine itself.")
    action: str = Field(examples=["key.created"])
    target: str = Field(description="What it was done to: an id, a path.")
    outcome: str = Field(description="`done`, `refused` or `failed`.")
    request_id: str
    details: dict[str, Any]

    @classmethod
    def of(cls, record: Record) -> "RecordInfo":
        kind: Any = record.actor_kind
        return cls(
            id=record.id,
            at=record.at,
            by=Actor(id=record.actor_id, name=record.actor_name, kind=kind),
            address=record.address,
            action=record.action,
            target=record.target,
            outcome=record.outcome,
            request_id=record.request_id,
            details=dict(record.details),
        )


class AuditPage(BaseModel):
    """Records, newest first."""

    records: list[RecordInfo]
    next: str | None = Field(description="`cursor` of the next page; null on the last one.")

    @classmethod
    def of(cls, found: Sequence[Record], limit: int) -> "AuditPage":
        """A page of `limit` records, of which one more was looked for."""
        page = [RecordInfo.of(record) for record in found[:limit]]
        return cls(records=page, next=page[-1].id if len(found) > limit else None)
