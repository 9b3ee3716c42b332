from pathlib import Path

import pytest

from deployment.supply import licences
from deployment.supply.__main__ import CHECKOUT, main
from deployment.supply.lock import Locked, read_lock
from deployment.supply.policy import Policy, Stated, read_policy
from tests.deployment.supply.documents import pin

ALLOWED = {"MIT", "BSD-3-Clause", "Apache-2.0", "GPL-3.0-or-later WITH GCC-exception-3.1"}


@pytest.fixture(scope="module")
def locked() -> list[Locked]:
    return read_lock(CHECKOUT / "requirements.txt")


@pytest.fixture(scope="module")
def listed() -> licences.Licences:
    return licences.read_page((CHECKOUT / "docs/licences.md").read_text(encoding="utf-8"))


def test_every_package_that_is_deployed_is_listed_and_nothing_else(
    locked: list[Locked], listed: licences.Licences
) -> None:
    # `make licences` writes the page anew.
    assert sorted(listed) == sorted({(package.name, package.version) for package in locked})


def test_every_package_that_is_deployed_has_a_licence_that_is_accepted(listed: licences.Licences) -> None:
    assert licences.problems(listed, read_policy()) == []


def test_the_list_says_what_the_packages_themselves_say(locked: list[Locked], listed: licences.Licences) -> None:
    stated = {entry.package for entry in read_policy().stated}
    here = [package for package in locked if package.name not in stated]
    differing = {
        package.name: (listed[package.name, package.version], found)
        for package in here
        if (found := licences.installed(package)) is not None and found != listed[package.name, package.version]
    }
    assert differing == {}


def test_only_what_is_deployed_has_a_licence_stated_by_hand(locked: list[Locked]) -> None:
    assert {entry.package for entry in read_policy().stated} - {package.name for package in locked} == set()


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("MIT", True),
        ("AGPL-3.0-only", False),
        ("AGPL-3.0-only OR MIT", True),
        ("AGPL-3.0-only AND MIT", False),
        ("MIT AND (AGPL-3.0-only OR Apache-2.0)", True),
        ("MIT OR Apache-2.0 AND AGPL-3.0-only", True),
        ("(MIT OR Apache-2.0) AND AGPL-3.0-only", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", True),
        ("GPL-3.0-or-later", False),
        ("GPL-3.0-or-later WITH Classpath-exception-2.0", False),
        ("no licence at all", False),
        ("", False),
    ],
)
def test_an_expression_is_accepted_only_if_all_that_applies_is(expression: str, holds: bool) -> None:
    assert licences.accepted(expression, ALLOWED) is holds


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "licence"),
    [
        ("MIT OR Apache-2.0", "BSD-3-Clause", [], "MIT OR Apache-2.0"),
        (None, "MIT License", ["License :: OSI Approved :: Apache Software License"], "MIT"),
        (None, "mpl-2.0 and mit", [], "MPL-2.0 AND MIT"),
        (None, "Copyright by us\n\nDo what you like", ["License :: OSI Approved :: MIT License"], "MIT"),
        (None, None, ["License :: OSI Approved :: ISC License (ISCL)", "Topic :: Internet"], "ISC"),
        # May be one of several: somebody has to look.
        (None, "BSD", ["License :: OSI Approved :: BSD License"], ""),
        (None, None, [], ""),
    ],
)
def test_metadata_is_read_only_where_it_names_a_licence_exactly(
    expression: str | None, text: str | None, classifiers: list[str], licence: str
) -> None:
    assert licences.from_metadata(expression, text, classifiers) == licence


def test_what_is_not_installed_here_is_taken_from_the_page_and_else_asked_for() -> None:
    policy = Policy(allowed_licences={})
    asked: list[Locked] = []

    def ask(package: Locked) -> str:
        asked.append(package)
        return "ISC"

    locked = [pin("no-such-package-a", "1"), pin("no-such-package-b", "1"), pin("fastapi", "0")]
    found = licences.collect(locked, policy, {("no-such-package-a", "1"): "MIT-0"}, ask)
    assert list(found.values()) == ["MIT-0", "ISC", "MIT"]
    assert asked == [locked[1]]


def test_what_a_person_stated_counts_more_than_metadata() -> None:
    policy = Policy(
        allowed_licences={}, stated=[Stated(package="fastapi", licence="ISC", reason="for the sake of a test")]
    )
    assert licences.collect([pin("fastapi", "1")], policy, {}) == {("fastapi", "1"): "ISC"}


def test_the_page_reads_back_as_it_was_written() -> None:
    found = {("a", "1.0"): "MIT AND (ISC OR 0BSD)", ("b", "2"): ""}
    assert licences.read_page(licences.page(found)) == found


def test_a_licence_that_is_missing_or_not_accepted_fails_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lock.txt").write_text("no-such-package-a==1\nno-such-package-b==1\nfastapi==1\n")
    (tmp_path / "policy.toml").write_text("[allowed_licences]\nMIT = 'asks to be named'\n")
    known = {("no-such-package-a", "1"): "", ("no-such-package-b", "1"): "AGPL-3.0-only"}
    (tmp_path / "page.md").write_text(licences.page(known))
    options = [("--lock", "lock.txt"), ("--policy", "policy.toml"), ("--page", "page.md")]
    assert main(["licences", *(part for name, file in options for part in (name, str(tmp_path / file)))]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "no-such-package-a 1 names no licence; state it in policy.toml",
        "no-such-package-b 1 is under AGPL-3.0-only, which policy.toml does not allow",
    ]
