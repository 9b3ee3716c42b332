import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.orphans import adopt, make_folder


@pytest.fixture
def dead() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_folders_of_processes_that_are_gone_are_removed(place: Path, dead: int) -> None:
    (place / f"thing-{dead}-abc").mkdir()
    (place / f"thing-{dead}-abc" / "file").touch()
    made = make_folder("thing-")
    assert list(place.iterdir()) == [made]


@pytest.mark.parametrize("name", ["thing-{own}-abc", "thing-abcdef", "thing-{dead}", "other-{dead}-a"])
def test_what_may_be_in_use_or_is_somebody_elses_stays(place: Path, dead: int, name: str) -> None:
    folder = place / name.format(own=os.getpid(), dead=dead)
    folder.mkdir()
    make_folder("thing-")
    assert folder.is_dir()


def test_a_folder_that_a_library_made_is_removed_when_its_process_is_gone(tmp_path: Path, dead: int) -> None:
    names = ("ours", "orphan", "alive", "shared", "foreign")
    ours, orphan, alive, shared, foreign = (tmp_path / name for name in names)
    for folder in (ours, orphan, alive, shared, foreign):
        folder.mkdir()
        (folder / "socket").touch()
    (orphan / f"atoll-owner-{dead}").touch()
    (shared / f"atoll-owner-{dead}").touch()
    (shared / f"atoll-owner-{os.getpid()}").touch()
    (alive / f"atoll-owner-{os.getppid()}").touch()
    adopt(ours)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alive", "foreign", "ours", "shared"]


def test_a_folder_is_adopted_by_the_process_that_uses_it(tmp_path: Path) -> None:
    adopt(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"atoll-owner-{os.getpid()}"]


def test_a_folder_that_goes_while_they_are_looked_at_does_no_harm(
    tmp_path: Path, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, orphan, going = tmp_path / "ours", tmp_path / "orphan", tmp_path / "going"
    for folder in (ours, orphan, going):
        folder.mkdir()
    (orphan / f"atoll-owner-{dead}").touch()
    listed = os.scandir

    def scandir(path: Any) -> object:
        if str(path) == str(going):
            going.rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    adopt(ours)
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]
