from collections.abc import Iterator
from pathlib import Path

import pytest

from common.plugins import code_version
from tests.support.plugins import write_plugin


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    code_version.cache_clear()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    code_version.cache_clear()


def version_of(folder: Path, source: str, name: str = "fingerprinted") -> str:
    write_plugin(folder, name, source)
    code_version.cache_clear()
    return code_version(name)


def test_the_same_code_has_the_same_version(tmp_path: Path) -> None:
    assert version_of(tmp_path, "x = 1") == version_of(tmp_path, "x = 1")


def test_changed_code_has_another_version(tmp_path: Path) -> None:
    assert version_of(tmp_path, "x = 1") != version_of(tmp_path, "x = 2")


def test_a_file_more_makes_another_version(tmp_path: Path) -> None:
    before = version_of(tmp_path, "x = 1")
    (tmp_path / "fingerprinted" / "more.py").touch()
    assert version_of(tmp_path, "x = 1") != before


def test_what_is_no_code_does_not_count(tmp_path: Path) -> None:
    before = version_of(tmp_path, "x = 1")
    (tmp_path / "fingerprinted" / "notes.txt").write_text("x")
    assert version_of(tmp_path, "x = 1") == before


def test_the_order_of_packages_does_not_matter() -> None:
    assert code_version("common", "models") == code_version("models", "common")
