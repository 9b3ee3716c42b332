"""The folder of shared metrics, and those that killed processes left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.telemetry.folder import make_metrics_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_what_a_process_that_is_gone_left_is_removed(place: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    orphan = place / f"atoll-metrics-{dead.pid}-abc"
    orphan.mkdir()
    (orphan / f"counter_{dead.pid}.db").touch()
    made = make_metrics_folder()
    assert list(place.iterdir()) == [made]


@pytest.mark.parametrize("name", ["atoll-metrics-{pid}-abc", "atoll-metrics-abcdef", "other-1-a"])
def test_what_may_be_in_use_stays(place: Path, name: str) -> None:
    folder = place / name.format(pid=os.getpid())
    folder.mkdir()
    make_metrics_folder()
    assert folder.is_dir()
