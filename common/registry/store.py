"""All SQL of the registry. Each function works in the caller's transaction, so that a job's last one can publish."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.errors import DependencyFailed, NotFound
from common.registry import rows, tables
from common.registry.versions import (
    ModelEntry,
    Version,
    check_alias,
    check_artefact,
    check_description,
    check_model,
    check_tags,
    finite,
    is_model,
    listed,
)
from common.storage.blobs import BlobRef, Blobs

_LIBRARY_CHARS = 64
# As many rollbacks in a row an alias allows.
_STEPS = 20


class BlobsGone(DependencyFailed):
    """Blobs of a version are not on the share any more."""


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
    signature: Mapping[str, Any] | None = None,
    description: str = "",
    tags: Mapping[str, str] | Iterable[str] = (),
    library: str | None = None,
    library_version: str | None = None,
    blobs: Blobs | None = None,
) -> int:
    """Add a version and return its number.

    The model's row stays locked until the transaction ends, so a number that is not committed leaves no gap: another
    one waits to learn whether this is committed or rolled back.

    Parameters
    ----------
    artefacts : blob by name; the blobs are on the share already.
    blobs : asked whether they still are. They may have been there before, needed by nobody, and have been collected
        since; from now to the end of the transaction nothing is.

    Raises
    ------
    Invalid
        A name cannot be used.
    BlobsGone
        Put them again.
    sqlalchemy.exc.IntegrityError
        The job has published a version of this model before.
    """
    check_model(model)
    for name in artefacts:
        check_artefact(name)
    description, tags = check_description(description), check_tags(tags)
    if blobs is not None:
        keep_blobs(connection)
        if blobs.missing(artefacts.values()):
            raise BlobsGone("files of the version are not on the share any more; publish it again")
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
            signature=None if signature is None else finite(dict(signature)),
            description=description,
            tags=tags,
            library=None if library is None else library[:_LIBRARY_CHARS],
            library_version=None if library_version is None else library_version[:_LIBRARY_CHARS],
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
        needed = {ref.sha256 for ref in artefacts.values()}
        connection.execute(sa.delete(tables.unreferenced).where(tables.unreferenced.c.sha256.in_(needed)))
    return int(number)


def keep_blobs(connection: sa.Connection, *, against: bool = False) -> None:
    """Let no blob be collected until the transaction ends; `against` all that do so, for whoever collects.

    SQLite's writers are alone already.
    """
    if connection.dialect.name == "postgresql":
        # The number is arbitrary, but the same in every process.
        kind = "pg_advisory_xact_lock" if against else "pg_advisory_xact_lock_shared"
        connection.exec_driver_sql(f"SELECT {kind}(20261121)")


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
    check_there(connection, model, number)
    one = (tables.aliases.c.model == model) & (tables.aliases.c.alias == alias)
    previous = connection.execute(sa.select(tables.aliases.c.number).where(one)).scalar()
    if previous == number:
        return number
    values = {"number": number, "changed_at": changed_at}
    if previous is None:
        connection.execute(sa.insert(tables.aliases).values(model=model, alias=alias, **values))
    else:
        connection.execute(sa.update(tables.aliases).where(one).values(**values))
        _remember(connection, model, alias, previous, changed_at)
    note_change(connection, model)
    return None if previous is None else int(previous)


def check_there(connection: sa.Connection, model: str, number: int) -> None:
    """Lock the model until the transaction ends.

    Raises
    ------
    NotFound
        There is no such model or version.
    """
    if not is_model(model):
        raise rows.no_model(connection, model)
    lock(connection, model)
    one = (tables.versions.c.model == model) & (tables.versions.c.number == number)
    if connection.execute(sa.select(tables.versions.c.number).where(one)).scalar() is None:
        raise rows.no_version(connection, model, number)


def lock(connection: sa.Connection, model: str) -> None:
    """Keep everyone else from changing the model until the transaction ends."""
    connection.execute(sa.select(tables.models.c.name).where(tables.models.c.name == model).with_for_update())


def note_change(connection: sa.Connection, model: str) -> None:
    """Have every process look at the model again."""
    connection.execute(
        sa.update(tables.models).where(tables.models.c.name == model).values(changes=tables.models.c.changes + 1)
    )


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
                f"{model} has no alias {which[:80]!r}; it has {listed(entry.aliases)}, and "
                + rows.span(_numbers(connection, model))
            )
        which = entry.aliases[which]
    if not is_model(model):
        # PostgreSQL cannot even be asked for some.
        raise rows.no_model(connection, model)
    chosen = (tables.versions.c.model == model) & (tables.versions.c.number == which)
    found = rows.read(connection, sa.select(tables.versions).where(chosen))
    if not found:
        raise rows.no_version(connection, model, which)
    return found[0]


def get_model(connection: sa.Connection, model: str) -> ModelEntry:
    """
    Raises
    ------
    NotFound
        The detail names the models that there are.
    """
    found = rows.entries(connection, tables.models.c.name == model) if is_model(model) else []
    if not found:
        raise rows.no_model(connection, model)
    return found[0]


def list_models(connection: sa.Connection) -> list[ModelEntry]:
    """All models that have a version, by name."""
    return rows.entries(connection, sa.true())


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
    return rows.read(connection, chosen.order_by(tables.versions.c.number.desc()).limit(limit))


def stamps(connection: sa.Connection) -> dict[str, int]:
    """Changes so far by model: as long as a model's number is the same, nothing about it has changed."""
    found = connection.execute(sa.select(tables.models.c.name, tables.models.c.changes))
    return {row.name: row.changes for row in found}


def _numbers(connection: sa.Connection, model: str) -> list[int]:
    chosen = sa.select(tables.versions.c.number).where(tables.versions.c.model == model)
    return list(connection.execute(chosen.order_by(tables.versions.c.number)).scalars())


def _remember(connection: sa.Connection, model: str, alias: str, number: int, left_at: datetime) -> None:
    """Keep what an alias pointed to, for a rollback; the oldest of many is forgotten."""
    past = (tables.history.c.model == model) & (tables.history.c.alias == alias)
    last = connection.execute(sa.select(sa.func.max(tables.history.c.step)).where(past)).scalar() or 0
    step = {"step": last + 1, "number": number, "left_at": left_at}
    connection.execute(sa.insert(tables.history).values(model=model, alias=alias, **step))
    connection.execute(sa.delete(tables.history).where(past, tables.history.c.step <= last + 1 - _STEPS))
