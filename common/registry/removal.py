"""Takes versions and models away, and changes what is told of them; in the caller's transaction.

Rows only: the blobs of a version lie on the share until `common.registry.garbage` finds that nobody needs them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.errors import Conflict
from common.registry import rows, store, tables
from common.registry.versions import check_description, check_tags, finite, is_model, listed


def delete_version(connection: sa.Connection, model: str, number: int) -> None:
    """Delete a version; its number is not given again.

    Raises
    ------
    NotFound
    Conflict
        An alias points to it; the detail says which.
    """
    store.check_there(connection, model, number)
    pointing = sa.select(tables.aliases.c.alias).where(
        tables.aliases.c.model == model, tables.aliases.c.number == number
    )
    aliases = list(connection.execute(pointing.order_by(tables.aliases.c.alias)).scalars())
    if aliases:
        raise Conflict(
            f"version {number} of {model} is what {listed(aliases)} points to; "
            "point the alias to another version, or delete the alias, first"
        )
    remove_version(connection, model, number)
    store.note_change(connection, model)


def remove_version(connection: sa.Connection, model: str, number: int) -> None:
    """The rows of a version that no alias points to."""
    for table in (tables.history, tables.artefacts, tables.versions):
        connection.execute(sa.delete(table).where(table.c.model == model, table.c.number == number))


def delete_model(connection: sa.Connection, model: str) -> int:
    """Delete all versions and aliases of a model; how many versions there were.

    The model's own row stays, so that a later version of that name has a number of its own.

    Raises
    ------
    NotFound
    """
    check_model_there(connection, model)
    for table in (tables.sampling, tables.traffic, tables.history, tables.aliases, tables.artefacts):
        connection.execute(sa.delete(table).where(table.c.model == model))
    gone = connection.execute(sa.delete(tables.versions).where(tables.versions.c.model == model)).rowcount
    cleared: dict[str, Any] = {"description": "", "tags": {}}
    connection.execute(sa.update(tables.models).where(tables.models.c.name == model).values(**cleared))
    store.note_change(connection, model)
    return int(gone)


def describe(
    connection: sa.Connection,
    model: str,
    number: int | None = None,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | Iterable[str] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> None:
    """Change the description and the tags of a model, or of one version; None leaves what is there.

    Parameters
    ----------
    metrics : figures of a version, measured after it was published; others that it has stay.

    Raises
    ------
    NotFound, Invalid
    """
    values: dict[str, Any] = {}
    if description is not None:
        values["description"] = check_description(description)
    if tags is not None:
        values["tags"] = check_tags(tags)
    if number is None:
        check_model_there(connection, model)
        change = sa.update(tables.models).where(tables.models.c.name == model)
    else:
        store.check_there(connection, model, number)
        of = (tables.versions.c.model == model) & (tables.versions.c.number == number)
        change = sa.update(tables.versions).where(of)
        if metrics:
            had = connection.execute(sa.select(tables.versions.c.metrics).where(of)).scalar_one()
            values["metrics"] = had | finite(dict(metrics))
    if values:
        connection.execute(change.values(**values))
        store.note_change(connection, model)


def check_model_there(connection: sa.Connection, model: str) -> None:
    """Lock the model until the transaction ends.

    Raises
    ------
    NotFound
        It has no version.
    """
    if is_model(model):
        store.lock(connection, model)
        chosen = sa.select(tables.versions.c.number).where(tables.versions.c.model == model).limit(1)
        if connection.execute(chosen).scalar() is not None:
            return
    raise rows.no_model(connection, model)


def superseded(
    versions: Iterable[tuple[int, datetime]], kept: Iterable[int], *, keep: int, before: datetime
) -> list[int]:
    """Numbers of the versions that newer ones took the place of. Pure.

    Parameters
    ----------
    versions : number and time of each.
    kept : numbers that stay whatever their age.
    keep : as many of the newest stay.
    before : younger ones stay.
    """
    stay = set(kept)
    by_number = sorted(versions, reverse=True)
    return [number for number, made_at in by_number[keep:] if number not in stay and made_at < before]


def prune(connection: sa.Connection, model: str, keep: int, before: datetime) -> list[int]:
    """Remove a model's versions beyond the newest `keep` that are older than `before`; their numbers.

    What an alias points to stays, and what it would go back to.
    """
    store.lock(connection, model)
    kept = set(connection.execute(sa.select(tables.aliases.c.number).where(tables.aliases.c.model == model)).scalars())
    past = sa.select(tables.history.c.alias, tables.history.c.number).where(tables.history.c.model == model)
    back = {row.alias: row.number for row in connection.execute(past.order_by(tables.history.c.step))}
    chosen = sa.select(tables.versions.c.number, tables.versions.c.created_at).where(tables.versions.c.model == model)
    versions = [(row.number, row.created_at) for row in connection.execute(chosen)]
    gone = superseded(versions, kept | set(back.values()), keep=keep, before=before)
    for number in gone:
        remove_version(connection, model, number)
    if gone:
        store.note_change(connection, model)
    return gone
