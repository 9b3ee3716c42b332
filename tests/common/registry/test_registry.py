import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from common.clock import FakeClock
from common.database import Database
from common.errors import Invalid, NotFound
from common.registry import Version, store
from common.registry.service import Registry
from common.storage import Blobs, CorruptBlob

WHO: dict[str, Any] = {"author": "tester", "code_version": "1.0"}


def publish(
    registry: Registry, model: str = "housing", content: bytes = b"weights", alias: str | None = None
) -> Version:
    return registry.publish(model, {"model.onnx": content}, alias=alias, **WHO)


def insert(connection: sa.Connection, clock: FakeClock, model: str = "housing", job_id: str | None = None) -> int:
    return store.insert_version(connection, model, {}, created_at=clock.now(), job_id=job_id, **WHO)


def test_a_version_comes_back_as_it_was_published(registry: Registry, clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("[]")
    published = registry.publish(
        "housing",
        {"model.onnx": [b"wei", b"ghts"], "labels.json": tmp_path / "labels.json"},
        author="ada",
        code_version="1.2",
        metrics={"rmse": 0.5, "folds": [1, 2]},
        data_hash="ab" * 32,
        signature={"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], "outputs": []},
        description="first",
        tags=["tried"],
        library="scikit-learn",
        library_version="1.7",
    )
    assert registry.get("housing", 1) == published
    assert published.model_dump(exclude={"artefacts"}) == {
        "model": "housing",
        "number": 1,
        "metrics": {"rmse": 0.5, "folds": [1, 2]},
        "job_id": None,
        "data_hash": "ab" * 32,
        "author": "ada",
        "code_version": "1.2",
        "created_at": clock.now(),
        "signature": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], "outputs": []},
        "description": "first",
        "tags": {"tried": ""},
        "library": "scikit-learn",
        "library_version": "1.7",
    }
    assert [(artefact.name, artefact.size_bytes) for artefact in published.artefacts] == [
        ("labels.json", 2),
        ("model.onnx", 7),
    ]


def test_artefacts_are_opened_by_name(registry: Registry) -> None:
    version = publish(registry)
    with registry.open(version, "model.onnx") as file:
        assert file.read() == b"weights"
    assert registry.path(version, "model.onnx").read_bytes() == b"weights"
    with pytest.raises(NotFound, match=r"no artefact 'other'; it has model\.onnx"):
        registry.open(version, "other")


def test_a_damaged_artefact_is_not_served(registry: Registry, blobs: Blobs) -> None:
    version = publish(registry)
    blobs.share.write(version.artefacts[0].ref.share_path, [b"veights"])
    with pytest.raises(CorruptBlob):
        registry.open(version, "model.onnx")


def test_each_model_has_numbers_of_its_own(registry: Registry) -> None:
    numbers = [publish(registry, model).number for model in ("a", "b", "a", "a", "b")]
    assert numbers == [1, 1, 2, 3, 2]


def test_a_version_that_is_rolled_back_leaves_no_gap(database: Database, registry: Registry, clock: FakeClock) -> None:
    publish(registry)

    def fail() -> None:
        with database.transaction() as connection:
            assert insert(connection, clock) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert publish(registry).number == 2


def test_numbers_have_no_gaps_when_many_publish_at_once_and_some_fail(database: Database, clock: FakeClock) -> None:
    started = threading.Barrier(4)

    def work(worker: int) -> None:
        started.wait()
        for turn in range(6):
            try:
                with database.transaction() as connection:
                    insert(connection, clock)
                    if (worker + turn) % 3 == 0:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    versions = database.read(lambda connection: store.list_versions(connection, "housing"))
    assert [version.number for version in versions] == list(range(16, 0, -1))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans()), max_size=8))
def test_numbers_count_what_was_committed(database: Database, turns: list[tuple[str, bool]]) -> None:
    clock = FakeClock()
    before = database.read(store.list_models)
    expected = {entry.model: entry.latest for entry in before}
    for model, commit in turns:
        with database.engine.connect() as connection, connection.begin() as transaction:
            number = insert(connection, clock, model)
            assert number == expected.get(model, 0) + 1
            if commit:
                expected[model] = number
            else:
                transaction.rollback()
    assert {entry.model: entry.latest for entry in database.read(store.list_models)} == expected


def test_a_job_publishes_a_version_of_a_model_once(database: Database, clock: FakeClock) -> None:
    database.write(lambda connection: insert(connection, clock, job_id="j1"))
    with pytest.raises(IntegrityError):
        database.write(lambda connection: insert(connection, clock, job_id="j1"))
    assert database.write(lambda connection: insert(connection, clock, job_id="j2")) == 2


def test_what_json_cannot_say_is_null_in_the_metrics(registry: Registry) -> None:
    metrics = {"loss": float("nan"), "folds": [float("inf"), 1.0], "deep": {"x": float("-inf")}}
    version = registry.publish("housing", {}, metrics=metrics, **WHO)
    assert registry.get("housing", version.number).metrics == {"loss": None, "folds": [None, 1.0], "deep": {"x": None}}


@pytest.mark.parametrize("model", ["", "../x", "a/b", "1a", "a" * 129, "a:b", "a\0"])
def test_a_model_needs_a_plain_name(registry: Registry, model: str) -> None:
    with pytest.raises(Invalid):
        registry.publish(model, {}, **WHO)
    with pytest.raises(NotFound):
        registry.get(model, 1)


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a" * 129])
def test_an_artefact_needs_a_plain_name_and_nothing_is_written_before(
    registry: Registry, blobs: Blobs, name: str
) -> None:
    with pytest.raises(Invalid):
        registry.publish("housing", {"good": b"x", name: b"y"}, **WHO)
    assert blobs.share.find() == []
    assert registry.list_models() == []


def test_a_version_and_its_alias_are_seen_together_or_not_at_all(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "set_alias", fail)
    with pytest.raises(ZeroDivisionError):
        publish(registry, alias="default")
    assert registry.list_models() == []


def test_models_are_listed_with_their_aliases(registry: Registry) -> None:
    publish(registry, "b")
    publish(registry, "a", alias="default")
    publish(registry, "a", alias="candidate")
    shown = [(entry.model, entry.latest, entry.aliases) for entry in registry.list_models()]
    assert shown == [("a", 2, {"candidate": 2, "default": 1}), ("b", 1, {})]


def test_versions_are_listed_newest_first_in_pages(registry: Registry) -> None:
    for _ in range(5):
        publish(registry)
    assert [version.number for version in registry.list_versions("housing", limit=2)] == [5, 4]
    assert [version.number for version in registry.list_versions("housing", before=4, limit=2)] == [3, 2]
    assert registry.list_versions("unknown") == []
