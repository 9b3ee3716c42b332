import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from common.clock import FakeClock
from common.database import Database
from common.security.keys.definitions import KeyDraft
from common.security.keys.record import KeyRecord
from common.security.keys.service import KeyService
from common.security.keys.store import KeyStore
from common.security.keys.verifier import KeyVerifier
from common.security.principal import Principal
from common.security.scopes import ALL_SCOPES
from tests.jobs.conftest import (
    clock,
    database,
    database_url,
    postgresql_server,
    postgresql_template,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
from tests.support.servers import wait_for

__all__ = [
    "clock",
    "database",
    "database_url",
    "postgresql_server",
    "postgresql_template",
    "postgresql_url",
    "sqlite_template",
    "sqlite_url",
]

ADMIN = Principal("oidc:admin", "token", ALL_SCOPES, name="Ada")


class Watched:
    """A store that counts what is asked of it, and can be away."""

    def __init__(self, store: KeyStore) -> None:
        self.store = store
        self.asked: list[str] = []
        self.is_away = False

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.is_away:
            raise OperationalError("SELECT", {}, Exception("connection refused"))

    def stamp(self) -> str:
        self._ask("stamp")
        return self.store.stamp()

    def all(self) -> list[KeyRecord]:
        self._ask("all")
        return self.store.all()

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        self._ask("uses")
        self.store.note_uses(uses)

    @property
    def reads(self) -> list[str]:
        return [what for what in self.asked if what != "uses"]


def ask(verifier: KeyVerifier, credential: str) -> Principal:
    """As a request does, in an event loop of its own."""
    return verifier.known(credential) or asyncio.run(verifier.verify(credential))


@pytest.fixture
def store(database: Database) -> Iterator[KeyStore]:
    yield KeyStore(database)
    # Before the database is closed: what a verifier does behind a request's back.
    wait_for(lambda: not _at_work(), "the threads of verifiers", lambda: None)


def _at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("keys", "key-uses")]


@pytest.fixture
def watched(store: KeyStore) -> Watched:
    return Watched(store)


@pytest.fixture
def verifier(watched: Watched, clock: FakeClock) -> KeyVerifier:
    return KeyVerifier(lambda: watched, clock, gap_s=0)


@pytest.fixture
def make_service(store: KeyStore, clock: FakeClock) -> Callable[..., KeyService]:
    """The service of another process than the verifier's, unless told otherwise."""

    def make(**more: Any) -> KeyService:
        given = {"models": lambda: ["housing", "sample"], "has_other_way_in": False, **more}
        return KeyService(store, clock, **given)

    return make


@pytest.fixture
def service(make_service: Callable[..., KeyService]) -> KeyService:
    return make_service()


@pytest.fixture
def make_key(service: KeyService) -> Callable[..., str]:
    """Makes a key with the fields given, and gives it."""

    def make(**fields: Any) -> str:
        text, _ = service.create(KeyDraft.model_validate({"name": "key", **fields}), ADMIN)
        return text

    return make
