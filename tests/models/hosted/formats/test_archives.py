"""Archives of strangers: what is unpacked stays in its folder and within its limits."""

import zipfile
from pathlib import Path

import pytest

from common.errors import Invalid
from models.hosted.formats.archives import unpack
from tests.models.hosted.makers import archive

_MB = 1_000_000


def unpacked(path: Path, folder: Path, max_bytes: int = 10 * _MB, max_files: int = 10) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    return unpack(path, folder, max_bytes=max_bytes, max_files=max_files)


def test_files_are_unpacked_under_names_of_our_own_without_their_common_folder(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"iris/model.onnx": b"model", "iris/data/weights.bin": b"weights"})
    files = unpacked(path, tmp_path / "to")
    assert {name: file.read_bytes() for name, file in files.items()} == {
        "model.onnx": b"model",
        "data/weights.bin": b"weights",
    }
    assert sorted(file.name for file in (tmp_path / "to").iterdir()) == ["file-0", "file-1"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "a:b"])
def test_a_name_that_leads_out_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": b"model", name: b"x"})
    with pytest.raises(Invalid, match="leads out of it"):
        unpacked(path, tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


def test_a_link_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": b"model"}, {"weights.bin": "/etc/passwd"})
    with pytest.raises(Invalid, match=r"weights.bin.*is a link"):
        unpacked(path, tmp_path / "to")


def test_a_name_that_comes_twice_is_refused_whatever_its_capitals(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": b"1", "MODEL.onnx": b"2"})
    with pytest.raises(Invalid, match="twice"):
        unpacked(path, tmp_path / "to")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": b"\0" * (50 * _MB)})
    with pytest.raises(Invalid, match="times as large"):
        unpacked(path, tmp_path / "to", max_bytes=100 * _MB)
    assert list((tmp_path / "to").iterdir()) == []


def test_archives_that_would_become_too_large_or_too_many_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"{number}.bin": bytes(range(256)) * 4000 for number in range(4)})
    with pytest.raises(Invalid, match="at most 2 MB"):
        unpacked(path, tmp_path / "to", max_bytes=2 * _MB)
    with pytest.raises(Invalid, match="holds 4 files; at most 3"):
        unpacked(path, tmp_path / "to", max_files=3)


def test_what_a_member_says_of_its_size_is_not_believed(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": b"\0" * 100_000})
    content = path.read_bytes()
    # In the directory at the end and before the member: 100,000 bytes become 10.
    path.write_bytes(content.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(Invalid, match=r"cannot be unpacked|larger than it says"):
        unpacked(path, tmp_path / "to")
    written = sum(file.stat().st_size for file in (tmp_path / "to").iterdir())
    assert written <= 10


def test_an_archive_that_is_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": bytes(range(256)) * 40})
    content = path.read_bytes()
    path.write_bytes(content[:60])
    with pytest.raises(Invalid, match="cut short"):
        unpacked(path, tmp_path / "to")
    damaged = bytearray(content)
    damaged[50] ^= 0xFF
    path.write_bytes(bytes(damaged))
    with pytest.raises(Invalid, match="cannot be unpacked"):
        unpacked(path, tmp_path / "to2")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"model.onnx": b"model"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(bytes(content))
    assert zipfile.is_zipfile(path)
    with pytest.raises(Invalid, match="encrypted"):
        unpacked(path, tmp_path / "to")
