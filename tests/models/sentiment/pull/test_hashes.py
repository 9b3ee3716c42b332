"""Files are those that were meant."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from common.errors import Invalid
from models.sentiment.pull.hashes import check_hashes, git_blob, read_sums, sha256


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(b"one")
    return tmp_path


def test_a_hash_that_fits_is_told(kept: Path) -> None:
    expected = hashlib.sha256(b"one").hexdigest()
    assert sha256(kept / "a.txt") == expected
    assert check_hashes(kept, {"a.txt": expected.upper()}, "somebody") == ["a.txt"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.txt", "its SHA-256 is 7692"),
        ("b.txt", "missing"),
        ("../a.txt", "somebody names a file that does not lie in the folder"),
    ],
)
def test_a_file_that_is_another_one_is_refused_by_name(kept: Path, name: str, told: str) -> None:
    with pytest.raises(Invalid, match=f"^{name}: {told}"):
        check_hashes(kept, {name: "0" * 64}, "somebody")


def test_lists_are_read_as_sha256sum_writes_them(kept: Path) -> None:
    done = subprocess.run(["sha256sum", "a.txt"], cwd=kept, capture_output=True, text=True, check=True)
    (kept / "SHA256SUMS").write_text(done.stdout)
    assert read_sums(kept) == {"a.txt": sha256(kept / "a.txt")}


def test_a_list_of_something_else_is_refused(kept: Path) -> None:
    (kept / "SHA256SUMS").write_text("hello")
    with pytest.raises(Invalid, match=r"^SHA256SUMS: 'hello'"):
        read_sums(kept)


def test_git_names_a_file_by_its_length_and_content(kept: Path) -> None:
    done = subprocess.run(["git", "hash-object", "a.txt"], cwd=kept, capture_output=True, text=True, check=True)
    assert git_blob(b"one") == done.stdout.strip()
