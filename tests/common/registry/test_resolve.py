"""Aliases, and what a name resolves to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, OperationalError

from common.clock import FakeClock
from common.database import Database
from common.errors import Invalid, NotFound
from common.registry import split_name, store
from common.registry.service import Registry
from common.storage import BlobRef, Blobs
from tests.common.registry.test_registry import WHO, publish


def test_an_alias_moves(registry: Registry) -> None:
    for _ in range(2):
        publish(registry)
    assert registry.set_alias("housing", "default", 1).previous is None
    assert registry.resolve("housing").number == 1
    assert registry.set_alias("housing", "default", 2).previous == 1
    assert registry.resolve("housing").number == 2


def test_moving_an_alias_where_it_is_changes_nothing(registry: Registry, database: Database) -> None:
    publish(registry, alias="default")
    before = database.read(store.stamps)
    assert registry.set_alias("housing", "default", 1).previous == 1
    assert database.read(store.stamps) == before


@pytest.mark.parametrize("number", [0, -1, 3])
def test_an_alias_of_a_version_that_is_not_there_is_refused(registry: Registry, number: int) -> None:
    for _ in range(2):
        publish(registry)
    with pytest.raises(NotFound, match="it has versions 1 to 2"):
        registry.set_alias("housing", "default", number)


@pytest.mark.parametrize("alias", ["", "Default", "1", "-a", "a_b", "a" * 64, "a\n"])
def test_an_alias_needs_a_plain_name(registry: Registry, alias: str) -> None:
    publish(registry)
    with pytest.raises(Invalid):
        registry.set_alias("housing", alias, 1)


def test_a_name_resolves_by_default_alias_or_number(registry: Registry) -> None:
    publish(registry, alias="default")
    publish(registry, alias="candidate")
    found = {name: registry.resolve(name).number for name in ("housing", "housing:candidate", "housing:1", "housing:2")}
    assert found == {"housing": 1, "housing:candidate": 2, "housing:1": 1, "housing:2": 2}


def test_what_cannot_be_resolved_is_told_with_what_there_is(registry: Registry) -> None:
    with pytest.raises(NotFound, match="models with versions: none"):
        registry.resolve("housing")
    publish(registry, alias="candidate")
    with pytest.raises(NotFound, match="no alias 'default'; it has candidate, and version 1"):
        registry.resolve("housing")
    with pytest.raises(NotFound, match="has no version 7; it has version 1"):
        registry.resolve("housing:7")
    with pytest.raises(NotFound, match="models with versions: housing"):
        registry.resolve("other:7")


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_name_or_refused(name: str) -> None:
    try:
        model, which = split_name(name)
    except Invalid:
        return
    assert name in (model, f"{model}:{which}")


def test_another_process_serves_a_moved_alias_within_a_second(
    registry: Registry, database: Database, blobs: Blobs, clock: FakeClock
) -> None:
    publish(registry, alias="default")
    publish(registry)
    other = Registry(database, blobs, clock=clock)
    assert other.resolve("housing").number == 1
    registry.set_alias("housing", "default", 2)
    clock.advance(1)
    assert other.resolve("housing").number == 2


def test_this_process_serves_a_moved_alias_at_once(registry: Registry) -> None:
    publish(registry, alias="default")
    assert registry.resolve("housing").number == 1
    publish(registry, alias="default")
    assert registry.resolve("housing").number == 2


def count_reads(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    reads: list[object] = []
    original = database.read

    def counting(work):  # type: ignore[no-untyped-def]
        reads.append(work)
        return original(work)

    monkeypatch.setattr(database, "read", counting)
    return reads


def test_a_resolved_name_asks_for_changes_only(
    registry: Registry, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, alias="default")
    registry.resolve("housing")
    reads = count_reads(database, monkeypatch)
    for _ in range(5):
        registry.resolve("housing")
    assert reads == []
    clock.advance(1)
    for _ in range(5):
        registry.resolve("housing")
    assert reads == [store.stamps]


def test_what_is_known_is_served_while_the_database_does_not_answer(
    registry: Registry, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    publish(registry, alias="default")
    registry.resolve("housing")
    clock.advance(60)
    monkeypatch.setattr(database, "read", down)
    assert registry.resolve("housing").number == 1
    with pytest.raises(DBAPIError):
        registry.resolve("other")
    monkeypatch.undo()
    publish(Registry(database, registry.blobs, clock=clock), alias="default")
    clock.advance(6)
    assert registry.resolve("housing").number == 2


def test_a_jobs_transaction_publishes_and_moves_the_alias(
    registry: Registry, database: Database, blobs: Blobs, clock: FakeClock
) -> None:
    ref: BlobRef = blobs.put(b"weights")
    with database.transaction() as connection:
        number = store.insert_version(
            connection, "housing", {"model.onnx": ref}, created_at=clock.now(), job_id="j1", **WHO
        )
        store.set_alias(connection, "housing", "default", number, changed_at=clock.now())
    version = registry.resolve("housing")
    assert version.job_id == "j1"
    assert version.artefact("model.onnx").ref == ref
