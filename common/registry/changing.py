"""What a process changes in the registry: aliases, shares, descriptions; and what it deletes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa

from common.clock import Clock
from common.database import Database
from common.registry import moves, removal, store
from common.registry.gate import Gate
from common.registry.versions import DEFAULT_ALIAS, AliasChange, Promotion, Traffic
from common.telemetry.logs import get_logger

log = get_logger("atoll.registry")

T = TypeVar("T")
# Called with what was done, in the same transaction: for a row in the audit log.
Also = Callable[[sa.Connection, T], None]


class Changing:
    """The part of `Registry` that changes what is there. Every process knows of a change within a second."""

    _database: Database
    _clock: Clock

    def look_again(self) -> None:
        """Ask the database at the next `resolve`."""
        raise NotImplementedError

    def set_alias(self, model: str, alias: str, number: int, also: Also[AliasChange] | None = None) -> AliasChange:
        """Point an alias to a version; the same again changes nothing.

        Parameters
        ----------
        also : called with the change, if it is one, in the same transaction.

        Raises
        ------
        NotFound, Invalid
        """
        now = self._clock.now()

        def work(connection: sa.Connection) -> AliasChange:
            before = store.set_alias(connection, model, alias, number, changed_at=now)
            return AliasChange(model=model, alias=alias, version=number, previous=before)

        change = self._change(work, also, when=lambda made: made.previous != number, repeatable=True)
        if change.previous != number:
            log.info("alias moved", model=model, alias=alias, number=number, previous=change.previous)
        return change

    def rollback(
        self,
        model: str,
        alias: str = DEFAULT_ALIAS,
        *,
        expected: int | None = None,
        also: Also[AliasChange] | None = None,
    ) -> AliasChange:
        """Point an alias to what it pointed to before its last move; again, to what it did before that.

        Parameters
        ----------
        expected : what it is to point to now, so that a call made twice goes back once.

        Raises
        ------
        NotFound
        Conflict
            There is nothing to go back to, or the alias points elsewhere than expected.
        """
        now = self._clock.now()
        change = self._change(lambda c: moves.rollback(c, model, alias, changed_at=now, expected=expected), also)
        log.info("alias rolled back", model=model, alias=alias, number=change.version, previous=change.previous)
        return change

    def promote(
        self,
        model: str,
        which: int | str,
        gate: Gate,
        *,
        alias: str = DEFAULT_ALIAS,
        also: Also[Promotion] | None = None,
    ) -> Promotion:
        """Point `alias` to a version, named by number or by another alias, if it is at least as good as what it has.

        Raises
        ------
        NotFound, Invalid
        Conflict
            It is not as good, or has no such figure; nothing was changed.
        """
        now = self._clock.now()
        made = self._change(lambda c: moves.promote(c, model, which, gate, alias=alias, changed_at=now), also)
        log.info("version promoted", model=model, alias=alias, number=made.version, previous=made.previous)
        return made

    def delete_alias(self, model: str, alias: str, also: Also[int] | None = None) -> int:
        """Delete an alias; the number that it had.

        Raises
        ------
        NotFound
        Conflict
            It gets a share of the requests.
        """
        number = self._change(lambda c: moves.delete_alias(c, model, alias), also)
        log.info("alias deleted", model=model, alias=alias, number=number)
        return number

    def set_traffic(
        self,
        model: str,
        weights: Mapping[str, float],
        shadow: str | None = None,
        shadow_share: float = 1.0,
        also: Also[Traffic] | None = None,
    ) -> Traffic:
        """Say who gets which version of the requests that name none.

        Parameters
        ----------
        weights : share of the requests by alias; together 1.
        shadow : alias that is shown `shadow_share` of the requests too.

        Raises
        ------
        NotFound, Invalid
        Conflict
            There is no such alias.
        """
        traffic = self._change(
            lambda c: moves.set_traffic(c, model, weights, shadow, shadow_share), also, repeatable=True
        )
        log.info("traffic shared", model=model, **traffic.model_dump())
        return traffic

    def clear_traffic(self, model: str, also: Also[None] | None = None) -> None:
        """Let `default` answer all requests again. Raises NotFound."""
        self._change(lambda c: moves.clear_traffic(c, model), also, repeatable=True)
        log.info("traffic shared no more", model=model)

    def delete_version(self, model: str, number: int, also: Also[None] | None = None) -> None:
        """Delete a version; its number is not given again, and its blobs go when nobody needs them.

        Raises
        ------
        NotFound
        Conflict
            An alias points to it.
        """
        self._change(lambda c: removal.delete_version(c, model, number), also)
        log.info("version deleted", model=model, number=number)

    def delete_model(self, model: str, also: Also[int] | None = None) -> int:
        """Delete all versions and aliases of a model; how many versions there were.

        Raises
        ------
        NotFound
        """
        gone = self._change(lambda c: removal.delete_model(c, model), also)
        log.info("model deleted", model=model, versions=gone)
        return gone

    def describe(
        self,
        model: str,
        number: int | None = None,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        metrics: Mapping[str, Any] | None = None,
        also: Also[None] | None = None,
    ) -> None:
        """Change the description and the tags of a model, or of one version; None leaves what is there.

        Parameters
        ----------
        metrics : figures of a version, measured after it was published; others that it has stay.

        Raises
        ------
        NotFound, Invalid
        """
        self._change(
            lambda c: removal.describe(c, model, number, description=description, tags=tags, metrics=metrics),
            also,
            repeatable=True,
        )

    def _change(
        self,
        work: Callable[[sa.Connection], T],
        also: Also[T] | None,
        *,
        when: Callable[[T], bool] = lambda _: True,
        repeatable: bool = False,
    ) -> T:
        def both(connection: sa.Connection) -> T:
            made = work(connection)
            if also is not None and when(made):
                also(connection, made)
            return made

        made = self._database.write(both, repeatable=repeatable)
        self.look_again()
        return made
