"""What nobody needs goes, and nothing else."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import FakeClock
from common.database import Database
from common.errors import NotFound
from common.registry import store
from common.registry.garbage import Garbage
from common.registry.removal import superseded
from common.registry.service import Registry
from common.registry.verify import verify
from common.settings import RegistrySettings
from common.storage import Blobs
from tests.common.registry.test_registry import WHO, publish

DAY_S = 86400.0


@pytest.fixture
def garbage(database: Database, blobs: Blobs, clock: FakeClock) -> Garbage:
    return Garbage(database, blobs, RegistrySettings(), clock=clock)


def test_a_deleted_versions_blobs_go_when_their_grace_is_over(
    registry: Registry, garbage: Garbage, blobs: Blobs, clock: FakeClock
) -> None:
    publish(registry, content=b"one")
    kept = publish(registry, content=b"two")
    registry.delete_version("housing", 1)
    first = garbage.collect()
    assert (first.blobs, first.waiting, first.waiting_bytes) == (0, 1, 3)
    clock.advance(DAY_S + 1)
    second = garbage.collect()
    assert (second.blobs, second.size_bytes, second.waiting) == (1, 3, 0)
    assert list(blobs.find()) == [kept.artefacts[0].sha256]


def test_a_blob_that_two_versions_share_stays_for_the_other(
    registry: Registry, garbage: Garbage, clock: FakeClock
) -> None:
    for model in ("a", "b"):
        publish(registry, model, content=b"same")
    registry.delete_model("a")
    garbage.collect()
    clock.advance(2 * DAY_S)
    assert garbage.collect().blobs == 0
    assert registry.path(registry.get("b", 1), "model.onnx").read_bytes() == b"same"


def test_a_blob_that_is_published_again_waits_anew_when_it_is_deleted_again(
    registry: Registry, garbage: Garbage, clock: FakeClock
) -> None:
    publish(registry)
    registry.delete_version("housing", 1)
    garbage.collect()
    clock.advance(2 * DAY_S)
    publish(registry)
    registry.delete_version("housing", 2)
    assert garbage.collect().blobs == 0
    clock.advance(DAY_S + 1)
    assert garbage.collect().blobs == 1


def test_a_blob_put_by_a_training_that_still_runs_stays(database: Database, blobs: Blobs, clock: FakeClock) -> None:
    began = clock.now()
    garbage = Garbage(database, blobs, RegistrySettings(), clock=clock, busy_since=lambda: began)
    blobs.put(b"not published yet")
    garbage.collect()
    clock.advance(30 * DAY_S)
    assert garbage.collect().blobs == 0


def test_a_publisher_whose_blob_was_collected_after_it_was_put_puts_it_again(
    registry: Registry, garbage: Garbage, blobs: Blobs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(b"weights")
    garbage.collect()
    clock.advance(2 * DAY_S)
    original = blobs.put
    collected: list[int] = []

    def put_then_collected(content: bytes) -> object:
        ref = original(content)
        if not collected:
            collected.append(garbage.collect().blobs)
        return ref

    monkeypatch.setattr(blobs, "put", put_then_collected)
    version = publish(registry)
    assert collected == [1]
    assert registry.path(version, "model.onnx").read_bytes() == b"weights"


def test_a_job_whose_blob_was_collected_publishes_nothing(
    database: Database, garbage: Garbage, blobs: Blobs, clock: FakeClock
) -> None:
    ref = blobs.put(b"weights")
    garbage.collect()
    clock.advance(2 * DAY_S)
    assert garbage.collect().blobs == 1
    with pytest.raises(store.BlobsGone), database.transaction() as connection:
        store.insert_version(connection, "housing", {"a": ref}, created_at=clock.now(), blobs=blobs, **WHO)
    assert database.read(store.list_models) == []


def test_no_blob_of_a_version_goes_while_many_publish_delete_and_collect_at_once(
    database: Database, blobs: Blobs
) -> None:
    registries = [Registry(database, blobs) for _ in range(2)]
    collector = Garbage(database, blobs, RegistrySettings())
    over = threading.Event()

    def collect() -> int:
        count = 0
        while not over.is_set():
            count += collector.collect(timedelta(0)).blobs
        return count

    def work(registry: Registry) -> None:
        for turn in range(12):
            # Few contents, so that what one publishes is what the other has just deleted.
            while True:
                # Collected again and again as soon as nobody needs them, they may be gone twice.
                with contextlib.suppress(store.BlobsGone):
                    version = publish(registry, content=b"%d" % (turn % 3))
                    break
            if turn % 3:
                registry.delete_version("housing", version.number)

    with ThreadPoolExecutor(3) as pool:
        collecting = pool.submit(collect)
        try:
            for working in [pool.submit(work, registry) for registry in registries]:
                working.result()
        finally:
            # Else whatever went wrong would be waited for by what never ends.
            over.set()
        collecting.result()
    assert verify(database, blobs).findings == []


def test_versions_beyond_the_newest_go_but_for_those_that_serve_or_are_gone_back_to(
    database: Database, blobs: Blobs, registry: Registry, clock: FakeClock
) -> None:
    for _ in range(6):
        publish(registry)
    registry.set_alias("housing", "default", 2)
    registry.set_alias("housing", "default", 3)
    settings = RegistrySettings(keep_versions=2, keep_days=30)
    garbage = Garbage(database, blobs, settings, clock=clock)
    assert garbage.prune() == 0
    clock.advance(31 * DAY_S)
    assert garbage.prune() == 2
    assert [version.number for version in registry.list_versions("housing")] == [6, 5, 3, 2]
    assert registry.rollback("housing").version == 2
    with pytest.raises(NotFound):
        registry.get("housing", 1)


def test_all_versions_are_kept_unless_told_otherwise(registry: Registry, garbage: Garbage, clock: FakeClock) -> None:
    for _ in range(3):
        publish(registry)
    clock.advance(1000 * DAY_S)
    assert garbage.prune() == 0


@given(
    st.sets(st.integers(1, 50)),
    st.sets(st.integers(1, 50)),
    st.integers(1, 10),
    st.integers(0, 50),
)
def test_what_is_kept_the_newest_and_the_young_stay(
    numbers: set[int], kept: set[int], keep: int, young_from: int
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    versions = [(number, start + timedelta(days=number)) for number in numbers]
    before = start + timedelta(days=young_from)
    gone = set(superseded(versions, kept, keep=keep, before=before))
    stay = numbers - gone
    assert gone <= numbers - kept
    assert all(number < young_from for number in gone)
    assert set(sorted(numbers)[-keep:]) <= stay
    assert len(stay) <= keep + len(kept) + sum(number >= young_from for number in numbers)


def test_what_the_scheduler_begins_goes_on_beside_it(
    registry: Registry, garbage: Garbage, blobs: Blobs, clock: FakeClock
) -> None:
    blobs.put(b"alone")
    garbage.begin()
    garbage.join()
    clock.advance(2 * DAY_S)
    assert garbage.begin() == 0
    garbage.join()
    assert blobs.find() == {}
