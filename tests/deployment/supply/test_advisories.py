import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deployment.supply.advisories import Finding, concerns, find, read_database
from deployment.supply.lock import Unreadable
from tests.deployment.supply.documents import advisory, export, pin


def found(tmp_path: Path, *documents: dict[str, Any], version: str = "2.0.0") -> list[Finding]:
    return find([pin(version=version)], read_database(export(tmp_path, *documents)))


def test_an_affected_version_is_found_with_its_numbers_and_the_fix(tmp_path: Path) -> None:
    assert found(tmp_path, advisory()) == [
        Finding(
            package="some-package",
            version="2.0.0",
            id="PYSEC-2026-7",
            aliases=("CVE-2026-1234", "GHSA-aaaa-bbbb-cccc"),
            fixed_in=("2.0.1",),
            summary="Reads files that it should not.",
        )
    ]


def test_a_fixed_version_is_not_found(tmp_path: Path) -> None:
    assert found(tmp_path, advisory(), version="2.0.1") == []


def test_another_package_is_not_found(tmp_path: Path) -> None:
    assert found(tmp_path, advisory(name="some-package-extra")) == []


def test_a_package_of_the_same_name_elsewhere_is_not_found(tmp_path: Path) -> None:
    elsewhere = advisory("GHSA-1")
    elsewhere["affected"][0]["package"]["ecosystem"] = "npm"
    assert found(tmp_path, elsewhere, advisory(name="other")) == []


def test_a_withdrawn_advisory_is_not_found(tmp_path: Path) -> None:
    assert found(tmp_path, advisory(withdrawn="2026-11-03T00:00:00Z")) == []


@pytest.mark.parametrize(
    ("events", "affected", "safe"),
    [
        ([{"introduced": "0"}], ["0.0.1.dev1", "99"], []),
        (
            [{"introduced": "1.2"}, {"fixed": "1.4"}],
            ["1.2", "1.2.post1", "1.3", "1.4rc1"],
            ["1.2rc1", "1.4", "1.4.0", "2"],
        ),
        ([{"introduced": "1.2"}, {"last_affected": "1.4"}], ["1.2", "1.4", "1.4.0"], ["1.1", "1.4.1"]),
        # Two spans, written in any order.
        (
            [{"introduced": "2"}, {"fixed": "2.3"}, {"introduced": "0"}, {"fixed": "1.9"}],
            ["1.8", "2", "2.2.9"],
            ["1.9", "1.10", "2.3"],
        ),
        ([{"introduced": "1.9"}], ["1.10"], ["1.8"]),
        # An end that PEP 440 cannot read ends nothing.
        ([{"introduced": "0"}, {"fixed": "a commit"}], ["1", "99"], []),
    ],
)
def test_ranges_are_read_as_versions_not_as_text(
    events: list[dict[str, str]], affected: list[str], safe: list[str]
) -> None:
    document = advisory(events=events)
    versions = [*affected, *safe]
    assert [version for version in versions if concerns(document, "some-package", version)] == affected


def test_a_listed_version_is_affected_whatever_the_ranges_say() -> None:
    document = advisory(events=[{"introduced": "5"}], versions=["2004d", "1.0.0", "1.1"])
    assert [version for version in ("1.0", "1.1.0", "1.2", "5") if concerns(document, "some-package", version)] == [
        "1.0",
        "1.1.0",
        "5",
    ]


def test_two_advisories_on_one_vulnerability_are_one_finding(tmp_path: Path) -> None:
    other = advisory(
        "GHSA-aaaa-bbbb-cccc",
        aliases=("CVE-2026-1234",),
        events=[{"introduced": "1"}, {"fixed": "1.9.9"}, {"introduced": "2.0"}],
    )
    (one,) = found(tmp_path, advisory(), other, advisory("PYSEC-2026-8", aliases=()), version="2.0.0")[:1]
    assert one.ids == {"PYSEC-2026-7", "CVE-2026-1234", "GHSA-aaaa-bbbb-cccc"}
    assert one.fixed_in == ("1.9.9", "2.0.1")
    assert len(found(tmp_path, advisory(), other, advisory("PYSEC-2026-8", aliases=()))) == 2


def test_each_version_that_markers_choose_between_is_looked_at(tmp_path: Path) -> None:
    database = read_database(export(tmp_path, advisory()))
    locked = [
        pin(version="2.0.0", marker="python_version < '3.13'"),
        pin(version="2.1", marker="python_version >= '3.13'"),
    ]
    assert [finding.version for finding in find(locked, database)] == ["2.0.0"]


def test_a_zip_file_is_read_like_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("PYSEC-2026-7.json", json.dumps(advisory()))
    database = read_database(path)
    assert (database.count, database.newest) == (1, "2026-11-20T10:11:12.345678Z")
    assert len(find([pin()], database)) == 1


@pytest.mark.parametrize(
    "content", [None, "{}", "[]", "{", '{"id": "A", "affected": [{"package": {"ecosystem": "PyPI"}}]}']
)
def test_a_database_that_is_none_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(Unreadable, match=r"no advisory"):
        read_database(tmp_path)


@pytest.mark.parametrize("name", ["missing", "a.txt"])
def test_what_is_neither_a_folder_nor_a_zip_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("advisories")
    with pytest.raises(Unreadable, match="no folder or zip file"):
        read_database(tmp_path / name)
