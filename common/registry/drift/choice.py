"""What is kept of a model's requests, as its admin says; and the SQL of it, in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from common.registry import removal, tables
from common.registry.drift.definitions import Sampling
from common.telemetry.logs import get_logger

log = get_logger("atoll.registry")


def read_all(connection: sa.Connection) -> dict[str, Sampling]:
    """By model; of models that nobody asked a sample of there is none."""
    found = {row.model: _read(row.model, row.how) for row in connection.execute(sa.select(tables.sampling))}
    return {model: how for model, how in found.items() if how is not None}


def read(connection: sa.Connection, model: str) -> Sampling | None:
    how = connection.execute(sa.select(tables.sampling.c.how).where(tables.sampling.c.model == model)).scalar()
    return None if how is None else _read(model, how)


def write(connection: sa.Connection, model: str, how: Sampling, *, changed_at: datetime) -> None:
    """Keep a sample of the model's requests from now on.

    Raises
    ------
    NotFound
        The model has no version.
    """
    removal.check_model_there(connection, model)
    clear(connection, model)
    values = {"how": how.model_dump(mode="json"), "changed_at": changed_at}
    connection.execute(sa.insert(tables.sampling).values(model=model, **values))


def clear(connection: sa.Connection, model: str) -> None:
    connection.execute(sa.delete(tables.sampling).where(tables.sampling.c.model == model))


def _read(model: str, how: Mapping[str, Any]) -> Sampling | None:
    try:
        return Sampling.model_validate(how)
    except ValidationError:
        # Of a later code version. Nothing is kept rather than what should not be.
        log.warning("what is kept of a model's requests cannot be read; nothing is", model=model)
        return None
