import asyncio
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.records import Package
from common.submission.runners.slurm.ssh.packing import Source, packed, unpacked

LAST = ("batch.sh", b"#!/bin/sh\n")


def stream(files: Mapping[str, Path | bytes]) -> list[bytes]:
    async def gather() -> list[bytes]:
        return [part async for part in packed(Package(files), LAST)]

    return asyncio.run(gather())


def archive_of(files: Mapping[str, bytes]) -> bytes:
    return b"".join(stream(files))


def read(data: bytes, max_bytes: int = 1 << 30) -> dict[str, bytes]:
    source = io.BytesIO(data)
    return {path: b"".join(parts) for path, parts in unpacked(Source(source.read), max_bytes)}


def test_a_folder_arrives_with_its_last_file_behind_the_others(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(700_001))
    files: dict[str, Path | bytes] = {
        "run.sh": b"true\n",
        "program/é.py": b"",
        "inputs/large": large,
        "deep/" + "a" * 300: b"x" * 513,
    }
    found = read(b"".join(stream(files)))
    assert list(found) == [*files, "batch.sh"]
    assert found == {**files, "inputs/large": large.read_bytes(), "batch.sh": LAST[1]}


def test_small_files_share_a_part() -> None:
    assert len(stream({f"f{number}": b"x" for number in range(100)})) == 1


def test_large_files_come_in_parts(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(3_000_000))
    parts = stream({"large": large})
    assert max(len(part) for part in parts) < 600_000


def test_files_are_their_owners_alone_and_programs_stay_programs(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(b"")
    tool.chmod(0o755)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream({"a": b"", "tool": tool})))) as archive:
        assert {member.name: oct(member.mode) for member in archive} == {
            "a": "0o600", "tool": "0o700", "batch.sh": "0o600",
        }  # fmt: skip


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_nothing_is_sent_to_a_place_outside_the_folder(path: str) -> None:
    with pytest.raises(ValueError, match="lies outside"):
        stream({path: b""})


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterDown, match="inputs/gone cannot be read here"):
        stream({"inputs/gone": tmp_path / "gone"})


@pytest.mark.parametrize("cut", [100, 600, 1000, 5000])
def test_a_stream_that_breaks_off_within_a_file_is_an_error(cut: int) -> None:
    data = archive_of({"a": b"a" * 3000, "b": b"b" * 3000})
    with pytest.raises(ClusterDown, match="in full"):
        read(data[:cut])


def test_no_stream_at_all_is_no_files() -> None:
    assert read(b"") == {}


def test_links_and_members_outside_are_passed_over() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in [("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in ("/absolute", "../up", "kept"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert read(buffer.getvalue()) == {"kept": b""}


def test_more_than_may_be_brought_back_is_refused_before_it_is_read() -> None:
    with pytest.raises(ClusterRefused, match="more than 4000 bytes"):
        read(archive_of({"a": b"a" * 3000, "b": b"b" * 3000}), max_bytes=4000)
