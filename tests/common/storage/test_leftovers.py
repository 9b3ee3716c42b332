"""Over each kind of share, and a real database."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from common.clock import FakeClock
from common.database import Database
from common.jobs.blobs import ShareBlobs
from common.jobs.store import JobStore
from common.settings import JobSettings
from common.storage import leftovers
from common.storage.directory import DirectoryShare
from common.storage.leftovers import Leftovers
from common.storage.share import PARTIAL, FileMissing, Share, ShareDown

OLD = 3 * leftovers.OLD_S


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[JobStore]:
    database = Database(f"sqlite:///{tmp_path / 'atoll.db'}")
    database.migrate()
    yield JobStore(database, clock, ShareBlobs(DirectoryShare(tmp_path / "blobs")), JobSettings())
    database.close()


def test_what_a_killed_writer_left_is_removed_when_no_writer_can_be_alive(
    share: Share, store: JobStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[int] = []
    sweep = share.sweep

    def counted(older_than_s: float) -> int:
        removed.append(sweep(older_than_s))
        return removed[-1]

    monkeypatch.setattr(share, "sweep", counted)
    leaver = Leftovers(lambda: share, store, clock)

    def die() -> Iterator[bytes]:
        yield b"x"
        # What a kill leaves: neither the rename nor the clean-up is run.
        leaver.sweep_if_due()
        leaver.join()
        # Only a directory's files can be made old.
        monkeypatch.setattr(leftovers, "OLD_S", -60.0)
        clock.advance(leftovers.EVERY.total_seconds())
        leaver.sweep_if_due()
        leaver.join()
        yield b"y"

    share.write("folder/whole", [b"x"])
    with pytest.raises(FileMissing):
        share.write("folder/file", die())
    assert removed == [0, 1]
    assert [file.path for file in share.find()] == ["folder/whole"]


def test_it_is_done_once_a_day_whoever_asks(store: JobStore, clock: FakeClock, tmp_path: Path) -> None:
    processes = [Leftovers(lambda: DirectoryShare(tmp_path), store, clock) for _ in range(2)]
    assert [one.sweep_if_due() for one in processes] == [True, False]
    clock.advance(leftovers.EVERY.total_seconds() - 1)
    assert [one.sweep_if_due() for one in processes] == [False, False]
    clock.advance(1)
    assert [one.sweep_if_due() for one in reversed(processes)] == [True, False]


def test_a_clock_that_was_ahead_for_a_while_does_not_put_it_off(
    store: JobStore, clock: FakeClock, tmp_path: Path
) -> None:
    leaver = Leftovers(lambda: DirectoryShare(tmp_path), store, clock)
    store.set_schedule(leftovers.NAME, clock.now() + timedelta(days=400))
    assert leaver.sweep_if_due()


def test_a_share_that_is_away_is_asked_again_the_next_day(store: JobStore, clock: FakeClock, tmp_path: Path) -> None:
    shares = [None, DirectoryShare(tmp_path)]
    partial = tmp_path / f"{PARTIAL}1"
    partial.write_bytes(b"x")
    os.utime(partial, (time.time() - OLD,) * 2)

    def open_share() -> Share:
        found = shares.pop(0)
        if found is None:
            raise ShareDown("away")
        return found

    leaver = Leftovers(open_share, store, clock)
    for _ in range(2):
        assert leaver.sweep_if_due()
        leaver.join()
        clock.advance(leftovers.EVERY.total_seconds())
    assert not partial.exists()
