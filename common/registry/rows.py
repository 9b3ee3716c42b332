"""Rows of the registry as what is told of them. Each function reads in the caller's transaction."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from common.errors import NotFound
from common.registry import tables
from common.registry.versions import Artefact, ModelEntry, Traffic, Version, listed


def entries(connection: sa.Connection, chosen: sa.ColumnElement[bool]) -> list[ModelEntry]:
    """The chosen models that have a version, by name."""
    counted = (
        sa.select(
            tables.versions.c.model,
            sa.func.max(tables.versions.c.number).label("latest"),
            sa.func.count().label("count"),
        )
        .group_by(tables.versions.c.model)
        .subquery()
    )
    joined = tables.models.join(counted, tables.models.c.name == counted.c.model)
    of_models = sa.select(tables.models, counted.c.latest, counted.c.count).select_from(joined)
    rows = connection.execute(of_models.where(chosen).order_by(tables.models.c.name)).all()
    aliases: dict[str, dict[str, int]] = {row.name: {} for row in rows}
    joined = tables.aliases.join(tables.models, tables.aliases.c.model == tables.models.c.name)
    chosen_aliases = sa.select(tables.aliases).select_from(joined).where(chosen).order_by(tables.aliases.c.alias)
    for row in connection.execute(chosen_aliases):
        aliases.setdefault(row.model, {})[row.alias] = row.number
    shares = traffic(connection, chosen)
    return [
        ModelEntry(
            model=row.name,
            latest=row.latest,
            count=row.count,
            aliases=aliases[row.name],
            description=row.description,
            tags=row.tags,
            traffic=shares.get(row.name),
        )
        for row in rows
    ]


def traffic(connection: sa.Connection, chosen: sa.ColumnElement[bool]) -> dict[str, Traffic]:
    """The shares of the chosen models that have some, by model."""
    joined = tables.traffic.join(tables.models, tables.traffic.c.model == tables.models.c.name)
    rows = connection.execute(
        sa.select(tables.traffic).select_from(joined).where(chosen).order_by(tables.traffic.c.alias)
    ).all()
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        shares = found.setdefault(row.model, {"weights": {}})
        if row.weight > 0:
            shares["weights"][row.alias] = row.weight
        if row.shadow > 0:
            shares |= {"shadow": row.alias, "shadow_share": row.shadow}
    return {model: Traffic(**shares) for model, shares in found.items()}


def read(connection: sa.Connection, chosen: sa.Select[Any]) -> list[Version]:
    """The chosen versions of one model, with their artefacts."""
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
            signature=row.signature,
            description=row.description,
            tags=row.tags,
            library=row.library,
            library_version=row.library_version,
        )
        for row in rows
    ]


def no_version(connection: sa.Connection, model: str, number: int) -> NotFound:
    """For a version that is not there: which ones are."""
    numbers = sa.select(tables.versions.c.number).where(tables.versions.c.model == model)
    found = list(connection.execute(numbers.order_by(tables.versions.c.number)).scalars())
    if not found:
        return no_model(connection, model)
    return NotFound(f"{model} has no version {number}; it has {span(found)}")


def no_model(connection: sa.Connection, model: str) -> NotFound:
    """For a model that has no version: which ones have."""
    known = connection.execute(sa.select(tables.versions.c.model).distinct().order_by(tables.versions.c.model))
    return NotFound(f"no version of {model[:80]!r} was published; models with versions: {listed(known.scalars())}")


def span(numbers: Sequence[int]) -> str:
    """Numbers, in ascending order, for people."""
    if len(numbers) == 1:
        return f"version {numbers[0]}"
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return f"versions {numbers[0]} to {numbers[-1]}"
    return f"versions {listed(numbers)}"
