"""What is kept of a model, and how far it is from what a version was trained on. All functions block."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from common.clock import SystemClock
from common.errors import Conflict
from common.registry import removal, store, tables
from common.registry.drift import choice, snapshot
from common.registry.drift.compare import compare, not_compared
from common.registry.drift.definitions import (
    LEAST_ROWS,
    MOST_ROWS,
    OFF,
    ColumnDrift,
    Drift,
    KeptRows,
    Sampling,
    SamplingInfo,
    SnapshotInfo,
    Verdict,
)
from common.registry.drift.files import SampleFile, Samples, Table
from common.registry.versions import Version
from common.telemetry import metrics

if TYPE_CHECKING:
    from common.registry.drift.columns import Array
    from common.registry.drift.sampler import Sampler
    from common.registry.service import Registry

Also = Callable[[sa.Connection], None]

# Series each of a version, and of all: a gauge for each column of wide models would be too many.
_MOST_COLUMNS, _MOST_SERIES = 100, 1000
_gauged: set[tuple[str, int, str]] = set()


def sampling_of(registry: "Registry", model: str, *, is_on: bool, unwritten: "Sampler | None" = None) -> SamplingInfo:
    """
    Raises
    ------
    NotFound
        The model has no version.
    """

    def work(connection: sa.Connection) -> tuple[Version, Sampling | None]:
        entry = store.get_model(connection, model)
        return store.get(connection, model, entry.latest), choice.read(connection, model)

    newest, how = registry.database.read(work)
    if unwritten is not None and unwritten.waiting_rows(model):
        unwritten.flush()
    by_number: dict[int, list[SampleFile]] = {}
    for file in Samples(registry.blobs.share).files(model):
        by_number.setdefault(file.number, []).append(file)
    kept = [
        KeptRows(
            version=number,
            rows=sum(file.rows for file in files),
            size_bytes=sum(file.size_bytes for file in files),
            oldest=files[-1].written_at,
            newest=files[0].written_at,
        )
        for number, files in sorted(by_number.items(), reverse=True)
    ]
    how = how or OFF
    active = is_on and how.fraction > 0
    unknown = _unknown(how, newest.signature)
    return SamplingInfo(**how.model_dump(), model=model, active=active, unknown=unknown, versions=kept)


def set_sampling(registry: "Registry", model: str, how: Sampling, also: Also) -> None:
    """In force in every process within two seconds.

    Raises
    ------
    NotFound
        The model has no version.
    """

    def work(connection: sa.Connection) -> None:
        choice.write(connection, model, how, changed_at=SystemClock().now())
        also(connection)

    registry.database.write(work, repeatable=True)


def clear_sampling(registry: "Registry", model: str, also: Also) -> int:
    """Keep nothing any more, and delete what was kept; how many files there were.

    What a process writes at this very moment goes with the next hourly round.

    Raises
    ------
    NotFound
        The model has no version.
    """

    def work(connection: sa.Connection) -> None:
        removal.check_model_there(connection, model)
        choice.clear(connection, model)
        also(connection)

    registry.database.write(work, repeatable=True)
    return Samples(registry.blobs.share).remove(model)


def add_snapshot(registry: "Registry", model: str, number: int, content: bytes, also: Also) -> SnapshotInfo:
    """Give a version that was published without one the rows that it was trained on, as CSV.

    Raises
    ------
    NotFound
    Invalid
        It is no CSV, or has no column of the version.
    Conflict
        The version has one.
    """
    version = registry.get(model, number)
    _refuse_second(version)
    table, ignored = snapshot.of_csv(content, version.signature)
    packed = snapshot.packed(table)
    ref = registry.blobs.put(packed)

    def work(connection: sa.Connection) -> None:
        store.check_there(connection, model, number)
        _refuse_second(store.get(connection, model, number))
        store.keep_blobs(connection)
        if registry.blobs.missing([ref]):
            raise store.BlobsGone("the snapshot is not on the share any more; send it again")
        values = {"sha256": ref.sha256, "size_bytes": ref.size_bytes}
        connection.execute(
            sa.insert(tables.artefacts).values(model=model, number=number, name=snapshot.SNAPSHOT, **values)
        )
        connection.execute(sa.delete(tables.unreferenced).where(tables.unreferenced.c.sha256 == ref.sha256))
        store.note_change(connection, model)
        also(connection)

    registry.database.write(work)
    registry.look_again()
    rows = min(snapshot.MOST_ROWS, next(iter(table.values())).size)
    return SnapshotInfo(model=model, version=number, rows=rows, columns=list(table), ignored=ignored)


def drift(
    registry: "Registry",
    model: str,
    number: int,
    *,
    against: int | None = None,
    min_rows: int = LEAST_ROWS,
    hours: float | None = None,
    now: datetime | None = None,
) -> Drift:
    """Compare a version's kept rows with those of its training, or with those of another version.

    Parameters
    ----------
    against : number of the other version.
    min_rows : as many on each side, at least.
    hours : of the sample, only rows of the last hours.

    Raises
    ------
    NotFound
    Conflict
        There is no snapshot, or there are too few rows; the detail says how many.
    ShareDown
    """
    version = registry.get(model, number)
    samples, moment = Samples(registry.blobs.share), now or SystemClock().now()
    reference = _reference(registry, samples, version, against, min_rows)
    since = None if hours is None else moment - timedelta(hours=hours)
    sample = samples.read(model, number, most=MOST_ROWS, since=since)
    if sample.rows < min_rows:
        span = "" if hours is None else f" of the last {hours:g} hours"
        raise Conflict(
            f"{sample.rows} rows{span} of {version.ref} are kept, and {min_rows} are needed; wait for more, keep a "
            f"larger fraction (PUT /registry/{model}/sampling), or ask with a lower `min_rows`",
            extra={"rows": sample.rows, "min_rows": min_rows},
        )
    found = compare(reference, sample.columns)
    if not found:
        raise Conflict(
            f"the kept rows of {version.ref} and what they are compared with have no column in common: "
            f"{_some(sample.columns)} and {_some(reference)}"
        )
    if against is None:
        _gauge(version, found)
    order = list(Verdict)
    return Drift(
        model=model,
        version=number,
        against="training" if against is None else str(against),
        rows=sample.rows,
        rows_reference=next(iter(reference.values())).size,
        oldest=datetime.fromtimestamp(float(sample.at.min()), UTC),
        newest=datetime.fromtimestamp(float(sample.at.max()), UTC),
        damaged_files=sample.damaged,
        verdict=max((item.verdict for item in found), key=order.index),
        columns=found,
        not_compared=not_compared(reference, sample.columns),
    )


def _reference(
    registry: "Registry", samples: Samples, version: Version, against: int | None, min_rows: int
) -> "Mapping[str, Array]":
    if against is None:
        found = snapshot.read(registry, version)
        if found is None:
            raise Conflict(
                f"{version.ref} was published without the rows that it was trained on; send some of them as CSV "
                f"(PUT /registry/{version.model}/versions/{version.number}/snapshot), or compare with the kept rows of "
                "another version (`?against=` its number)"
            )
        rows, whose = next(iter(found.values())).size, f"the snapshot of {version.ref} has"
    else:
        other = registry.get(version.model, against)
        table: Table = samples.read(version.model, against, most=MOST_ROWS)
        found, rows, whose = dict(table.columns), table.rows, f"of {other.ref} are kept"
    if rows < min_rows:
        told = {"rows_reference": rows, "min_rows": min_rows}
        raise Conflict(f"{rows} rows: {whose} no more, and {min_rows} are needed", extra=told)
    return found


def _gauge(version: Version, found: list[ColumnDrift]) -> None:
    for item in found[:_MOST_COLUMNS]:
        key = (version.model, version.number, item.column)
        if key in _gauged or len(_gauged) < _MOST_SERIES:
            _gauged.add(key)
            metrics.DRIFT_PSI.labels(version.model, str(version.number), item.column).set(item.psi)


def _refuse_second(version: Version) -> None:
    if any(artefact.name == snapshot.SNAPSHOT for artefact in version.artefacts):
        raise Conflict(f"{version.ref} has a snapshot, and what a version is made of does not change")


def _unknown(how: Sampling, signature: Mapping[str, Any] | None) -> list[str]:
    columns = snapshot.columns_of(signature)
    if columns is None:
        return []
    tensors = {str(item["name"]) for side in ("inputs", "outputs") for item in (signature or {}).get(side, ())}
    known = tensors | set(columns) | {column.partition(".")[2] for column in columns}
    return [name for name in dict.fromkeys((*how.drop, *how.texts)) if name not in known]


def _some(table: "Mapping[str, Array]") -> str:
    return ", ".join(sorted(table)[:5]) or "none"
