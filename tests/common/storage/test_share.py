"""What every share does, whatever is behind it."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.storage.share import CHUNK_BYTES, BadPath, FileMissing, NotAFile, Share, check_path, pieces


def content(share: Share, path: str) -> bytes:
    return b"".join(share.read(path))


def test_what_was_written_is_read(share: Share) -> None:
    assert share.write("datasets/sids/data.csv", [b"a,", b"", b"b\n"]) == 4
    assert content(share, "datasets/sids/data.csv") == b"a,b\n"


def test_a_file_larger_than_a_range_comes_back_whole(share: Share) -> None:
    chunk = bytes(range(256)) * (CHUNK_BYTES // 256)
    written = [chunk, chunk[1:], chunk, chunk, chunk, chunk[:77]]
    assert share.write("large", written) == sum(map(len, written))
    assert content(share, "large") == b"".join(written)


def test_an_empty_file_is_a_file(share: Share) -> None:
    assert share.write("empty", []) == 0
    assert content(share, "empty") == b""
    found = share.stat("empty")
    assert found is not None
    assert found.size_bytes == 0


def test_a_second_write_replaces_the_first(share: Share) -> None:
    share.write("file", [b"the longer first"])
    share.write("file", [b"second"])
    assert content(share, "file") == b"second"


def test_the_etag_changes_with_the_content(share: Share) -> None:
    share.write("file", [b"one"])
    before = share.stat("file")
    assert before == share.stat("file")
    share.write("file", [b"two"])
    assert share.stat("file") != before


def test_an_etag_is_the_same_in_a_listing(share: Share) -> None:
    share.write("folder/file", [b"one"])
    assert share.find("folder") == [share.stat("folder/file")]


def test_a_write_that_is_interrupted_changes_nothing(share: Share) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * (5 << 20)
        raise OSError("the caller hung up")

    share.write("folder/kept", [b"before"])
    for path in ("folder/kept", "folder/new"):
        with pytest.raises(OSError, match="the caller hung up"):
            share.write(path, broken())
    assert content(share, "folder/kept") == b"before"
    assert [info.path for info in share.find()] == ["folder/kept"]
    assert share.sweep(older_than_s=-60) == 0


def test_a_file_that_is_being_written_is_not_seen(share: Share) -> None:
    def look() -> Iterator[bytes]:
        yield b"x" * (5 << 20)
        assert share.find("folder") == []
        assert share.stat("folder/file") is None
        yield b"y"

    share.write("folder/file", look())
    assert [info.path for info in share.find("folder")] == ["folder/file"]


def test_files_are_listed_at_any_depth_in_order(share: Share) -> None:
    paths = ["b/2", "a", "b/1/deep", "b/1/a", "c x/ü[1].csv", "b/3", "b/4"]
    for path in paths:
        share.write(path, [path.encode()])
    assert [info.path for info in share.find()] == sorted(paths)
    assert [info.path for info in share.find("b")] == ["b/1/a", "b/1/deep", "b/2", "b/3", "b/4"]
    assert [info.size_bytes for info in share.find("c x")] == [len("c x/ü[1].csv".encode())]
    assert share.find("nothing/here") == []
    assert share.find("a") == []


def test_what_is_not_there_is_missing(share: Share) -> None:
    for path in ("none", "no/such/folder/file"):
        assert share.stat(path) is None
        assert share.delete(path) is False
        with pytest.raises(FileMissing, match=path):
            content(share, path)
        with pytest.raises(FileMissing):
            share.move(path, "target")


def test_a_folder_is_no_file(share: Share) -> None:
    share.write("folder/file", [b"x"])
    assert share.stat("folder") is None
    assert share.delete("folder") is False
    assert content(share, "folder/file") == b"x"


def test_a_file_below_a_file_is_refused(share: Share) -> None:
    share.write("folder/file", [b"x"])
    with pytest.raises(NotAFile):
        share.write("folder/file/below", [b"y"])
    assert content(share, "folder/file") == b"x"


def test_a_deleted_file_is_gone(share: Share) -> None:
    share.write("folder/file", [b"x"])
    assert share.delete("folder/file") is True
    assert share.stat("folder/file") is None
    assert share.find() == []


def test_a_moved_file_replaces_what_is_there(share: Share) -> None:
    share.write("from/file[1]", [b"moved"])
    share.write("to/file", [b"old"])
    share.move("from/file[1]", "to/file")
    assert content(share, "to/file") == b"moved"
    assert share.stat("from/file[1]") is None


def test_files_of_a_folder_expire_by_their_age_and_others_stay(share: Share) -> None:
    for path in ("parts/ab/one", "parts/two", "partsother", "other/three"):
        share.write(path, [b"x"])
    assert share.expire("parts", older_than_s=3600) == 0
    assert share.expire("parts", older_than_s=-60) == 2
    assert [info.path for info in share.find()] == ["other/three", "partsother"]
    assert share.expire("nowhere", older_than_s=-60) == 0


def test_a_file_that_is_being_written_does_not_expire(share: Share) -> None:
    def look() -> Iterator[bytes]:
        yield b"x" * (5 << 20)
        assert share.expire("folder", older_than_s=-60) == 0
        yield b"y"

    assert share.write("folder/file", look()) == (5 << 20) + 1


def test_what_a_dead_writer_left_is_swept_when_it_is_old(share: Share) -> None:
    def die() -> Iterator[bytes]:
        yield b"x"
        # What a kill leaves: neither the rename nor the clean-up is run.
        assert share.sweep(older_than_s=3600) == 0
        assert share.sweep(older_than_s=-60) == 1
        yield b"y"

    with pytest.raises(FileMissing):
        share.write("folder/file", die())
    assert share.find() == []


def test_parallel_writers_of_a_file_leave_one_of_their_contents(share: Share) -> None:
    contents = [bytes([65 + number]) * 300_000 for number in range(4)]
    threads = [
        threading.Thread(target=share.write, args=("shared/place/file", [part[:1000], part[1000:]]))
        for part in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(share, "shared/place/file") in contents
    assert len(share.find()) == 1


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", ".", "a/./b", "a\\b", "a\nb", "a\0b", "a\x7fb", "\ud800",
     "x" * 256, "ü" * 128, "/".join(["x" * 200] * 6), "a./b", "a ", "a:b", "a*", "a?", '"', "a|b", ".partial-1/x"],
)  # fmt: skip
def test_a_path_that_some_share_cannot_hold_is_refused_by_all(share: Share, path: str) -> None:
    for refused in (
        lambda: share.stat(path),
        lambda: share.delete(path),
        lambda: share.write(path, [b"x"]),
        lambda: next(share.read(path)),
        lambda: share.move(path, "b"),
        lambda: share.move("b", path),
        lambda: share.local_path(path),
    ):
        with pytest.raises(BadPath):
            refused()
    assert share.find() == []


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_path_is_refused_or_stays_below_the_share(path: str) -> None:
    try:
        check_path(path)
    except BadPath:
        return
    parts = path.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert path.isprintable() or any(not character.isprintable() for character in path if ord(character) > 159)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8), max_size=3))
def test_every_path_that_is_allowed_can_be_written(share: Share, parts: list[str]) -> None:
    path = "/".join(["any", *parts, "file"])
    try:
        check_path(path)
    except BadPath:
        return
    share.write(path, [path.encode()])
    assert content(share, path) == path.encode()
    assert path in [info.path for info in share.find("any")]
    share.delete(path)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=10), max_size=10), st.integers(1, 7))
def test_pieces_have_one_size_but_the_last(chunks: list[bytes], size: int) -> None:
    found = list(pieces(chunks, size))
    assert b"".join(found) == b"".join(chunks)
    assert all(len(piece) == size for piece in found[:-1])
    assert all(found)
