"""Whatever is wrong with the registry is found."""

from pathlib import Path

import sqlalchemy as sa

from common.database import Database
from common.registry import tables
from common.registry.service import Registry
from common.registry.verify import verify
from common.storage import Blobs
from common.storage.directory import DirectoryShare
from tests.common.registry.test_registry import publish


def flip(blobs: Blobs, registry: Registry, number: int = 1) -> Path:
    """Flip a bit of a version's blob on the share."""
    path = blobs.share.local_path(registry.get("housing", number).artefacts[0].ref.share_path)
    assert path is not None
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    return path


def test_a_registry_in_use_is_whole(registry: Registry, database: Database, blobs: Blobs) -> None:
    for alias in ("default", "candidate", "default"):
        publish(registry, alias=alias)
    registry.set_traffic("housing", {"default": 0.9, "candidate": 0.1})
    registry.rollback("housing")
    registry.delete_version("housing", 3)
    blobs.put(b"not published yet")
    report = verify(database, blobs)
    assert report.findings == []
    assert report.is_whole
    assert (report.models, report.versions, report.blobs, report.size_bytes) == (1, 2, 1, 7)
    assert report.unreferenced == 1


def test_a_flipped_bit_is_found_and_the_blob_put_aside(registry: Registry, database: Database, blobs: Blobs) -> None:
    publish(registry, content=b"one")
    publish(registry, content=b"two")
    path = flip(blobs, registry)
    report = verify(database, blobs)
    assert [(finding.kind, finding.target) for finding in report.findings] == [("damaged", "housing:1 model.onnx")]
    assert not report.is_whole
    assert not path.exists()
    assert len(blobs.share.find("quarantine")) == 1
    assert [finding.kind for finding in verify(database, blobs).findings] == ["missing"]


def test_every_version_of_a_missing_blob_is_named(registry: Registry, database: Database, blobs: Blobs) -> None:
    for _ in range(2):
        publish(registry)
    blobs.share.delete(registry.get("housing", 1).artefacts[0].ref.share_path)
    found = [(finding.kind, finding.target) for finding in verify(database, blobs).findings]
    assert found == [("missing", "housing:1 model.onnx"), ("missing", "housing:2 model.onnx")]


def test_a_copy_of_this_machine_repairs_a_flipped_bit(registry: Registry, database: Database, tmp_path: Path) -> None:
    blobs = registry.blobs
    version = publish(registry)
    blobs.copy(version.artefacts[0].ref)
    flip(blobs, registry)
    report = verify(database, blobs, repair=True)
    assert [finding.is_repaired for finding in report.findings] == [True]
    assert report.is_whole
    assert verify(database, blobs).findings == []
    assert registry.path(version, "model.onnx").read_bytes() == b"weights"


def test_without_a_whole_copy_nothing_is_repaired(registry: Registry, database: Database, blobs: Blobs) -> None:
    version = publish(registry)
    copy = blobs.copy(version.artefacts[0].ref)
    copy.write_bytes(b"weightz")
    flip(blobs, registry)
    assert not verify(database, blobs, repair=True).is_whole


def test_what_was_put_aside_by_mistake_is_put_back(registry: Registry, database: Database, blobs: Blobs) -> None:
    ref = publish(registry).artefacts[0].ref
    blobs.share.move(ref.share_path, f"quarantine/{ref.sha256}-1")
    assert verify(database, blobs, repair=True).is_whole
    assert verify(database, blobs).findings == []


def test_rows_that_belong_to_nothing_are_found(tmp_path: Path) -> None:
    # SQLite does not keep them out by itself.
    database = Database(f"sqlite:///{tmp_path}/registry.db")
    with database.transaction() as connection:
        tables.metadata.create_all(connection)
    blobs = Blobs(DirectoryShare(tmp_path / "share"), tmp_path / "cache")
    registry = Registry(database, blobs)
    for alias in ("default", "candidate", "default"):
        publish(registry, alias=alias)
    registry.set_traffic("housing", {"default": 0.5, "candidate": 0.5})
    with database.transaction() as connection:
        connection.execute(sa.delete(tables.versions).where(tables.versions.c.number.in_([1, 2])))
        connection.execute(sa.delete(tables.aliases).where(tables.aliases.c.alias == "default"))
        connection.execute(sa.update(tables.models).values(last_number=1))
        connection.execute(sa.update(tables.traffic).values(weight=0.25))
    found = {(finding.kind, finding.target) for finding in verify(database, blobs).findings}
    assert found == {
        ("alias", "housing:candidate"),
        ("history", "housing:default"),
        ("artefact", "housing:1 model.onnx"),
        ("artefact", "housing:2 model.onnx"),
        ("traffic", "housing:default"),
        ("traffic", "housing"),
        ("number", "housing:3"),
    }


def test_progress_is_told_to_its_end(registry: Registry, database: Database, blobs: Blobs) -> None:
    for content in (b"one", b"two"):
        publish(registry, content=content)
    told: list[tuple[str, int, int]] = []
    verify(database, blobs, progress=lambda *step: told.append(step))
    assert told == [("housing:1 model.onnx", 0, 2), ("housing:2 model.onnx", 1, 2), ("", 2, 2)]
