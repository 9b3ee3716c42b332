"""Tables of figures as Markdown."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.report import NotMeasured


@dataclass
class Table:
    """
    Attributes
    ----------
    notes : sentences below it.
    """

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        self.rows.append(cells)

    def markdown(self) -> str:
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([f"**{self.title}**", text, *self.notes]) + "\n"

    @property
    def missed(self) -> int:
        return sum("MISSED" in cell for row in self.rows for cell in row)


def printed(name: str, measure: Callable[[], Sequence[Table]]) -> int:
    """Print what was measured, or why nothing could be; the exit status."""
    try:
        tables = measure()
    except NotMeasured as exc:
        print(f"{name}: {exc}", file=sys.stderr)
        return 1
    for table in tables:
        print(table.markdown())
    return 0
