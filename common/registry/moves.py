"""Moves aliases and shares of the requests, in the caller's transaction; `store.set_alias` is the plainest move."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from common.errors import Conflict, NotFound
from common.registry import store, tables
from common.registry.gate import Gate
from common.registry.removal import check_model_there
from common.registry.traffic import check_traffic
from common.registry.versions import (
    AliasChange,
    ModelEntry,
    Promotion,
    Traffic,
    check_alias,
    listed,
)


def rollback(
    connection: sa.Connection, model: str, alias: str, *, changed_at: datetime, expected: int | None = None
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
    current = _pointing(connection, model, alias)
    if expected is not None and expected != current:
        raise Conflict(f"{alias} of {model} points to version {current}, not {expected}; it was moved meanwhile")
    of = (tables.history.c.model == model) & (tables.history.c.alias == alias)
    # Versions that were deleted took their steps with them.
    past = connection.execute(
        sa.select(tables.history.c.step, tables.history.c.number).where(of).order_by(tables.history.c.step.desc())
    ).all()
    back = next((step for step in past if step.number != current), None)
    if back is None:
        raise Conflict(f"{alias} of {model} has nothing before version {current}; there is no way back")
    connection.execute(sa.delete(tables.history).where(of, tables.history.c.step >= back.step))
    one = (tables.aliases.c.model == model) & (tables.aliases.c.alias == alias)
    connection.execute(sa.update(tables.aliases).where(one).values(number=back.number, changed_at=changed_at))
    store.note_change(connection, model)
    return AliasChange(model=model, alias=alias, version=back.number, previous=current)


def ways_back(connection: sa.Connection, entry: ModelEntry) -> dict[str, int]:
    """Where a rollback leads, by alias; those without a way back are left out."""
    past = connection.execute(
        sa.select(tables.history.c.alias, tables.history.c.number)
        .where(tables.history.c.model == entry.model)
        .order_by(tables.history.c.step)
    ).all()
    # The last of an alias stays.
    return {step.alias: step.number for step in past if step.number != entry.aliases.get(step.alias)}


def promote(
    connection: sa.Connection,
    model: str,
    which: int | str,
    gate: Gate,
    *,
    alias: str,
    changed_at: datetime,
) -> Promotion:
    """Point `alias` to a version, named by number or by another alias, if it is at least as good as what `alias` has.

    A trial of that version is over with it: where its alias got a share of the requests, nobody does any more.

    Raises
    ------
    NotFound
    Conflict
        It is not as good, or has no such figure; nothing was changed.
    """
    check_alias(alias)
    check_model_there(connection, model)
    candidate = store.get(connection, model, which)
    entry = store.get_model(connection, model)
    number = entry.aliases.get(alias)
    current = None if number is None else store.get(connection, model, number)
    new, old = gate.check(candidate, current)
    previous = store.set_alias(connection, model, alias, candidate.number, changed_at=changed_at)
    shares = entry.traffic
    if shares is not None and which != alias and (which == shares.shadow or which in shares.weights):
        clear_traffic(connection, model)
        shares = None
    return Promotion(
        model=model,
        alias=alias,
        version=candidate.number,
        previous=previous,
        metric=gate.metric,
        figure=new,
        previous_figure=old,
        traffic=shares,
    )


def delete_alias(connection: sa.Connection, model: str, alias: str) -> int:
    """Delete an alias; the number that it had.

    Raises
    ------
    NotFound
    Conflict
        It gets a share of the requests.
    """
    number = _pointing(connection, model, alias)
    for table in (tables.traffic, tables.history, tables.aliases):
        of = (table.c.model == model) & (table.c.alias == alias)
        if table is tables.traffic:
            if connection.execute(sa.select(table.c.alias).where(of)).scalar() is not None:
                raise Conflict(f"{alias} of {model} gets a share of the requests; give it to another alias first")
        else:
            connection.execute(sa.delete(table).where(of))
    store.note_change(connection, model)
    return number


def set_traffic(
    connection: sa.Connection, model: str, weights: Mapping[str, float], shadow: str | None, shadow_share: float
) -> Traffic:
    """Say who gets which version of the requests that name none.

    Raises
    ------
    NotFound, Invalid, Conflict
        As `check_traffic`.
    """
    check_model_there(connection, model)
    entry = store.get_model(connection, model)
    traffic = check_traffic(weights, shadow, shadow_share, entry.aliases)
    if traffic == entry.traffic:
        return traffic
    connection.execute(sa.delete(tables.traffic).where(tables.traffic.c.model == model))
    shown = {traffic.shadow: traffic.shadow_share} if traffic.shadow else {}
    connection.execute(
        sa.insert(tables.traffic),
        [
            {"model": model, "alias": alias, "weight": traffic.weights.get(alias, 0.0), "shadow": shown.get(alias, 0.0)}
            for alias in sorted({*traffic.weights, *shown})
        ],
    )
    store.note_change(connection, model)
    return traffic


def clear_traffic(connection: sa.Connection, model: str) -> None:
    """Let `default` answer all requests again. Raises NotFound."""
    check_model_there(connection, model)
    connection.execute(sa.delete(tables.traffic).where(tables.traffic.c.model == model))
    store.note_change(connection, model)


def _pointing(connection: sa.Connection, model: str, alias: str) -> int:
    """What an alias points to, the model locked."""
    check_model_there(connection, model)
    aliases = store.get_model(connection, model).aliases
    if alias not in aliases:
        raise NotFound(f"{model} has no alias {alias[:80]!r}; it has {listed(aliases)}")
    return aliases[alias]
