"""What is sent to make a task."""

import io
import zipfile
from pathlib import Path

import pytest

from common.client.programs import packed, read_program, replacing


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("train.py", "src/model.py", ".git/config", "src/__pycache__/model.pyc", "venv/lib.py", ".env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def members(content: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return set(archive.namelist())


def test_a_folder_is_packed_without_what_no_cluster_needs(project: Path) -> None:
    name, content = read_program(project)
    assert name == "project.zip"
    assert members(content) == {"train.py", "src/model.py"}


def test_the_same_folder_gives_the_same_bytes(project: Path) -> None:
    first = packed(project)
    (project / "train.py").touch()
    assert packed(project) == first


def test_a_program_keeps_its_mode(project: Path) -> None:
    (project / "train.py").chmod(0o755)
    with zipfile.ZipFile(io.BytesIO(packed(project))) as archive:
        assert archive.getinfo("train.py").external_attr >> 16 == 0o755


@pytest.mark.parametrize("target", ["train.py", "src", "/etc/hostname", "nowhere"])
def test_a_link_is_refused_before_anything_is_sent(project: Path, target: str) -> None:
    (project / "link").symlink_to(target)
    with pytest.raises(ValueError, match="is a link"):
        packed(project)


def test_an_empty_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no files"):
        packed(tmp_path)


@pytest.mark.parametrize("name", ["train.R", "train", "data.csv"])
def test_a_file_that_no_server_takes_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match=r"\.py, \.sh, \.zip"):
        read_program(tmp_path / name)


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a/b.bin"

    def half() -> None:
        with replacing(target) as part:
            part.write_bytes(b"half")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        half()
    assert list(target.parent.iterdir()) == []
