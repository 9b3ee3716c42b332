"""A key as the database has it, and what that means at a moment. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from common.security.principal import Principal
from common.security.scopes import Scope

# How long a key that can be used no more is listed, and named to whoever still sends it.
KEPT = timedelta(days=30)


class KeyState(StrEnum):
    """Whether a key can be used."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class KeyRecord:
    """One row of `api_keys`.

    Parameters
    ----------
    digest : SHA-256 of the whole key, in hexadecimal.
    models : names of the models it is limited to; None for all.
    created_by : id of the principal; `anonymous`, `shell:<user>` or `first start` where there was none.
    last_used_at : to the minute.
    """

    id: str
    digest: str
    name: str
    scopes: frozenset[Scope]
    models: frozenset[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @cached_property
    def principal(self) -> Principal:
        return Principal(f"key:{self.id}", "key", self.scopes, self.models, self.name)

    def state(self, now: datetime) -> KeyState:
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.expires_at is not None and self.expires_at <= now else KeyState.ACTIVE

    def refusal(self, now: datetime) -> str | None:
        """Why the key is not taken, for whoever holds it; None if it is."""
        if self.revoked_at is not None:
            return f"this key was revoked at {_shown(self.revoked_at)}; ask an administrator for another"
        if self.expires_at is not None and self.expires_at <= now:
            return f"this key expired at {_shown(self.expires_at)}; ask an administrator for another"
        return None


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
