"""What a process holds of API keys. Nothing here opens the database, or imports its library, before it is needed."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.clock import Clock, SystemClock
from common.security.anonymous import AnonymousRule
from common.security.keys.verifier import KeyVerifier
from common.security.scopes import Scope
from common.settings import Settings

if TYPE_CHECKING:
    from common.database import Database
    from common.security.keys.service import KeyService
    from common.security.keys.store import KeyStore


class Keys:
    """One a process.

    Parameters
    ----------
    database : gives the database, up to date; called on a thread, before the first key is read.

    Attributes
    ----------
    verifier : tells whose key a credential is.
    """

    def __init__(self, settings: Settings, database: "Callable[[], Database]", clock: Clock | None = None) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._store: KeyStore | None = None
        admin_key = settings.security.admin_key
        self.verifier = KeyVerifier(
            self.store, self._clock, admin_key=None if admin_key is None else admin_key.get_secret_value()
        )

    def store(self) -> "KeyStore":
        """The keys' tables; blocks while the database is opened."""
        from common.security.keys.store import KeyStore

        with self._lock:
            if self._store is None:
                self._store = KeyStore(self._database())
            return self._store

    @property
    def service(self) -> "KeyService":
        """Makes and revokes keys; blocks as `store` does."""
        from common.plugins.discovery import find
        from common.security.keys.service import KeyService

        return KeyService(
            self.store(),
            self._clock,
            models=lambda: sorted(find(self._settings.plugins)),
            has_other_way_in=has_other_way_in(self._settings),
            on_change=self.verifier.look_again,
        )


def has_other_way_in(settings: Settings) -> bool:
    """Whether there can be an administrator without any key of the database."""
    if settings.security.admin_key is not None or settings.oidc.issuer is not None:
        return True
    return Scope.ADMIN in AnonymousRule.of(settings).scopes


def needs_first(settings: Settings) -> bool:
    """Whether nobody could call without a key of the database, and there is a terminal to print one to."""
    return not has_other_way_in(settings) and settings.security.functions_runtime is None


def told_under_functions(settings: Settings) -> str | None:
    """What to log where the Functions host runs: its output is stored, so no key is printed to it. None elsewhere."""
    if has_other_way_in(settings) or settings.security.functions_runtime is None:
        return None
    return (
        "callers need a key: set ATOLL_ADMIN_KEY in the app's settings, or run `atoll keys create NAME --scope admin "
        "--local` with its DATABASE_URL"
    )
