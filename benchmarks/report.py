"""Figures, their reaches, and the tables they are shown in."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["PASS", "MISS", ""]

_TIMING_HEAD = ("data", "what", "n", "median", "p95", "max", "CPU each", "reach", "before", "verdict")
_FACT_HEAD = ("data", "what", "measured", "reach", "before", "verdict")
# Of its CPU that a server alone on it should get while it answers; less means that others were at work.
_QUIET_SHARE = 0.85


class NotMeasured(Exception):
    """A measurement could not be made; the message says why."""


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank, so that it is a value that occurred: of ten values, p95 is the largest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Reach:
    """What a figure has to attain; `aim` is what we would like, and does not decide."""

    limit: float
    statistic: Literal["median", "p95", "max", "value"] = "p95"
    aim: float | None = None
    at_least: bool = False

    def verdict(self, value: float) -> Verdict:
        attained = value >= self.limit if self.at_least else value <= self.limit
        return "PASS" if attained else "MISS"


@dataclass(frozen=True)
class Timing:
    """Seconds that one kind of thing took, several times.

    Attributes:
        cpu_s: CPU seconds of the server for each; errors: what went wrong instead, cut short.
        alone: one request at a time and nothing else to do, so that the time should be the server's CPU time.
    """

    data: str
    name: str
    title: str
    seconds: tuple[float, ...]
    reach: Reach | None = None
    before: str = ""
    cpu_s: float | None = None
    errors: tuple[str, ...] = ()
    alone: bool = False

    @property
    def statistics(self) -> dict[str, float]:
        if not self.seconds:
            return {}
        return {
            "median": statistics.median(self.seconds),
            "p95": percentile(self.seconds, 0.95),
            "max": max(self.seconds),
        }

    @property
    def verdict(self) -> Verdict:
        if self.errors:
            return "MISS"
        if self.reach is None:
            return ""
        return self.reach.verdict(self.statistics[self.reach.statistic]) if self.seconds else "MISS"


@dataclass(frozen=True)
class Fact:
    """One number; `decimals` is how it is shown."""

    data: str
    name: str
    title: str
    value: float
    unit: str = ""
    reach: Reach | None = None
    before: str = ""
    decimals: int = 0

    @property
    def verdict(self) -> Verdict:
        return "" if self.reach is None else self.reach.verdict(self.value)


@dataclass
class Report:
    machine: dict[str, str]
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def fail(self, what: str, why: Exception) -> None:
        self.failed.append(what)
        self.notes.append(f"Not measured: {what}. {type(why).__name__}: {str(why)[:500]}")
        print(f"  {self.notes[-1]}", flush=True)

    def add(self, *figures: Timing | Fact) -> None:
        for figure in figures:
            if isinstance(figure, Timing):
                self.timings.append(figure)
            else:
                self.facts.append(figure)
            print(f"  {_line(figure)}", flush=True)

    @property
    def missed(self) -> list[str]:
        figures: list[Timing | Fact] = [*self.timings, *self.facts]
        missed = [f"{figure.data} {figure.name}" for figure in figures if figure.verdict == "MISS"]
        return missed + self.failed

    @property
    def contention(self) -> list[str]:
        """What to tell if other programs took the server's CPU."""
        rows = [row for row in self.timings if row.alone and row.seconds]
        wall_s = sum(sum(row.seconds) for row in rows)
        used_s = sum((row.cpu_s or 0.0) * len(row.seconds) for row in rows)
        if not rows or used_s > _QUIET_SHARE * wall_s:
            return []
        return [
            f"Not a quiet machine: the server had its CPU for {used_s / wall_s:.0%} of the time that requests took. "
            "The column CPU each is what they cost."
        ]

    def as_json(self) -> dict[str, Any]:
        timings = [asdict(row) | {"verdict": row.verdict, **row.statistics} for row in self.timings]
        facts = [asdict(row) | {"verdict": row.verdict} for row in self.facts]
        return {"machine": self.machine, "notes": [*self.notes, *self.contention], "timings": timings, "facts": facts}

    def markdown(self) -> str:
        parts = ["\n".join(f"- {name}: {text}" for name, text in self.machine.items())]
        parts += [f"> {note}" for note in (*self.notes, *self.contention)]
        if self.timings:
            rows = [_timing_cells(row) for row in self.timings]
            parts.append(_table(_TIMING_HEAD, rows, numbers=range(2, 7)))
        if self.facts:
            parts.append(_table(_FACT_HEAD, [_fact_cells(row) for row in self.facts], numbers=(2,)))
        wrong = [f"- {row.data} {row.name}: {error}" for row in self.timings for error in row.errors[:3]]
        if wrong:
            parts.append("Errors:\n" + "\n".join(wrong))
        return "\n\n".join(parts) + "\n"


def _line(figure: Timing | Fact) -> str:
    cells = _timing_cells(figure) if isinstance(figure, Timing) else _fact_cells(figure)
    return "  ".join(cell for cell in cells if cell)


def _timing_cells(row: Timing) -> list[str]:
    found = row.statistics
    shown = [duration(found[name]) if found else "" for name in ("median", "p95", "max")]
    reach = ""
    if row.reach is not None:
        reach = f"{row.reach.statistic} <= {duration(row.reach.limit)}"
        reach += f" (aim {duration(row.reach.aim)})" if row.reach.aim is not None else ""
    count = str(len(row.seconds)) + (f" + {len(row.errors)} errors" if row.errors else "")
    cpu = "" if row.cpu_s is None else duration(row.cpu_s)
    return [row.data, row.title, count, *shown, cpu, reach, row.before, row.verdict]


def _fact_cells(row: Fact) -> list[str]:
    def shown(value: float) -> str:
        return f"{value:,.{row.decimals}f} {row.unit}".rstrip()

    reach = f"{'>=' if row.reach.at_least else '<='} {shown(row.reach.limit)}" if row.reach else ""
    return [row.data, row.title, shown(row.value), reach, row.before, row.verdict]


def duration(seconds: float) -> str:
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> str:
    rule = ["--:" if at in numbers else "---" for at in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))
