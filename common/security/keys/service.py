"""Who may make which keys, and revoke which. Used by the routes and by the command line alike."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from common.clock import Clock
from common.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from common.security.audit import audit
from common.security.keys import store
from common.security.keys.definitions import MOST_DAYS, KeyDraft, KeyInfo, KeyPage
from common.security.keys.record import KEPT, KeyRecord, KeyState
from common.security.keys.secret import id_named, new_key, shown
from common.security.keys.store import KeyStore
from common.security.principal import Principal
from common.security.scopes import Scope

# Every process remembers all keys.
MOST_KEYS = 10_000
_SHOWN_MODELS = 30


class KeyService:
    """One a process; threads may share it. All methods block.

    Parameters
    ----------
    models : gives the names of the models that there are.
    has_other_way_in : whether there is an administrator without a key of the database.
    on_change : called when keys have changed.
    """

    def __init__(
        self,
        keys: KeyStore,
        clock: Clock,
        *,
        models: Callable[[], Collection[str]],
        has_other_way_in: bool,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = keys
        self._clock = clock
        self._models = models
        self._has_other_way_in = has_other_way_in
        self._on_change = on_change

    def create(self, draft: KeyDraft, by: Principal) -> tuple[str, KeyInfo]:
        """Make a key; returns it, which nobody can do again, and what is known of it.

        Raises
        ------
        Invalid
            A model does not exist, or the end is past or too far away.
        Forbidden
            It could do more than `by` can.
        Conflict
            There are too many keys.
        """
        now = self._clock.now()
        models = self._checked_models(draft.models)
        check_within(draft, by)
        made = new_key()
        record = KeyRecord(
            id=made.id,
            digest=made.digest,
            name=draft.name,
            scopes=frozenset(draft.scopes),
            models=models,
            created_at=now,
            created_by=signed(by),
            expires_at=checked_end(draft, now),
        )

        def work(connection: sa.Connection) -> None:
            if store.count(connection) >= MOST_KEYS:
                kept = f"{MOST_KEYS} keys, with those that ended in the last {KEPT.days} days"
                raise Conflict(f"there are {kept}; let callers that do the same share one")
            store.insert(connection, record)
            audit(
                "key.created",
                by=by,
                target=shown(record.id),
                connection=connection,
                name=record.name,
                scopes=" ".join(sorted(record.scopes)),
                models="all" if models is None else " ".join(sorted(models)),
                expires=record.expires_at.isoformat() if record.expires_at else "never",
            )

        self._store.change(work, now)
        self._on_change()
        return made.text, KeyInfo.of(record, now)

    def list(self, *, with_revoked: bool = False, before: str | None = None, limit: int = 100) -> KeyPage:
        """Keys, newest first; `before` is the id of the last one of the page before.

        Raises
        ------
        NotFound
            There is no key `before`.
        """
        now = self._clock.now()
        last = None if before is None else self._find(before).id
        found = self._store.page(ended_after=now - KEPT, with_revoked=with_revoked, before=last, limit=limit + 1)
        keys = [KeyInfo.of(record, now) for record in found[:limit]]
        return KeyPage(keys=keys, next=keys[-1].id if len(found) > limit else None)

    def get(self, named: str) -> KeyInfo:
        """The key of an id or prefix. Raises `NotFound`."""
        return KeyInfo.of(self._find(named), self._clock.now())

    def revoke(self, named: str, by: Principal) -> KeyInfo:
        """End a key for good, in every process within seconds; one that is revoked already stays as it is.

        Raises
        ------
        NotFound
            There is no such key.
        Forbidden
            It is for models that `by` is not for.
        Conflict
            Nobody could make keys for all models any more.
        """
        key_id = self._find(named).id
        now = self._clock.now()

        def work(connection: sa.Connection) -> KeyRecord:
            record = store.find(connection, key_id)
            if record is None:
                raise _missing(named)
            if not _covers(by.models, record.models):
                raise Forbidden(f"{shown(key_id)} is for models that your key is not for; ask another administrator")
            if record.revoked_at is not None:
                return record
            if record.state(now) is KeyState.ACTIVE and Scope.ADMIN in record.scopes:
                self._check_another(connection, record, now)
            store.revoke(connection, key_id, at=now, by=signed(by))
            audit("key.revoked", by=by, target=shown(key_id), connection=connection, name=record.name)
            return replace(record, revoked_at=now, revoked_by=signed(by))

        revoked = self._store.change(work, now, repeatable=True)
        self._on_change()
        return KeyInfo.of(revoked, now)

    def principal(self, key_id: str) -> Principal:
        """As whom a key acts now, by the database: for work that was queued with it.

        Raises
        ------
        Unauthorized
            The key can be used no more; the detail says why.
        """
        record = self._store.get(key_id)
        why = f"there is no key {shown(key_id)} any more" if record is None else record.refusal(self._clock.now())
        if record is None or why is not None:
            raise Unauthorized(why)
        return record.principal

    def _find(self, named: str) -> KeyRecord:
        key_id = id_named(named)
        record = None if key_id is None else self._store.get(key_id)
        if record is None:
            raise _missing(named)
        return record

    def _checked_models(self, given: Collection[str] | None) -> frozenset[str] | None:
        if given is None:
            return None
        known = self._models()
        unknown = [name for name in given if name not in known]
        if unknown:
            there = ", ".join(sorted(known)[:_SHOWN_MODELS])
            raise Invalid.field("models", f"there is no model {unknown[0][:80]!r}; there are {there}", list(given))
        return frozenset(given)

    def _check_another(self, connection: sa.Connection, record: KeyRecord, now: datetime) -> None:
        # One that is for some models makes no keys for the others.
        others = (key for key in store.active(connection, now) if key.id != record.id and Scope.ADMIN in key.scopes)
        if self._has_other_way_in or any(_covers(key.models, record.models) for key in others):
            return
        raise Conflict(
            f"{shown(record.id)} is the last key with the scope admin: nobody could make keys any more. Make another "
            "one first, set ATOLL_ADMIN_KEY, or revoke it on the server's machine with `atoll keys revoke --local`"
        )


def check_within(draft: KeyDraft, by: Principal) -> None:
    """Raises `Forbidden` where a key could do more than whoever makes it."""
    more = [scope for scope in draft.scopes if not by.may(scope)]
    if more:
        may = ", ".join(sorted(by.scopes)) or "nothing"
        raise Forbidden(f"a key can do no more than who makes it: you may {may}, and not {more[0]}")
    if not _covers(by.models, draft.models):
        raise Forbidden(
            "a key can do no more than who makes it: name `models` among yours, which are "
            f"{', '.join(sorted(by.models or ())[:_SHOWN_MODELS])}"
        )


def _covers(models: Collection[str] | None, others: Collection[str] | None) -> bool:
    """Whether a key for `models` is for all of `others` too; None is all that there are."""
    return models is None or (others is not None and set(models).issuperset(others))


def checked_end(draft: KeyDraft, now: datetime) -> datetime | None:
    """When the key ends. Raises `Invalid`."""
    if draft.expires_in_days is not None:
        return now + timedelta(days=draft.expires_in_days)
    end = draft.expires_at
    if end is None:
        return None
    if end <= now:
        raise Invalid.field("expires_at", f"has passed; it is {now:%Y-%m-%dT%H:%MZ} here", end.isoformat())
    if end > now + timedelta(days=MOST_DAYS):
        told = f"is more than {MOST_DAYS} days away; send an earlier time, or none for a key without an end"
        raise Invalid.field("expires_at", told, end.isoformat())
    return end


def signed(by: Principal) -> str:
    """How a principal stands in the table."""
    return (by.id or by.kind)[:256]


def _missing(named: str) -> NotFound:
    key_id = id_named(named)
    what = shown(key_id) if key_id else repr(named[:16])
    return NotFound(f"there is no key {what}; GET /keys?include=revoked lists those that there are")
