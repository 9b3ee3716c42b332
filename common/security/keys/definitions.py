"""What the key routes take and answer."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from common.security.keys.record import KeyRecord, KeyState
from common.security.keys.secret import shown
from common.security.principal import Principal
from common.security.scopes import Scope

NAME_CHARS = 100
MOST_ITEMS = 200
MOST_DAYS = 3650


class KeyDraft(BaseModel):
    """The key that is wanted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "dashboard", "scopes": ["predict"], "models": ["sample"], "expires_in_days": 90}]
        },
    )

    name: str = Field(description=f"For people: who or what uses it. 1 to {NAME_CHARS} characters.")
    scopes: list[Scope] = Field(
        [Scope.PREDICT],
        max_length=MOST_ITEMS,
        description="What it may do, at least one. `admin` has all the others too; the others include nothing but "
        "themselves.",
    )
    models: list[str] | None = Field(
        None, max_length=MOST_ITEMS, description="Names of the models it may use; null for all."
    )
    expires_at: AwareDatetime | None = Field(
        None,
        description="When it ends: ISO 8601 with a zone, at most ten years from now. Null, without "
        "`expires_in_days`: never.",
    )
    expires_in_days: float | None = Field(
        None, ge=0.001, le=MOST_DAYS, allow_inf_nan=False, description="The same as days from now."
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        name = name.strip()
        if not (0 < len(name) <= NAME_CHARS and name.isprintable()):
            raise ValueError(f"is 1 to {NAME_CHARS} printable characters")
        return name

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: list[Scope]) -> list[Scope]:
        if not scopes:
            raise ValueError(f"name at least one of {', '.join(Scope)}")
        return scopes

    @field_validator("models")
    @classmethod
    def _check_models(cls, models: list[str] | None) -> list[str] | None:
        if models == []:
            raise ValueError("name at least one model, or leave it out for all")
        return models

    @model_validator(mode="after")
    def _check_one_end(self) -> "KeyDraft":
        if self.expires_at is not None and self.expires_in_days is not None:
            raise ValueError("expires_at and expires_in_days say the same; send one of them")
        return self


class KeyInfo(BaseModel):
    """A key, without its secret."""

    id: str = Field(examples=["3k9tq0m4zx7h"])
    prefix: str = Field(description="What the key begins with.", examples=["atl_3k9tq0m4zx7h"])
    name: str
    state: KeyState
    scopes: list[Scope]
    models: list[str] | None = Field(description="Names of the models it may use; null for all.")
    created_at: datetime
    created_by: str = Field(description="Who made it: `key:<id>`, `oidc:<subject>`, `shell:<user>`, `anonymous`, …")
    expires_at: datetime | None = Field(description="Null: never.")
    last_used_at: datetime | None = Field(description="To the minute; null if it was not used yet.")
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, record: KeyRecord, now: datetime) -> "KeyInfo":
        return cls(
            id=record.id,
            prefix=shown(record.id),
            name=record.name,
            state=record.state(now),
            scopes=in_order(record.scopes),
            models=None if record.models is None else sorted(record.models),
            created_at=record.created_at,
            created_by=record.created_by,
            expires_at=record.expires_at,
            last_used_at=record.last_used_at,
            revoked_at=record.revoked_at,
            revoked_by=record.revoked_by,
        )


class NewKeyInfo(KeyInfo):
    """A key that was just made."""

    key: str = Field(description="The key itself. It is shown now and never again; only its hash is kept.")


class KeyPage(BaseModel):
    """Keys, newest first."""

    keys: list[KeyInfo]
    next: str | None = Field(description="Give it as `before` for the next page; null at the end.")


class Caller(BaseModel):
    """Who calls, and what they may do."""

    id: str = Field(description="Empty for a caller without a key.")
    kind: Literal["anonymous", "key", "token", "system"]
    name: str
    scopes: list[Scope]
    models: list[str] | None = Field(description="Names of the models that they may use; null for all.")

    @classmethod
    def of(cls, principal: Principal) -> "Caller":
        return cls(
            id=principal.id,
            kind=principal.kind,
            name=principal.name,
            scopes=in_order(principal.scopes),
            models=None if principal.models is None else sorted(principal.models),
        )


def in_order(scopes: frozenset[Scope]) -> list[Scope]:
    return [scope for scope in Scope if scope in scopes]
