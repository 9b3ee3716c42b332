import re
from pathlib import Path

import pytest

from deployment.supply.__main__ import CHECKOUT
from deployment.supply.lock import Unreadable, parse_lock, read_lock

LOCKS = ("requirements.txt", "requirements-dev.txt")
TEXT = """# written by a tool
some.Package==2.0 ; python_full_version >= '3.13' \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via
    #   -c requirements.txt
    #   Other_One
    #   atoll (pyproject.toml)
other-one==1.0 \\
    --hash=sha256:{a}
    # via atoll (pyproject.toml)
""".format(a="a" * 64, b="b" * 64)


def test_a_pin_is_read_with_its_marker_its_hashes_and_who_wanted_it() -> None:
    first, second = parse_lock(TEXT, "here")
    assert (first.name, first.version, first.marker) == ("some-package", "2.0", 'python_full_version >= "3.13"')
    assert first.hashes == ("a" * 64, "b" * 64)
    assert first.wanted_by == ("other-one", "atoll")
    assert (second.name, second.marker, second.wanted_by) == ("other-one", "", ("atoll",))


@pytest.mark.parametrize(
    "line", ["some-package>=2", "some-package", "some-package==2.0,!=2.0.1", "../a/folder", "-e ."]
)
def test_what_is_not_pinned_is_refused(line: str) -> None:
    with pytest.raises(Unreadable, match="here"):
        list(parse_lock(line, "here"))


def test_an_empty_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("# nothing\n")
    with pytest.raises(Unreadable, match="pins nothing"):
        read_lock(tmp_path / "lock.txt")


@pytest.mark.parametrize("name", LOCKS)
def test_each_pin_of_this_project_has_the_hashes_of_its_files(name: str) -> None:
    assert [package.name for package in read_lock(CHECKOUT / name) if not package.hashes] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_says_where_packages_come_from(name: str) -> None:
    # Each installation has an index of its own; one in the file would overrule it.
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert re.findall(r"https?:|file:|^--?(?:i|f|index-url|extra-index-url|find-links)\b", text, re.MULTILINE) == []


def test_what_is_developed_with_is_what_is_deployed() -> None:
    deployed, developed = (
        {(p.name, p.version, p.marker, p.hashes) for p in read_lock(CHECKOUT / name)} for name in LOCKS
    )
    # What development needs everywhere may be deployed on some systems only.
    anywhere = {(name, version, hashes) for name, version, marker, hashes in developed if not marker}
    missing = {one for one in deployed - developed if (one[0], one[1], one[3]) not in anywhere}
    assert sorted(missing) == []


def test_everything_in_the_lock_is_wanted_by_something_in_it() -> None:
    locked = read_lock(CHECKOUT / "requirements.txt")
    known = {package.name for package in locked} | {"atoll"}
    assert [package.name for package in locked if not package.wanted_by or not set(package.wanted_by) <= known] == []
