"""What has to be true of the registry, whoever was killed whenever."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from common.database import Database
from common.registry import tables
from common.registry.garbage import Garbage
from common.registry.verify import verify
from common.settings import RegistrySettings
from common.storage.blobs import Blobs
from common.storage.directory import DirectoryShare
from tests.campaign_registry.actor import KEPT
from tests.campaign_registry.ledger import Deed, Told

BROKEN = "rows or blobs that do not fit (atoll registry verify)"
LOST = "versions lost: published, deleted by nobody, and not there"
DOUBLED = "versions doubled: one publication, two versions; or one number, two versions"
FOREIGN = "versions with other contents than were published"
RISEN = "versions that were deleted and are there"
LEFT = "blobs that nobody needs and nobody collects"
PROMISES = (BROKEN, LOST, DOUBLED, FOREIGN, RISEN, LEFT)

# What a process had begun that was killed is over when others have said so much.
_OPEN_LINES = 200

Violations = dict[str, list[str]]


def check_under_way(database: Database, folder: Path) -> Violations:
    """What `verify` finds while others go on."""
    report = verify(database, Blobs(DirectoryShare(folder / "share"), folder / "cache"))
    return {BROKEN: [f"{finding.kind} {finding.target}: {finding.detail}" for finding in report.findings]}


def check(database: Database, folder: Path, told: Told) -> Violations:
    """What is wrong, by promise, when nobody acts any more."""
    blobs = Blobs(DirectoryShare(folder / "share"), folder / "cache")
    found: Violations = {promise: [] for promise in PROMISES}
    Garbage(database, blobs, RegistrySettings()).collect(timedelta(0))
    report = verify(database, blobs)
    found[BROKEN] = [f"{finding.kind} {finding.target}: {finding.detail}" for finding in report.findings]
    if report.unreferenced:
        found[LEFT] = [f"{report.unreferenced} blobs"]
    versions, artefacts = _rows(database)
    deleted = {
        (deed.wanted["model"], deed.wanted["number"]) for deed in told.of("delete version") if deed.result is not None
    }
    authors: dict[str, list[str]] = {}
    for (model, number), author in versions.items():
        name = f"{model}:{number}"
        authors.setdefault(author, []).append(name)
        deed = told.deeds.get(author)
        if deed is None or deed.verb != "publish" or deed.wanted["model"] != model:
            found[FOREIGN].append(f"{name} was published by nobody")
        elif deed.wanted["digests"] != artefacts.get((model, number), {}):
            found[FOREIGN].append(f"{name} has other contents")
        elif deed.result is not None and deed.result["number"] != number:
            found[DOUBLED].append(f"{name} was told to be {deed.result['number']}")
        if (model, number) in deleted:
            found[RISEN].append(name)
    found[DOUBLED] += [f"{names} of one publication" for names in authors.values() if len(names) > 1]
    last = database.read(lambda c: dict(c.execute(sa.select(tables.models.c.name, tables.models.c.last_number)).all()))
    numbers: dict[tuple[str, int], str] = {}
    for deed in told.of("publish"):
        if deed.result is None:
            continue
        key = (deed.wanted["model"], deed.result["number"])
        if key in numbers:
            found[DOUBLED].append(f"{key} was given twice")
        numbers[key] = deed.id
        if key not in versions and key not in deleted and not _may_be_gone(deed, key[1], told, last[key[0]]):
            found[LOST].append(f"{key[0]}:{key[1]}")
    return found


def _may_be_gone(published: Deed, number: int, told: Told, last_number: int) -> bool:
    """Whether something else than an acknowledged deletion may have taken a version away."""
    # Too old to be kept.
    if number <= last_number - KEPT:
        return True
    model = published.wanted["model"]
    for deed in told.of("delete version"):
        if deed.is_open and (deed.wanted["model"], deed.wanted["number"]) == (model, number):
            return True
    # With the whole model, unless that was over before the version began.
    return any(
        deed.wanted["model"] == model
        and not deed.refused
        and published.began < (deed.began + _OPEN_LINES if deed.is_open or deed.ended is None else deed.ended)
        for deed in told.of("delete model")
    )


def _rows(database: Database) -> tuple[dict[tuple[str, int], str], dict[tuple[str, int], dict[str, str]]]:
    """Authors of versions, and digests of their artefacts by name."""
    versions = database.read(lambda c: c.execute(sa.select(tables.versions)).all())
    artefacts: dict[tuple[str, int], dict[str, str]] = {}
    for row in database.read(lambda c: c.execute(sa.select(tables.artefacts)).all()):
        artefacts.setdefault((row.model, row.number), {})[row.name] = row.sha256
    return {(row.model, row.number): row.author for row in versions}, artefacts
