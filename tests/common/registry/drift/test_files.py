"""Kept rows on the share: bounded, tidied, and read whatever is damaged."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from common.registry.drift.files import AT, FOLDER, SampleFile, Samples, folder_of, pack, unpack, within
from common.storage.directory import DirectoryShare

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(DirectoryShare(tmp_path))


def add(samples: Samples, rows: int, hours_ago: float = 0, model: str = "m", number: int = 1, value: float = 0) -> None:
    at = NOW - timedelta(hours=hours_ago)
    samples.add(model, number, {AT: np.full(rows, at.timestamp()), "input.x": np.full(rows, value)}, at)


def tidy(samples: Samples, max_rows: int = 1000, days: float = 30, max_bytes: int = 10**9, model: str = "m") -> int:
    return samples.tidy({model: max_rows}, lambda *_: True, now=NOW, days=days, max_bytes=max_bytes)


def test_columns_come_back_as_they_were() -> None:
    table = {
        AT: np.array([1.7e9 + 0.25, 1.7e9]),
        "input.file": np.array([0.1, np.nan]),
        "input.small": np.array([0.5, 1.0], np.float32),
        "input.a/b": np.array(["Apia", "Suvā"]),
    }
    found = unpack(pack(table))
    assert list(found) == list(table)
    for name, column in table.items():
        np.testing.assert_array_equal(found[name], column)


def test_what_is_no_table_is_refused() -> None:
    whole = pack({"input.x": np.arange(1000.0)})
    packed = io.BytesIO()
    np.savez(packed, x=np.arange(3), y=np.arange(2))
    pickled = io.BytesIO()
    np.savez(pickled, x=np.array([{}], dtype=object))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as entry:
        for _ in range(600):
            entry.write(bytes(1 << 20))
    images = io.BytesIO()
    np.savez(images, x=np.ones((2, 2)))
    for content in (
        b"",
        b"x",
        whole[:200],
        whole[:-40],
        *(file.getvalue() for file in (packed, pickled, bomb, images)),
    ):
        with pytest.raises(ValueError, match="column"):
            unpack(content)


def test_the_newest_rows_are_read_first(samples: Samples) -> None:
    add(samples, 10, hours_ago=2, value=1)
    add(samples, 10, hours_ago=1, value=2)
    table = samples.read("m", 1, most=15)
    assert table.columns["input.x"].tolist() == [2.0] * 10 + [1.0] * 5
    recent = samples.read("m", 1, most=100, since=NOW - timedelta(hours=1.5))
    assert recent.columns["input.x"].tolist() == [2.0] * 10


def test_a_damaged_file_is_left_out_and_counted(samples: Samples, tmp_path: Path) -> None:
    add(samples, 10)
    add(samples, 10, hours_ago=1)
    damaged = sorted(tmp_path.rglob("*.npz"))[0]
    damaged.write_bytes(damaged.read_bytes()[:50])
    table = samples.read("m", 1, most=100)
    assert (table.rows, table.damaged) == (10, 1)


def test_of_nothing_nothing_is_read(samples: Samples) -> None:
    assert samples.read("m", 1, most=10).rows == 0
    assert samples.files("m") == []
    assert tidy(samples) == 0


def test_models_whose_names_differ_in_case_alone_are_kept_apart(samples: Samples) -> None:
    assert folder_of("Iris").lower() != folder_of("iris").lower()
    add(samples, 1, model="a.")
    assert samples.read("a.", 1, most=10).rows == 1


def test_old_rows_go(samples: Samples) -> None:
    add(samples, 10, hours_ago=49)
    add(samples, 10, hours_ago=1)
    assert tidy(samples, days=2) == 1
    assert samples.read("m", 1, most=100).rows == 10


def test_rows_beyond_the_most_go_the_oldest_first(samples: Samples) -> None:
    for hours in range(5):
        add(samples, 10, hours_ago=hours, value=hours)
    assert tidy(samples, max_rows=25) == 2
    assert set(samples.read("m", 1, most=100).columns["input.x"].tolist()) == {0.0, 1.0, 2.0}


def test_bytes_are_bounded_too() -> None:
    files = [SampleFile(f"{at}", 1, 10, 100, NOW - timedelta(hours=at)) for at in range(5)]
    oldest = NOW - timedelta(days=1)
    assert within(files, most_rows=1000, most_bytes=250, oldest=oldest) == files[:2]
    # The newest one stays, however large: there would be no sample at all.
    assert within(files, most_rows=1000, most_bytes=10, oldest=oldest) == files[:1]


def test_many_files_become_one_with_the_newest_rows(samples: Samples) -> None:
    for at in range(30):
        add(samples, 10, hours_ago=at, value=at)
    tidy(samples, max_rows=1000)
    [file] = samples.files("m")
    assert (file.rows, file.written_at) == (300, NOW)
    assert sorted(set(samples.read("m", 1, most=1000).columns["input.x"].tolist())) == list(range(30))
    for at in range(30):
        add(samples, 10, hours_ago=-0.01 * (at + 1), value=100)
    tidy(samples, max_rows=310)
    # It does not grow for ever.
    assert [file.rows for file in samples.files("m")] == [310]


def test_rows_of_nobody_go(samples: Samples, tmp_path: Path) -> None:
    add(samples, 1, model="gone")
    add(samples, 1, number=2)
    (tmp_path / FOLDER / "stray.txt").write_text("?")
    gone = samples.tidy({"m": 10}, lambda model, number: number == 1, now=NOW, days=1, max_bytes=10**9)
    assert gone == 3
    assert not list(tmp_path.rglob("*.npz"))


def test_a_version_or_a_model_is_removed_whole(samples: Samples) -> None:
    for number in (1, 2):
        add(samples, 1, number=number)
    assert samples.remove("m", 1) == 1
    assert [file.number for file in samples.files("m")] == [2]
    assert samples.remove("m") == 1
