"""What `make check-deploy` runs, and what it says of what it cannot run."""

from pathlib import Path

import pytest

from deployment.check.__main__ import Outcome, run
from deployment.check.checks import SOURCES, Check, Way, _each, _once, checks
from deployment.check.schemas import split
from tests.support.servers import CHECKOUT


def check(*needs: str, word: str = "true") -> Check:
    return Check("sample", ("*.txt",), (Way(needs, _once(word)),))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def test_a_tool_that_fails_fails_the_check(root: Path) -> None:
    outcome = run(check("false", word="false"), root)
    assert outcome.held is False
    assert outcome.fails(skip_missing=True)


def test_a_tool_that_is_content_passes(root: Path) -> None:
    assert run(check("true"), root).held is True


def test_a_missing_tool_is_said_and_fails_unless_it_may_be_missing(root: Path) -> None:
    outcome = run(check("no-such-tool"), root)
    assert outcome.told == "needs no-such-tool"
    assert outcome.fails(skip_missing=False)
    assert not outcome.fails(skip_missing=True)


def test_where_a_missing_tool_comes_from_is_said(root: Path) -> None:
    there = {"terraform": False, "kubectl": True}
    found = Check("sample", (), (Way(("terraform", "kubectl"), _once("x")), Way(("/lab/check.sh",), _once("x"))))
    told = found.missing(lambda tool: there.get(tool, False))
    assert told.startswith("terraform (developer.hashicorp.com/terraform/install")
    assert "kubectl" not in told
    assert told.endswith(" or /lab/check.sh (of the lab; LAB=DIR names another place)")


def test_whatever_is_needed_and_comes_from_pip_is_pinned() -> None:
    pinned = (CHECKOUT / "deployment/check/requirements.txt").read_text()
    by_pip = {tool for tool, source in SOURCES.items() if source == "deployment/check/requirements.txt"}
    assert by_pip == {line.split("==")[0].removesuffix("-bin") for line in pinned.splitlines() if "==" in line}


def test_every_tool_that_may_be_missing_has_a_source() -> None:
    needed = {tool for one in checks(Path("lab")) for way in one.ways for tool in way.needs if "/" not in tool}
    assert needed <= set(SOURCES)


def test_a_part_without_files_is_said_and_fails_unless_it_may_be_missing(tmp_path: Path) -> None:
    outcome = run(check("true"), tmp_path)
    assert "there is no *.txt" in outcome.told
    assert outcome.fails(skip_missing=False)


def test_the_stricter_tool_goes_first_where_it_is_there() -> None:
    found = Check("sample", (), (Way(("strict",), _each("strict")), Way(("lax",), _each("lax"))))
    strict, lax = found.ways
    assert found.way(lambda tool: True) is strict
    assert found.way(lambda tool: tool == "lax") is lax
    assert found.missing(lambda tool: False) == "strict or lax"


def test_what_tools_have_put_beside_is_not_checked(tmp_path: Path) -> None:
    for name in ("terraform/main.tf", "terraform/.terraform/modules/x/main.tf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = next(one for one in checks(tmp_path) if one.name == "Terraform")
    assert found.files(tmp_path) == [Path("terraform/main.tf")]


def test_each_part_of_the_deployment_has_files() -> None:
    absent = [one.name for one in checks(Path("lab")) if not one.files(CHECKOUT)]
    assert absent == []


def test_kinds_without_a_schema_are_named_and_the_others_validated() -> None:
    text = """
apiVersion: v1
kind: Service
metadata: {name: one}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: two}
"""
    kept, left_out = split(text)
    assert left_out == ["Gateway/two"]
    assert len(kept) == 1
    assert "name: one" in kept[0]


def test_a_line_tells_what_became_of_a_check() -> None:
    assert Outcome("workflows", None, "needs zizmor").line().split() == ["not", "run", "workflows", "needs", "zizmor"]
