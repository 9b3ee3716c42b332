"""Whether the registry is whole: every row's blobs, what aliases point to, and rows that belong to nothing.

The first questions are one statement each, so that changes made meanwhile cannot look like faults; a blob that is not
there is looked for again after its version was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from common.database import Database
from common.registry import tables
from common.storage.blobs import QUARANTINE, BlobRef, Blobs, CorruptBlob
from common.storage.share import FileMissing, ShareFull

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it has to be.

    Parameters
    ----------
    kind : `damaged` or `missing` (a blob), or the kind of row that belongs to nothing: `alias`, `history`, `traffic`,
        `artefact`, `version`, `number`.
    target : what it is about, e.g. `housing:3 model.onnx`.
    detail : for people.
    is_repaired : whether it is as it has to be again.
    """

    kind: str
    target: str
    detail: str
    is_repaired: bool = False


@dataclass
class Report:
    """What was looked at, and what was found.

    Parameters
    ----------
    unreferenced : blobs that no version refers to. No fault: they are removed when their time has come.
    """

    models: int = 0
    versions: int = 0
    blobs: int = 0
    size_bytes: int = 0
    unreferenced: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong any more."""
        return all(finding.is_repaired for finding in self.findings)


def verify(
    database: Database, blobs: Blobs, *, repair: bool = False, progress: Progress = lambda _what, _done, _total: None
) -> Report:
    """Look at every row and every blob. What is damaged is put aside (`quarantine/` of the share).

    Parameters
    ----------
    repair : put blobs back of which this machine, or the quarantine, has a copy that is whole.
    progress : called with what is being looked at, how many were, and how many there are.

    Raises
    ------
    ShareDown
    """
    report = Report(findings=list(database.read(lambda connection: list(_rows_of_nothing(connection)))))
    report.models, report.versions = database.read(_counts)
    wanted = database.read(_blobs_of_versions)
    for done, (ref, users) in enumerate(wanted.items()):
        progress(users[0], done, len(wanted))
        found = _look(blobs, ref)
        if found is not None and ref in database.read(_blobs_of_versions):
            kind, detail = found
            is_repaired = repair and _put_back(blobs, ref)
            told = detail + ("; put back from a copy that is whole" if is_repaired else "")
            report.findings += [Finding(kind, user, told, is_repaired) for user in users]
        report.blobs += 1
        report.size_bytes += ref.size_bytes
    progress("", len(wanted), len(wanted))
    report.unreferenced = len(blobs.find().keys() - {ref.sha256 for ref in database.read(_blobs_of_versions)})
    return report


def _look(blobs: Blobs, ref: BlobRef) -> tuple[str, str] | None:
    """Kind and detail of what is wrong with a blob."""
    try:
        blobs.check(ref)
    except FileMissing:
        return "missing", f"the share has no blob {ref.sha256[:12]}…"
    except CorruptBlob as exc:
        return "damaged", exc.detail
    return None


def _put_back(blobs: Blobs, ref: BlobRef) -> bool:
    """Write the blob anew from a copy that is whole. Whether there is one."""
    for path in blobs.copies(ref):
        try:
            return blobs.put(path) == ref
        except (OSError, ShareFull):
            continue
    # A share that gave wrong bytes once may give the right ones now.
    for file in blobs.share.find(QUARANTINE):
        if file.path.startswith(f"{QUARANTINE}/{ref.sha256}-") and blobs.put(blobs.share.read(file.path)) == ref:
            return True
    return False


def _counts(connection: sa.Connection) -> tuple[int, int]:
    counted = sa.select(sa.func.count(sa.distinct(tables.versions.c.model)), sa.func.count())
    models, versions = connection.execute(counted.select_from(tables.versions)).one()
    return models, versions


def _blobs_of_versions(connection: sa.Connection) -> dict[BlobRef, list[str]]:
    """Artefacts by blob, named as in `housing:3 model.onnx`."""
    found: dict[BlobRef, list[str]] = {}
    chosen = sa.select(tables.artefacts).order_by(
        tables.artefacts.c.model, tables.artefacts.c.number, tables.artefacts.c.name
    )
    for row in connection.execute(chosen):
        found.setdefault(BlobRef(row.sha256, row.size_bytes), []).append(f"{row.model}:{row.number} {row.name}")
    return found


def _rows_of_nothing(connection: sa.Connection) -> Iterator[Finding]:
    for kind, table, target in (
        ("alias", tables.aliases, "{0.model}:{0.alias}"),
        ("history", tables.history, "{0.model}:{0.alias}"),
        ("artefact", tables.artefacts, "{0.model}:{0.number} {0.name}"),
    ):
        for row in _without(connection, table, tables.versions, "model", "number"):
            detail = f"there is no version {row.number} of {row.model}"
            yield Finding(kind, target.format(row), detail)
    for row in _without(connection, tables.traffic, tables.aliases, "model", "alias"):
        yield Finding("traffic", f"{row.model}:{row.alias}", f"{row.model} has no such alias")
    joined = tables.versions.outerjoin(tables.models, tables.versions.c.model == tables.models.c.name)
    wrong = tables.models.c.last_number.is_(None) | (tables.models.c.last_number < tables.versions.c.number)
    chosen = sa.select(tables.versions.c.model, tables.versions.c.number).select_from(joined).where(wrong)
    for model, number in connection.execute(chosen):
        yield Finding("number", f"{model}:{number}", "the number may be given to another version")
    shares = sa.func.sum(tables.traffic.c.weight)
    summed = sa.select(tables.traffic.c.model, shares.label("total")).group_by(tables.traffic.c.model)
    for model, total in connection.execute(summed.having(sa.func.abs(shares - 1) > 1e-3)):
        yield Finding("traffic", model, f"the shares add up to {total:g}, not to 1")


def _without(connection: sa.Connection, table: sa.Table, other: sa.Table, *names: str) -> list[sa.Row[Any]]:
    """Rows that refer to nothing in the other table."""
    on = sa.and_(*(table.c[name] == other.c[name] for name in names))
    chosen = sa.select(table).select_from(table.outerjoin(other, on)).where(other.c[names[-1]].is_(None))
    return list(connection.execute(chosen).all())
