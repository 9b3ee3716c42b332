from collections.abc import Iterator
from pathlib import Path

import pytest

from common.storage import Share, ShareDown, fetch_folder
from common.storage.directory import DirectoryShare


def test_a_mounted_folder_is_used_where_it_is(tmp_path: Path) -> None:
    assert fetch_folder(DirectoryShare(tmp_path), "datasets", tmp_path / "cache") == tmp_path / "datasets"


def test_a_fetched_folder_holds_the_files_of_the_share(share: Share, tmp_path: Path) -> None:
    share.write("datasets/a.csv", [b"a"])
    share.write("datasets/deeper/b.csv", [b"b"])
    share.write("elsewhere", [b"c"])
    folder = fetch_folder(share, "datasets", tmp_path / "cache")
    assert folder.name == "datasets"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {"a.csv": b"a", "deeper/b.csv": b"b"}


def test_folders_within_are_left_where_they_are_if_nobody_wants_them(remote_share: Share, tmp_path: Path) -> None:
    remote_share.write("datasets/a.csv", [b"a"])
    remote_share.write("datasets/deeper/b.csv", [b"b"])
    folder = fetch_folder(remote_share, "datasets", tmp_path, deep=False)
    assert [path.name for path in folder.iterdir()] == ["a.csv"]


def test_an_empty_folder_of_the_share_is_an_empty_folder(share: Share, tmp_path: Path) -> None:
    folder = fetch_folder(share, "datasets", tmp_path / "cache")
    assert not folder.exists() or not list(folder.iterdir())


def test_only_a_file_that_changed_is_fetched_again(
    remote_share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = remote_share.read

    def counting(path: str) -> Iterator[bytes]:
        read.append(path)
        return original(path)

    monkeypatch.setattr(remote_share, "read", counting)
    remote_share.write("datasets/a.csv", [b"a"])
    remote_share.write("datasets/b.csv", [b"b"])
    first = fetch_folder(remote_share, "datasets", tmp_path)
    assert fetch_folder(remote_share, "datasets", tmp_path) == first
    remote_share.write("datasets/b.csv", [b"B"])
    second = fetch_folder(remote_share, "datasets", tmp_path)
    assert read == ["datasets/a.csv", "datasets/b.csv", "datasets/b.csv"]
    assert (first / "b.csv").read_bytes() == b"b", "whoever reads the old state keeps it"
    assert (second / "b.csv").read_bytes() == b"B"


def test_a_file_that_changes_while_it_is_fetched_is_not_kept(
    remote_share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = remote_share.read

    def read_late(path: str) -> list[bytes]:
        remote_share.write(path, [b"changed"])
        return list(original(path))

    remote_share.write("datasets/a.csv", [b"before!"])
    monkeypatch.setattr(remote_share, "read", read_late)
    with pytest.raises(ShareDown, match="changed"):
        fetch_folder(remote_share, "datasets", tmp_path)
    monkeypatch.undo()
    assert (fetch_folder(remote_share, "datasets", tmp_path) / "a.csv").read_bytes() == b"changed"
