"""All SQL of the registry. Each function works in the caller's transaction, so that a job's last one can publish."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.errors import NotFound
from common.registry import tables
from common.registry.versions import (
    Artefact,
    ModelEntry,
    Version,
    check_alias,
    check_artefact,
    check_model,
    finite,
    is_model,
    listed,
)
from common.storage.blobs import BlobRef


def insert_version(
    connection: sa.Connection,
    model: str,
    artefacts: Mapping[str, BlobRef],
    *,
    created_at: datetime,
    author: str,
    code_version: str,
    metrics: Mapping[str, Any] | None = None,
    job_id: str | None = None,
    data_hash: str | None = None,
) -> int:
    """Add a version and return its number.

    The model's row stays locked until the transaction ends, so numbers have no gaps: another one waits to learn
    whether this is committed or rolled back.

    Parameters
    ----------
    artefacts : blob by name; the blobs are on the share already.

    Raises
    ------
    Invalid
        A name cannot be used.
    sqlalchemy.exc.IntegrityError
        The job has published a version of this model before.
    """
    check_model(model)
    for name in artefacts:
        check_artefact(name)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(
        insert(tables.models).values(name=model, last_number=0, changes=0).on_conflict_do_nothing(),
    )
    number = connection.execute(
        sa.update(tables.models)
        .where(tables.models.c.name == model)
        .values(last_number=tables.models.c.last_number + 1, changes=tables.models.c.changes + 1)
        .returning(tables.models.c.last_number)
    ).scalar_one()
    connection.execute(
        sa.insert(tables.versions).values(
            model=model,
            number=number,
            metrics=finite(dict(metrics or {})),
            job_id=job_id,
            data_hash=data_hash,
            author=author,
            code_version=code_version,
            created_at=created_at,
        )
    )
    if artefacts:
        connection.execute(
            sa.insert(tables.artefacts),
            [
                {"model": model, "number": number, "name": name, "sha256": ref.sha256, "size_bytes": ref.size_bytes}
                for name, ref in artefacts.items()
            ],
        )
    return int(number)


def set_alias(connection: sa.Connection, model: str, alias: str, number: int, *, changed_at: datetime) -> int | None:
    """Point an alias to a version; returns the number it had before, None if it is new. The same again does nothing.

    Raises
    ------
    NotFound
        There is no such model or version.
    Invalid
        The alias cannot be used.
    """
    check_alias(alias)
    locked = sa.select(tables.models.c.last_number).where(tables.models.c.name == model).with_for_update()
    last_number = connection.execute(locked).scalar() if is_model(model) else None
    if last_number is None or not 1 <= number <= last_number:
        raise _no_version(connection, model, number, last_number)
    one = (tables.aliases.c.model == model) & (tables.aliases.c.alias == alias)
    previous = connection.execute(sa.select(tables.aliases.c.number).where(one)).scalar()
    if previous == number:
        return number
    values = {"number": number, "changed_at": changed_at}
    if previous is None:
        connection.execute(sa.insert(tables.aliases).values(model=model, alias=alias, **values))
    else:
        connection.execute(sa.update(tables.aliases).where(one).values(**values))
    connection.execute(
        sa.update(tables.models).where(tables.models.c.name == model).values(changes=tables.models.c.changes + 1)
    )
    return None if previous is None else int(previous)


def get(connection: sa.Connection, model: str, which: int | str) -> Version:
    """A version by number or alias.

    Raises
    ------
    NotFound
        The detail names what there is.
    """
    if isinstance(which, str):
        entry = get_model(connection, model)
        if which not in entry.aliases:
            raise NotFound(
                f"{model} has no alias {which[:80]!r}; it has {listed(entry.aliases)}, and {_span(entry.latest)}"
            )
        which = entry.aliases[which]
    if not is_model(model):
        # PostgreSQL cannot even be asked for some.
        raise _no_model(connection, model)
    chosen = (tables.versions.c.model == model) & (tables.versions.c.number == which)
    found = _read(connection, sa.select(tables.versions).where(chosen))
    if not found:
        last_number = sa.select(tables.models.c.last_number).where(tables.models.c.name == model)
        raise _no_version(connection, model, which, connection.execute(last_number).scalar())
    return found[0]


def get_model(connection: sa.Connection, model: str) -> ModelEntry:
    """
    Raises
    ------
    NotFound
        The detail names the models that there are.
    """
    found = _entries(connection, tables.models.c.name == model) if is_model(model) else []
    if not found:
        raise _no_model(connection, model)
    return found[0]


def list_models(connection: sa.Connection) -> list[ModelEntry]:
    """All models that have a version, by name."""
    return _entries(connection, sa.true())


def list_versions(
    connection: sa.Connection, model: str, *, before: int | None = None, limit: int = 100
) -> list[Version]:
    """The newest versions of a model, newest first; none of an unknown one.

    Parameters
    ----------
    before : only those with a lower number, for the next page.
    """
    chosen = sa.select(tables.versions).where(tables.versions.c.model == model)
    if before is not None:
        chosen = chosen.where(tables.versions.c.number < before)
    return _read(connection, chosen.order_by(tables.versions.c.number.desc()).limit(limit))


def stamps(connection: sa.Connection) -> dict[str, int]:
    """Changes so far by model: as long as a model's number is the same, nothing about it has changed."""
    rows = connection.execute(sa.select(tables.models.c.name, tables.models.c.changes))
    return {row.name: row.changes for row in rows}


def _entries(connection: sa.Connection, chosen: sa.ColumnElement[bool]) -> list[ModelEntry]:
    chosen_models = (
        sa.select(tables.models).where(chosen, tables.models.c.last_number > 0).order_by(tables.models.c.name)
    )
    rows = connection.execute(chosen_models).all()
    aliases: dict[str, dict[str, int]] = {row.name: {} for row in rows}
    joined = tables.aliases.join(tables.models, tables.aliases.c.model == tables.models.c.name)
    chosen_aliases = sa.select(tables.aliases).select_from(joined).where(chosen).order_by(tables.aliases.c.alias)
    for row in connection.execute(chosen_aliases):
        aliases.setdefault(row.model, {})[row.alias] = row.number
    return [ModelEntry(model=row.name, latest=row.last_number, aliases=aliases[row.name]) for row in rows]


def _read(connection: sa.Connection, chosen: sa.Select[Any]) -> list[Version]:
    rows: Sequence[sa.Row[Any]] = connection.execute(chosen).all()
    if not rows:
        return []
    held: dict[int, list[Artefact]] = {row.number: [] for row in rows}
    of = (tables.artefacts.c.model == rows[0].model) & tables.artefacts.c.number.in_(held)
    for row in connection.execute(sa.select(tables.artefacts).where(of).order_by(tables.artefacts.c.name)):
        held[row.number].append(Artefact(name=row.name, sha256=row.sha256, size_bytes=row.size_bytes))
    return [
        Version(
            model=row.model,
            number=row.number,
            artefacts=tuple(held[row.number]),
            metrics=row.metrics,
            job_id=row.job_id,
            data_hash=row.data_hash,
            author=row.author,
            code_version=row.code_version,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _no_version(connection: sa.Connection, model: str, number: int, last_number: int | None) -> NotFound:
    if not last_number:
        return _no_model(connection, model)
    return NotFound(f"{model} has no version {number}; it has {_span(last_number)}")


def _no_model(connection: sa.Connection, model: str) -> NotFound:
    known = connection.execute(sa.select(tables.models.c.name).order_by(tables.models.c.name)).scalars()
    return NotFound(f"no version of {model[:80]!r} was published; models with versions: {listed(known)}")


def _span(last_number: int) -> str:
    return "version 1" if last_number == 1 else f"versions 1 to {last_number}"
