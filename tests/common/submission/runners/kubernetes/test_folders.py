"""What a program may do to its folder on the share, and what Atoll makes of it."""

import os
from pathlib import Path

import fsspec
import psutil
import pytest

from common.storage.directory import DirectoryShare
from common.storage.fsspec_share import FsspecShare
from common.storage.share import Share
from common.submission.errors import ClusterRefused
from common.submission.records import Package
from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.folders import TaskFolders

CONFIG = KubernetesConfig(name="lab", claim="c", share="/mnt")
PACKAGE = Package({"run.sh": b"exit 0", "program/src/main.py": b"1"})


@pytest.fixture(params=["directory", "fsspec"])
def share(request: pytest.FixtureRequest, tmp_path: Path) -> Share:
    if request.param == "directory":
        return DirectoryShare(tmp_path / "share")
    fsspec.filesystem("memory").store.clear()
    return FsspecShare(f"memory://{tmp_path.name}")


@pytest.fixture
def folders(share: Share) -> TaskFolders:
    return TaskFolders(CONFIG, share)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("of Atoll")
    return path


@pytest.fixture
def local(tmp_path: Path) -> TaskFolders:
    return TaskFolders(CONFIG, DirectoryShare(tmp_path / "share"))


@pytest.fixture
def folder(local: TaskFolders, tmp_path: Path) -> Path:
    """That of a task, as a program sees it."""
    local.place("t-1", PACKAGE, "output")
    return tmp_path / "share" / "clusters" / "lab" / "t-1"


def collected(folders: TaskFolders) -> dict[str, bytes]:
    return {path: b"".join(parts) for path, parts in folders.collect("t-1")}


def test_outputs_and_logs_are_collected_and_nothing_else(folders: TaskFolders, share: Share) -> None:
    folders.place("t-1", PACKAGE, "output")
    for path in ("output/a/b.txt", "output/metrics.json", "task.log", "task-3.log", "other.log", "a/task.log"):
        share.write(f"clusters/lab/t-1/{path}", [path.encode()])
    assert collected(folders) == {
        path: path.encode() for path in ("output/a/b.txt", "output/metrics.json", "task.log", "task-3.log")
    }


def test_a_log_is_read_from_anywhere(folders: TaskFolders, share: Share) -> None:
    assert folders.log("t-1", 0, 10, None) is None
    share.write("clusters/lab/t-1/task-2.log", [b"0123456789"])
    part = folders.log("t-1", 3, 4, 2)
    assert part is not None
    assert (part.content, part.offset, part.size_bytes) == (b"3456", 3, 10)


def test_what_was_cleaned_is_gone_and_once_more(folders: TaskFolders, share: Share) -> None:
    folders.place("t-1", PACKAGE)
    folders.clean("t-1")
    folders.clean("t-1")
    assert share.find("clusters") == []


def test_links_out_of_the_folder_lead_nowhere(local: TaskFolders, folder: Path, secret: Path) -> None:
    (folder / "output" / "file").symlink_to(secret)
    (folder / "output" / "folder").symlink_to(secret.parent)
    (folder / "task.log").symlink_to(secret)
    assert collected(local) == {}
    assert local.log("t-1", 0, 100, None) is None


def test_a_folder_put_in_the_place_of_the_outputs_leads_nowhere(local: TaskFolders, folder: Path, secret: Path) -> None:
    (folder / "output" / ".keep").unlink()
    (folder / "output").rmdir()
    (folder / "output").symlink_to(secret.parent)
    assert collected(local) == {}


def test_a_pipe_keeps_nobody_waiting(local: TaskFolders, folder: Path) -> None:
    os.mkfifo(folder / "output" / "pipe")
    os.mkfifo(folder / "task.log")
    assert collected(local) == {}
    assert local.log("t-1", 0, 100, None) is None


def test_folders_without_end_are_left_at_some_depth(local: TaskFolders, folder: Path) -> None:
    deep = folder / "output" / "/".join(["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep")
    (folder / "output" / "d" / "file").write_text("not deep")
    assert collected(local) == {"output/d/file": b"not deep"}


def test_files_that_nobody_reads_are_closed(local: TaskFolders, folder: Path) -> None:
    for number in range(50):
        (folder / "output" / str(number)).write_text("x")
    before = psutil.Process().num_fds()
    assert len(list(local.collect("t-1"))) == 50
    assert psutil.Process().num_fds() == before


def test_files_are_never_placed_through_a_link(local: TaskFolders, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "program" / "src" / "main.py").unlink()
    (folder / "program" / "src").rmdir()
    (folder / "program" / "src").symlink_to(elsewhere)
    with pytest.raises(ClusterRefused, match="links"):
        local.place("t-1", PACKAGE)
    assert list(elsewhere.iterdir()) == []


def test_cleaning_removes_links_and_not_what_they_lead_to(local: TaskFolders, folder: Path, secret: Path) -> None:
    (folder / "output" / "folder").symlink_to(secret.parent)
    local.clean("t-1")
    assert not folder.exists()
    assert secret.read_text() == "of Atoll"
