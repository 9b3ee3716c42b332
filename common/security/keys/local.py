"""Keys without a server: for whoever has a shell where it runs, so that nobody who lost all keys stays locked out.

The methods are those of `common.client.Client`, and answer the same.
"""

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from common.clock import SystemClock
from common.database import Database
from common.errors import Invalid, SettingsError
from common.plugins.discovery import find
from common.security.keys.definitions import KeyDraft, NewKeyInfo
from common.security.keys.service import KeyService
from common.security.keys.store import KeyStore
from common.security.principal import Principal
from common.security.scopes import ALL_SCOPES
from common.settings import Settings

_PAGE = 1000


class LocalKeys:
    """Open it with `open_local`. Raises errors of `common.errors`."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.where = database.url.render_as_string(hide_password=True)
        # Whoever has this shell can make keys whatever is revoked.
        self._service = KeyService(
            KeyStore(database),
            SystemClock(),
            models=lambda: sorted(find(settings.plugins)),
            has_other_way_in=True,
        )
        self._by = Principal(f"shell:{_user()}", "system", ALL_SCOPES)

    def list_keys(self, *, with_revoked: bool = False) -> Iterator[dict[str, Any]]:
        before = None
        while True:
            page = self._service.list(with_revoked=with_revoked, before=before, limit=_PAGE)
            yield from (info.model_dump(mode="json") for info in page.keys)
            before = page.next
            if before is None:
                return

    def key(self, key_id: str) -> dict[str, Any]:
        return self._service.get(key_id).model_dump(mode="json")

    def create_key(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> dict[str, Any]:
        wanted = {"name": name, "scopes": scopes, "models": models, "expires_at": expires_at}
        try:
            draft = KeyDraft.model_validate({field: value for field, value in wanted.items() if value is not None})
        except ValidationError as exc:
            first = exc.errors()[0]
            raise Invalid.field(str(first["loc"][0]), first["msg"].removeprefix("Value error, ")) from None
        text, info = self._service.create(draft, self._by)
        return NewKeyInfo(**info.model_dump(), key=text).model_dump(mode="json")

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        return self._service.revoke(key_id, self._by).model_dump(mode="json")


@contextmanager
def open_local(settings: Settings) -> Iterator[LocalKeys]:
    """The keys of the database that the settings name, brought up to date first.

    Raises
    ------
    SettingsError
        The database cannot be used.
    """
    database = Database.build(settings)
    try:
        database.migrate()
        yield LocalKeys(database, settings)
    except (SQLAlchemyError, OSError) as exc:
        where = database.url.render_as_string(hide_password=True)
        raise SettingsError(f"the database {where} cannot be used: {type(exc).__name__}; see DATABASE_URL") from None
    finally:
        database.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        return "unknown"
