"""Reading the tables and names of Markdown pages, as far as the tests of the docs need it."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
_NAME = re.compile(r"`([^`]+)`")


def page(name: str) -> str:
    path = DOCS / name
    assert path.is_file(), f"docs/{name} is missing"
    return path.read_text(encoding="utf-8")


def row_names(text: str) -> list[str]:
    """The first backticked name of each table row that begins with one."""
    rows = (line.strip() for line in text.splitlines())
    return [found.group(1) for row in rows if (found := re.match(r"\|\s*`([^`]+)`", row))]


def names(text: str) -> set[str]:
    """All backticked names outside code blocks."""
    return set(_NAME.findall(without_code(text)))


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What follows the `#` of links to the headings, as GitHub makes it of their texts."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?)\s*$", without_code(text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        first = anchor = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        again = 0
        while anchor in found:
            again += 1
            anchor = f"{first}-{again}"
        found.add(anchor)
    return found


def links(text: str) -> list[tuple[str, str]]:
    """Path and anchor of each link within the repository; either may be empty."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(text))
    return [(path, anchor) for path, _, anchor in (t.partition("#") for t in targets if not re.match(r"[a-z]+:", t))]


def assert_same(listed: list[str], expected: set[str], where: str) -> None:
    """Each name once, none missing, none too many."""
    twice = sorted({name for name in listed if listed.count(name) > 1})
    missing, unknown = sorted(expected - set(listed)), sorted(set(listed) - expected)
    if twice or missing or unknown:
        pytest.fail(f"{where}: missing {missing}, unknown {unknown}, twice {twice}")
