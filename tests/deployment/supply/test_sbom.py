import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deployment.supply.__main__ import CHECKOUT, main
from deployment.supply.lock import Locked, read_lock

EPOCH = "1795000000"


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    assert main(["sbom", "--output", str(tmp_path / "sbom.json")]) == 0
    return (tmp_path / "sbom.json").read_text(encoding="utf-8")


@pytest.fixture
def document(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    return read


@pytest.fixture
def locked() -> list[Locked]:
    return read_lock(CHECKOUT / "requirements.txt")


def test_the_bill_of_materials_follows_its_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_schema_is_really_asked(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"library"', '"bookshelf"', 1)) is not None


def test_it_is_about_this_version_of_atoll(document: dict[str, Any]) -> None:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    root = document["metadata"]["component"]
    assert (root["name"], root["version"], root["type"]) == ("atoll", version, "application")


def test_it_lists_each_pin_with_its_licence_and_all_its_hashes(document: dict[str, Any], locked: list[Locked]) -> None:
    listed = {
        (one["name"], one["version"]): {
            entry["content"] for ref in one["externalReferences"] for entry in ref["hashes"]
        }
        for one in document["components"]
    }
    assert listed == {(package.name, package.version): set(package.hashes) for package in locked}
    assert [one["name"] for one in document["components"] if not one["licenses"][0]["expression"]] == []
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in document["components"])


def test_it_says_where_a_marker_keeps_a_package_away(document: dict[str, Any]) -> None:
    markers = {
        one["version"].split(".")[0]: [entry["value"] for entry in one["properties"]]
        for one in document["components"]
        if one["name"] == "azure-functions"
    }
    assert markers == {"1": ['python_full_version < "3.13"'], "2": ['python_full_version >= "3.13"']}


def test_it_says_who_needs_what(document: dict[str, Any], locked: list[Locked]) -> None:
    needs = {one["ref"].split("@")[0]: one.get("dependsOn", []) for one in document["dependencies"]}
    names = {name: {ref.split("@")[0].removeprefix("pkg:pypi/") for ref in refs} for name, refs in needs.items()}
    assert names["atoll"] == {package.name for package in locked if "atoll" in package.wanted_by}
    assert {"fastapi", "uvicorn", "pyjwt"} <= names["atoll"]
    assert {"starlette", "pydantic"} <= names["pkg:pypi/fastapi"]


def test_the_same_lock_gives_the_same_document(text: str, tmp_path: Path) -> None:
    assert main(["sbom", "--output", str(tmp_path / "again.json")]) == 0
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == text


def test_a_package_without_a_listed_licence_stops_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lock.txt").write_text("some-package==1\n")
    assert main(["sbom", "--lock", str(tmp_path / "lock.txt")]) == 2
    assert "does not list some-package; run `make licences`" in capsys.readouterr().err
