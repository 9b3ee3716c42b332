"""Tells whose API key a credential is: from memory, and from the database where memory may be out of date.

A process remembers all keys (there are `MOST_KEYS` at most) and trusts what it remembers for `TRUSTED_S`. Then it reads
one stamp, which every change replaces, and the keys again only if it is another. So a key that is revoked in one
process stops working in all within `TRUSTED_S`; one that expires does so at once.

A credential that memory does not know may be a key that was made a moment ago elsewhere, so it is refused only by a
read that began after it came. All that wait share that read, and reads have a pause between them: a flood of unknown
keys costs the database a few reads of one stamp a second, whatever its size, and shuts out nobody.

While the database is away, what is remembered goes on being taken for `STALE_S` after it was last confirmed.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from common.clock import Clock
from common.errors import DependencyFailed, Unauthorized
from common.http.dependencies import dependency_down
from common.security.keys.reads import SharedReads
from common.security.keys.record import KeyRecord
from common.security.keys.secret import PREFIX, digest, id_in
from common.security.keys.uses import LastUses
from common.security.principal import Principal
from common.security.scopes import Scope
from common.telemetry.logs import get_logger

log = get_logger("atoll.keys")

TRUSTED_S = 5.0
STALE_S = 300.0
# A database that is away is left alone for so long; what is remembered is taken meanwhile without asking.
_PAUSE_S = 2.0
_GAP_S = 0.05
# The first read of a process may have to bring the database up to date.
_WAIT_S = 15.0
_WAIT_IF_REMEMBERED_S = 1.0
_RETRY_AFTER_S = 5
_REFUSED = 2048
# Compared with where there is no such key, so that it takes the same work to refuse one.
_NOBODY = digest("nobody")

ADMIN_ID = "key:admin"


class KeySource(Protocol):
    """Where keys are kept; `KeyStore` is one. All methods block."""

    def stamp(self) -> str:
        """Another text whenever a key was made, revoked or removed."""
        ...

    def all(self) -> Sequence[KeyRecord]:
        """All keys, those that can be used no more among them."""
        ...

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used."""
        ...


@dataclass(frozen=True)
class _Memory:
    """What the database said, and when."""

    stamp: str | None = None
    keys: Mapping[str, KeyRecord] = field(default_factory=dict)
    confirmed_s: float = float("-inf")


class KeyVerifier:
    """One a process; event loops and threads may share it.

    Parameters
    ----------
    source : opens the database at its first call, on a thread; none is made before the first credential.
    admin_key : `ATOLL_ADMIN_KEY`, which is taken without a database.
    """

    def __init__(
        self, source: Callable[[], KeySource], clock: Clock, *, admin_key: str | None = None, gap_s: float = _GAP_S
    ) -> None:
        self._source = source
        self._clock = clock
        self._admin_digest = digest(admin_key) if admin_key else None
        self._admin_chars = len(admin_key) if admin_key else -1
        self._admin = Principal(ADMIN_ID, "key", frozenset({Scope.ADMIN}), name="ATOLL_ADMIN_KEY")
        self._memory = _Memory()
        self._trusted_until_s = float("-inf")
        self._generation = 0
        self._reads = SharedReads(self._read, gap_s=gap_s)
        self._uses = LastUses(lambda uses: self._source().note_uses(uses), clock)
        # Digest -> until when it is refused without a read, and why. By what was sent: a wrong secret says nothing
        # about the key whose id stands before it.
        self._refused: dict[str, tuple[float, str]] = {}

    def recognises(self, credential: str) -> bool:
        return credential.startswith(PREFIX) or self._is_admin(credential)

    def known(self, credential: str) -> Principal | None:
        if self._is_admin(credential):
            return self._admin
        key_id = id_in(credential)
        if key_id is None or self._clock.monotonic_s() >= self._trusted_until_s:
            return None
        return self._taken(self._match(key_id, digest(credential)))

    async def verify(self, credential: str) -> Principal:
        found = self.known(credential)
        if found is not None:
            return found
        key_id = id_in(credential)
        if key_id is None:
            raise Unauthorized("this is no whole API key; one is atl_, 12 characters, _ and 43 more")
        sent = digest(credential)
        self._raise_if_refused(sent)
        remembered = self._remembered(key_id, sent)
        try:
            wait_s = _WAIT_S if remembered is None else _WAIT_IF_REMEMBERED_S
            failure = await asyncio.wait_for(asyncio.wrap_future(self._reads.ask()), wait_s)
        except TimeoutError as exc:
            failure = exc
            self._pause()
        if failure is not None:
            if remembered is None:
                raise _away()
            return remembered
        record = self._match(key_id, sent)
        principal = self._taken(record)
        if principal is None:
            raise Unauthorized(self._refuse(sent, record))
        return principal

    def look_again(self) -> None:
        """Trust nothing that is remembered; called after this process has changed a key."""
        # A read that is under way may have begun before the change.
        self._generation += 1
        self._trusted_until_s = float("-inf")

    def _is_admin(self, credential: str) -> bool:
        if self._admin_digest is None or len(credential) != self._admin_chars:
            return False
        return hmac.compare_digest(self._admin_digest, digest(credential))

    def _match(self, key_id: str, sent: str) -> KeyRecord | None:
        """The key whose digest this is. The same work for an id that is unknown as for a secret that is wrong."""
        record = self._memory.keys.get(key_id)
        is_same = hmac.compare_digest(_NOBODY if record is None else record.digest, sent)
        return record if is_same else None

    def _taken(self, record: KeyRecord | None) -> Principal | None:
        if record is None or record.refusal(self._clock.now()) is not None:
            return None
        self._uses.note(record.id)
        return record.principal

    def _remembered(self, key_id: str, sent: str) -> Principal | None:
        """Whose key it was when the database was last seen, unless that is too long ago."""
        if self._clock.monotonic_s() - self._memory.confirmed_s >= STALE_S:
            return None
        return self._taken(self._match(key_id, sent))

    def _refuse(self, sent: str, record: KeyRecord | None) -> str:
        """Why a credential is not taken; remembered for as long as a key that is."""
        why = record.refusal(self._clock.now()) if record is not None else None
        why = why or "there is no such key; it was mistyped, or revoked long ago"
        if len(self._refused) >= _REFUSED:
            self._refused.clear()
        self._refused[sent] = (self._clock.monotonic_s() + TRUSTED_S, why)
        return why

    def _raise_if_refused(self, sent: str) -> None:
        until_s, why = self._refused.get(sent, (float("-inf"), ""))
        if self._clock.monotonic_s() < until_s:
            raise Unauthorized(why)

    def _read(self) -> None:
        """Confirm what is remembered, or remember anew; on the thread of `SharedReads`."""
        asked_s, generation, memory = self._clock.monotonic_s(), self._generation, self._memory
        try:
            source = self._source()
            # The stamp first: what changes in between is read again next time.
            stamp = source.stamp()
            keys = memory.keys if stamp == memory.stamp else {record.id: record for record in source.all()}
        except Exception as exc:
            is_away = dependency_down(exc) is not None
            log.warning("keys cannot be read", error=type(exc).__name__, exc_info=None if is_away else exc)
            self._pause()
            raise
        self._memory = _Memory(stamp, keys, asked_s)
        self._uses.keep(keys)
        if generation == self._generation:
            self._trusted_until_s = asked_s + TRUSTED_S

    def _pause(self) -> None:
        """Take what is remembered for a moment without asking, since the database does not answer."""
        self._trusted_until_s = min(self._clock.monotonic_s() + _PAUSE_S, self._memory.confirmed_s + STALE_S)


def _away() -> DependencyFailed:
    return DependencyFailed(
        "the key cannot be checked, because the database does not answer; try again",
        headers={"Retry-After": str(_RETRY_AFTER_S)},
    )
