"""The fenced blocks of Markdown pages."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.support.markdown import DOCS

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, what it is written in, and its text without the indentation of the fence."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> dict[str, Path]:
    """README and all pages of the docs, by name."""
    return {path.name: path for path in (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))}


def blocks_in(text: str, page: str = "") -> list[Block]:
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[2], textwrap.dedent(found[3]))
        for found in _FENCE.finditer(text)
    ]


def blocks(*languages: str) -> list[Block]:
    """Those of all pages that are written in one of the languages."""
    every = [block for name, path in pages().items() for block in blocks_in(path.read_text(encoding="utf-8"), name)]
    return [block for block in every if block.language in languages]
