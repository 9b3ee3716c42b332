"""What an installation has measured: kept, shared by processes, and begun anew where it cannot be read."""

import multiprocessing
from pathlib import Path

import numpy as np
import orjson
import pytest

from common.clock import FakeClock
from models.imputation.estimate_store import MOST_WAITING, WRITE_AFTER_S, Timings

UNIT_S = {"base": 0.02, "trees": 1e-4}
UNITS = np.array([1.0, 1000.0])
EXPECTED_S = 0.12
SLOW_S = 6 * EXPECTED_S


def learn(path: Path, times: int, seconds: float = SLOW_S) -> None:
    timings = Timings(path, UNIT_S)
    for _ in range(times):
        timings.record(UNITS, seconds)
    timings.write()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "timings.json"


def test_before_anything_is_measured_the_expected_times_are_told(path: Path) -> None:
    assert Timings(path, UNIT_S).seconds(UNITS) == pytest.approx(EXPECTED_S)


def test_a_process_started_later_knows_what_was_learnt(path: Path) -> None:
    learn(path, 30)
    again = Timings(path, UNIT_S)
    assert again.count == 30
    assert again.seconds(UNITS) == pytest.approx(SLOW_S, rel=0.1)


def test_a_running_process_takes_up_what_another_learns(path: Path) -> None:
    here = Timings(path, UNIT_S)
    here.seconds(UNITS)
    learn(path, 30)
    assert here.seconds(UNITS) == pytest.approx(SLOW_S, rel=0.1)


def test_no_measurement_of_processes_that_learn_at_once_is_lost(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=learn, args=(path, 25)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert Timings(path, UNIT_S).count == 75


def test_measurements_in_quick_succession_are_written_together(path: Path) -> None:
    clock = FakeClock()
    timings = Timings(path, UNIT_S, clock)
    for _ in range(10):
        timings.record(UNITS, SLOW_S)
    assert Timings(path, UNIT_S).count == 1
    clock.advance(WRITE_AFTER_S)
    timings.record(UNITS, SLOW_S)
    assert Timings(path, UNIT_S).count == 11
    timings.write()
    assert timings.count == 11


GOOD = {
    "format": 1,
    "unit_s": UNIT_S,
    "count": 1,
    "drift": 0.0,
    "mean": [1.0, 0.0, 0.0],
    "information": np.eye(3).tolist(),
}
CORRUPT = {
    "empty": b"",
    "no JSON": b"\x00\xff{",
    "a list": b"[]",
    "another format": orjson.dumps(GOOD | {"format": 0}),
    "other parts": orjson.dumps(GOOD | {"unit_s": {"base": 1.0}}),
    "without its count": orjson.dumps({name: value for name, value in GOOD.items() if name != "count"}),
    "too short": orjson.dumps(GOOD | {"mean": [1.0], "information": [[1.0]]}),
    "not definite": orjson.dumps(GOOD | {"information": [[0.0] * 3] * 3}),
    "text": orjson.dumps(GOOD | {"mean": ["x"] * 3}),
    "null": orjson.dumps(GOOD | {"drift": None}),
    "ragged": orjson.dumps(GOOD | {"information": [[1.0], [1.0, 2.0]]}),
    "far too large": orjson.dumps(GOOD | {"x": "x" * 1_000_000}),
    "beyond all numbers": orjson.dumps(GOOD | {"mean": [1e300] * 3}),
}


def test_a_file_that_is_not_damaged_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(orjson.dumps(GOOD))
    assert Timings(path, UNIT_S).seconds(UNITS) == pytest.approx(EXPECTED_S * np.e)


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
def test_a_damaged_file_is_begun_anew(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    timings = Timings(path, UNIT_S)
    assert timings.seconds(UNITS) == pytest.approx(EXPECTED_S)
    timings.record(UNITS, SLOW_S)
    assert Timings(path, UNIT_S).count == 1


def test_a_file_damaged_while_in_use_does_not_stop_the_process(path: Path) -> None:
    learn(path, 30)
    timings = Timings(path, UNIT_S)
    path.write_bytes(b"{")
    assert timings.seconds(UNITS) == pytest.approx(EXPECTED_S)


def test_a_deleted_file_is_begun_anew(path: Path) -> None:
    timings = Timings(path, UNIT_S)
    timings.record(UNITS, SLOW_S)
    path.unlink()
    assert timings.count == 0
    timings.record(UNITS, SLOW_S)
    timings.write()
    assert Timings(path, UNIT_S).count == 1


def test_where_nothing_can_be_written_the_process_learns_for_itself(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    timings = Timings(tmp_path / "cache" / "timings.json", UNIT_S)
    for _ in range(3 * MOST_WAITING):
        timings.record(UNITS, SLOW_S)
    assert timings.count == 3 * MOST_WAITING
    assert timings.seconds(UNITS) == pytest.approx(SLOW_S, rel=0.05)


def test_the_file_does_not_grow_with_what_is_measured(path: Path) -> None:
    learn(path, 10)
    before = path.stat().st_size
    learn(path, 500)
    assert path.stat().st_size < before + 200
    names = {file.name for file in path.parent.iterdir()}
    assert names <= {"timings.json", "timings.json-writer"}
