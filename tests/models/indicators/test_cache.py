"""The cache: parsed once, whole at any moment, never needed."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models._indicators import DataSetError, cache, dataset, load
from models._indicators.parse import parse
from tests.models.indicators.conftest import FILES, Written


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with every parse."""
    times: list[str] = []

    def counted(paths: Any) -> Any:
        times.append("parsed")
        return parse(paths)

    monkeypatch.setattr(dataset, "parse", counted)
    return times


def entries(cache_dir: Path) -> list[Path]:
    return sorted(path for path in cache_dir.iterdir() if path.name != ".lock")


def test_the_second_load_does_not_parse(written: Written, cache_dir: Path, parsed: list[str]) -> None:
    first, second = load(written(), cache_dir), load(written(), cache_dir)
    assert parsed == ["parsed"]
    np.testing.assert_array_equal(first.values, second.values)
    fields = set(first.__dataclass_fields__) - {"values", "sids"}
    assert {name: getattr(first, name) for name in fields} == {name: getattr(second, name) for name in fields}


def test_the_cache_is_named_by_content_and_format(
    written: Written, cache_dir: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = load(written(), cache_dir).digest
    monkeypatch.setattr(cache, "FORMAT", 99)
    load(written(), cache_dir)
    assert {path.name for path in entries(cache_dir)} == {f"{digest}-v1", f"{digest}-v99"}
    assert len(parsed) == 2


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda entry: os.truncate(entry / "values.npy", 100), id="values cut short"),
        pytest.param(lambda entry: os.truncate(entry / "values.npy", 0), id="values empty"),
        pytest.param(lambda entry: (entry / "values.npy").unlink(), id="values missing"),
        pytest.param(
            lambda entry: (entry / "values.npy").write_bytes((entry / "values.npy").read_bytes()[:-1] + b"\x00"),
            id="values altered",
        ),
        pytest.param(lambda entry: os.truncate(entry / "content.json", 100), id="metadata cut short"),
        pytest.param(lambda entry: os.truncate(entry / "content.json", 0), id="metadata empty"),
        pytest.param(lambda entry: (entry / "content.json").unlink(), id="metadata missing"),
    ],
)
def test_a_damaged_cache_is_rebuilt(
    damage: Callable[[Path], object], written: Written, cache_dir: Path, parsed: list[str]
) -> None:
    expected = load(written(), cache_dir).values.copy()
    (entry,) = entries(cache_dir)
    damage(entry)
    np.testing.assert_array_equal(load(written(), cache_dir).values, expected)
    np.testing.assert_array_equal(load(written(), cache_dir).values, expected)
    assert len(parsed) == 2
    assert entries(cache_dir) == [entry]


def load_and_tell(folder: Path, cache_dir: Path, gate: Any, answers: Any) -> None:
    def told(paths: Any) -> Any:
        answers.put("parsed")
        time.sleep(0.2)  # the others arrive meanwhile
        return parse(paths)

    setattr(dataset, "parse", told)  # noqa: B010 - in this process for good
    gate.wait()
    data = load(folder, cache_dir)
    answers.put((data.digest, float(np.nansum(data.values))))


def test_processes_that_start_together_parse_once(sample_folder: Path, cache_dir: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, answers = context.Barrier(4), context.Queue()
    workers = [context.Process(target=load_and_tell, args=(sample_folder, cache_dir, gate, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    told = [answers.get(timeout=60) for _ in range(5)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert told.count("parsed") == 1
    assert len({answer for answer in told if answer != "parsed"}) == 1
    assert len(entries(cache_dir)) == 1


def test_without_a_lock_the_first_to_publish_wins(
    written: Written, cache_dir: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written()

    def overtaken(paths: Any) -> Any:
        monkeypatch.setattr(dataset, "parse", parse)
        load(folder, cache_dir)
        return parse(paths)

    monkeypatch.setattr(cache, "LOCK_WAIT_S", 0.0)
    monkeypatch.setattr(dataset, "parse", overtaken)
    data = load(folder, cache_dir)
    assert isinstance(data.values.base, np.memmap)
    assert len(entries(cache_dir)) == 1


def test_a_process_killed_while_building_leaves_a_cache_that_works(
    written: Written, cache_dir: Path, parsed: list[str]
) -> None:
    folder = written()
    script = f"""
import pathlib, time
from models._indicators import cache, load
def stuck(stream):
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
cache._flush = stuck
load(pathlib.Path({str(folder)!r}), pathlib.Path({str(cache_dir)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    (left_over,) = entries(cache_dir)
    assert left_over.name.startswith("tmp-")

    assert load(folder, cache_dir).values.shape == (2, 2, 3)
    assert parsed == ["parsed"]
    assert left_over.is_dir()  # young: it might have a builder still


def test_what_killed_builders_left_is_removed_later(written: Written, cache_dir: Path) -> None:
    left_over = cache_dir / "tmp-0123"
    left_over.mkdir(parents=True)
    (left_over / "values.npy").write_bytes(b"half")
    os.utime(left_over, (time.time() - 3600,) * 2)
    load(written(), cache_dir)
    assert not left_over.exists()


def test_only_the_caches_used_last_are_kept(written: Written, cache_dir: Path) -> None:
    def variant(n: int) -> Path:
        return written(f"set{n}", indicatorData=FILES["indicatorData"] + f"FJI,,gdp,{n},\n")

    names = []
    for n in range(cache.KEEP):
        names.append(f"{load(variant(n), cache_dir).digest}-v{cache.FORMAT}")
        os.utime(cache_dir / names[-1], (1000 + n,) * 2)
    (cache_dir / "somebody's notes").touch()
    load(variant(0), cache_dir)  # used again, hence no longer the oldest
    load(variant(99), cache_dir)
    left = {path.name for path in entries(cache_dir)}
    assert names[0] in left
    assert names[1] not in left
    assert "somebody's notes" in left
    assert len(left) == cache.KEEP + 1


def test_an_unwritable_cache_means_memory_and_a_warning(
    written: Written, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with caplog.at_level(logging.WARNING):
        data = load(written(), in_the_way / "cache")
    assert data.values.shape == (2, 2, 3)
    assert not data.values.flags.writeable
    assert "stays in memory" in caplog.text


def test_a_full_disk_means_memory_and_leaves_no_half_cache(
    written: Written,
    cache_dir: Path,
    parsed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(stream: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_flush", full)
    with caplog.at_level(logging.WARNING):
        assert load(written(), cache_dir).values.shape == (2, 2, 3)
    assert "No space left" in caplog.text
    assert entries(cache_dir) == []
    assert parsed == ["parsed"]


def test_files_replaced_while_they_are_parsed_are_read_again(
    written: Written, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written()
    newer = "Country Code,Indicator Code,2000\nFJI,gdp,5\n"

    def replaced(paths: Any) -> Any:
        monkeypatch.setattr(dataset, "parse", parse)
        content = parse(paths)
        written(indicatorData=newer)
        return content

    monkeypatch.setattr(dataset, "parse", replaced)
    assert load(folder, cache_dir).values.tolist() == [[[5.0]]]
    assert len(entries(cache_dir)) == 1


def test_files_that_never_rest_are_refused(written: Written, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written()
    versions = iter(range(100))

    def replaced(paths: Any) -> Any:
        content = parse(paths)
        written(indicatorData=f"Country Code,Indicator Code,2000\nFJI,gdp,{next(versions)}\n")
        return content

    monkeypatch.setattr(dataset, "parse", replaced)
    with pytest.raises(DataSetError, match="keep changing"):
        load(folder, cache_dir)
