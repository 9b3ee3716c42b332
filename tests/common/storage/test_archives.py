"""Archives of strangers: what is unpacked stays in its folder and within its limits."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from common.errors import Invalid
from common.storage.archives import names_in, unpack, unpack_tree
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


def tar(path: Path, files: Mapping[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            made.addfile(info, io.BytesIO(content))
        for info in more:
            made.addfile(info)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tree(path: Path, folder: Path, max_bytes: int = 10 * _MB, max_files: int = 10) -> dict[str, Path]:
    return unpack_tree(path, folder, max_bytes=max_bytes, max_files=max_files)


FILES = {"job/train.py": b"print(1)", "job/lib/__init__.py": b"", "README": b"hello"}


def packed(folder: Path, kind: str, files: Mapping[str, bytes]) -> Path:
    return archive(folder / "a.zip", files) if kind == "zip" else tar(folder / "a.tar.gz", files)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_tree_is_unpacked_as_it_lies_in_the_archive(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path, kind, FILES)
    files = tree(path, tmp_path / "to")
    assert {name: file.read_bytes() for name, file in files.items()} == FILES
    assert files["job/train.py"] == tmp_path / "to/job/train.py"
    assert sorted(names_in(path, max_bytes=_MB, max_files=10)) == sorted(FILES)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("/etc/x", "leads out"),
        ("..\\x", "leads out"),
        ("a\nb.py", "control character"),
        ("x" * 300, "too long"),
        ("TRAIN.py", "twice"),
        ("train.py/x", "a file and a folder"),
    ],
)
def test_a_tree_with_a_name_that_cannot_be_is_refused_and_nothing_lies_outside(
    tmp_path: Path, kind: str, name: str, told: str
) -> None:
    (tmp_path / "in").mkdir()
    path = packed(tmp_path / "in", kind, {"train.py": b"1", name: b"2"})
    for look in (lambda: tree(path, tmp_path / "to"), lambda: names_in(path, max_bytes=_MB, max_files=10)):
        with pytest.raises(Invalid, match=told):
            look()
    assert {item.name for item in tmp_path.iterdir()} <= {"in", "to"}


@pytest.mark.parametrize(
    ("kind", "told"),
    [(tarfile.SYMTYPE, "is a link"), (tarfile.LNKTYPE, "is a link"), (tarfile.FIFOTYPE, "is no plain file")],
)
def test_a_tar_with_more_than_files_is_refused(tmp_path: Path, kind: bytes, told: str) -> None:
    path = tar(tmp_path / "a.tar.gz", {"a": b"1"}, special("b", kind, "/etc/passwd"))
    with pytest.raises(Invalid, match=told):
        tree(path, tmp_path / "to")


def test_a_tar_that_grows_without_end_is_refused_while_it_does(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar.gz", {"a": bytes(50 * _MB)})
    assert path.stat().st_size < _MB
    with pytest.raises(Invalid, match="too large"):
        tree(path, tmp_path / "to", max_bytes=100 * _MB)
    written = sum(file.stat().st_size for file in (tmp_path / "to").iterdir())
    assert written <= 10 * _MB


def test_a_tar_of_more_bytes_or_files_than_may_be_is_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar.gz", {f"{number}.bin": bytes(range(256)) * 4000 for number in range(4)})
    with pytest.raises(Invalid, match=r"at most 1 MB|too large"):
        tree(path, tmp_path / "to", max_bytes=2 * _MB)
    with pytest.raises(Invalid, match="more than 3 files"):
        tree(path, tmp_path / "to2", max_files=3)


def test_a_tar_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar.gz", {"a": bytes(range(256)) * 400})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(Invalid, match="cut short"):
        tree(path, tmp_path / "to")


def test_what_a_mac_adds_is_left_out_of_a_tree(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"train.py": b"1", "__MACOSX/._train.py": b"2"})
    assert list(tree(path, tmp_path / "to")) == ["train.py"]
