"""Which packages of the lock an image with an extra gets."""

import sys

import pytest

from deployment.supply.extras import CHECKOUT, asked_by, closure, installed_here, main, requirements
from deployment.supply.lock import Locked, Unreadable, parse_lock, read_lock


def locked(name: str, *wanted_by: str) -> Locked:
    return Locked(name, "1.0", "", ("a" * 64,), wanted_by)


def names(packages: list[Locked]) -> list[str]:
    return [package.name for package in packages]


def test_what_a_package_needs_comes_along_however_deep_and_nothing_else() -> None:
    lock = [locked("a", "atoll"), locked("b", "a"), locked("c", "b", "other"), locked("other", "atoll")]

    assert names(closure(lock, ["a"])) == ["a", "b", "c"]


def test_packages_that_need_each_other_do_not_go_round_in_circles() -> None:
    assert names(closure([locked("a", "b"), locked("b", "a")], ["b"])) == ["a", "b"]


def test_a_package_without_a_pin_is_refused_by_its_name() -> None:
    with pytest.raises(Unreadable, match="does not pin torch"):
        closure([locked("a", "atoll")], ["a", "Torch"])


def test_an_extra_that_is_not_there_is_refused_with_those_that_are() -> None:
    project = {"project": {"optional-dependencies": {"aws": ["boto3>=1"], "kubernetes": []}}}

    assert asked_by(project, ["aws"]) == ["boto3"]
    with pytest.raises(Unreadable, match="no extra 'azure'; there are aws, kubernetes"):
        asked_by(project, ["azure"])


def test_what_is_written_reads_the_same() -> None:
    lock = read_lock(CHECKOUT / "requirements-dev.txt")
    again = list(parse_lock(requirements(lock), "here"))

    assert [(p.name, p.version, p.marker, p.hashes) for p in again] == [
        (p.name, p.version, p.marker, p.hashes) for p in lock
    ]


@pytest.mark.parametrize(
    ("marker", "here"),
    [
        ("", True),
        ("sys_platform == 'linux'", True),
        ("python_full_version >= '3.12' and sys_platform == 'emscripten'", False),
        ("python_full_version < '3.12'", False),
    ],
)
def test_what_another_python_or_system_needs_is_not_for_here(marker: str, here: bool) -> None:
    package = Locked("a", "1.0", marker, ("a" * 64,), ())
    linux = {"sys_platform": "linux", "python_full_version": "3.12.4"}

    assert installed_here(package, linux) is here


def test_an_image_is_given_only_what_its_system_installs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosted", "--here"]) == 0
    given = list(parse_lock(capsys.readouterr().out, "here"))

    assert "tokenizers" in names(given)
    assert names([package for package in given if not installed_here(package)]) == []


@pytest.mark.parametrize(
    ("extra", "brings"), [("hosted", "lightgbm"), ("aws", "botocore"), ("kubernetes", "websocket")]
)
def test_the_extras_of_this_project_are_in_the_lock(
    extra: str, brings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([extra]) == 0
    assert brings in capsys.readouterr().out


def test_no_extra_is_nothing_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == ""


def test_a_wrong_extra_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such"]) == 2
    assert "no extra 'no-such'" in capsys.readouterr().err


def test_what_is_installed_already_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", "--without", str(CHECKOUT / "requirements.txt")]) == 0
    written = {package.name for package in parse_lock(capsys.readouterr().out, "here")}

    assert "onnx" in written
    assert "numpy" not in written


@pytest.mark.skipif(sys.platform == "win32", reason="there it is installed already")
def test_what_a_lock_installs_on_other_systems_only_is_not_there_yet(capsys: pytest.CaptureFixture[str]) -> None:
    lock = str(CHECKOUT / "requirements.txt")
    assert main(["--package", "mkdocs-material", "--here", "--without", lock]) == 0
    written = {package.name for package in parse_lock(capsys.readouterr().out, "here")}

    assert {"mkdocs-material", "colorama"} <= written
    assert "jinja2" not in written
