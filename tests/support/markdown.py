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
    return set(_NAME.findall(re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)))


def assert_same(listed: list[str], expected: set[str], where: str) -> None:
    """Each name once, none missing, none too many."""
    twice = sorted({name for name in listed if listed.count(name) > 1})
    missing, unknown = sorted(expected - set(listed)), sorted(set(listed) - expected)
    if twice or missing or unknown:
        pytest.fail(f"{where}: missing {missing}, unknown {unknown}, twice {twice}")
