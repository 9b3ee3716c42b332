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


def test_a_plain_module_counts_by_its_file(tmp_path: Path) -> None:
    module = tmp_path / "plain_module.py"
    versions = set()
    for source in ("x = 1", "x = 2"):
        module.write_text(source)
        code_version.cache_clear()
        versions.add(code_version("plain_module"))
    assert len(versions) == 2


@pytest.mark.parametrize("name", ["no_such_package", "no_such_package.part", "sys"])
def test_what_has_no_sources_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        code_version(name)
