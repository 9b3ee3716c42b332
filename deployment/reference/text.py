"""Pieces of Markdown. Pure."""

import re
from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """What may stand in a table: one line, its bars escaped."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def code(text: object) -> str:
    """A word as code; the bar of a union has to be escaped in a table even there."""
    return f"`{str(text).replace('|', chr(92) + '|')}`" if str(text) else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(one) for one in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def anchor(text: str) -> str:
    """What an address can hold."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
