"""What the parts of the benchmark share."""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import Fact, Reach, Report, Verdict
from benchmarks.sentiment.client import write_bodies
from benchmarks.sentiment.image import Image
from benchmarks.sentiment.model import Texts


@dataclass
class Table:
    """A table of the report: what is no single figure."""

    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    note: str = ""

    def markdown(self) -> str:
        rule = ["---", *["--:"] * (len(self.head) - 1)]
        lines = "\n".join("| " + " | ".join(cells) + " |" for cells in (self.head, rule, *self.rows))
        return f"{self.title}\n\n{lines}\n" + (f"\n{self.note}\n" if self.note else "")


@dataclass
class Bench:
    """Of one run.

    Attributes
    ----------
    python : interpreter that has the peer's packages; None where they cannot be installed.
    details : figures that are not in the tables, for the JSON.
    """

    report: Report
    quick: bool
    scratch: Path
    image: Image
    checkpoint: Path
    python: str | None = None
    tables: list[Table] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    _seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def add(
        self, data: str, name: str, title: str, value: float, unit: str, reach: Reach | None = None, decimals: int = 0
    ) -> None:
        # A quick run is too short to judge by.
        self.report.add(Fact(data, name, title, value, unit, None if self.quick else reach, "", decimals))

    def texts(self) -> Texts:
        """Another source of texts each time: none of them was asked for before."""
        return Texts(next(self._seeds))

    def bodies(self, requests: Sequence[list[str]]) -> Path:
        return write_bodies(self.scratch / f"bodies-{next(self._seeds)}", requests)

    def table(self, table: Table) -> None:
        self.tables.append(table)
        print(f"\n{table.markdown()}", flush=True)

    def markdown(self) -> str:
        told = {"PASS": "attained", "MISS": "missed"}
        verdicts = [f"- {told[row.verdict]}: {_line(row)}" for row in self.report.facts if row.verdict]
        failed = [f"- not measured: {what}" for what in self.report.failed]
        return "\n".join([self.report.markdown(), *(table.markdown() for table in self.tables), *verdicts, *failed, ""])

    def details_as_json(self) -> dict[str, Any]:
        """What there is beside the report."""
        tables = [{"title": table.title, "head": table.head, "rows": table.rows} for table in self.tables]
        return {"tables": tables, "details": self.details}


def _line(row: Fact) -> str:
    assert row.reach is not None
    sign = ">=" if row.reach.at_least else "<="
    return f"{row.data}: {row.title}: {row.value:,.{row.decimals}f} {row.unit} ({sign} {row.reach.limit:,g})".strip()


def pss_bytes(processes: Sequence[psutil.Process]) -> list[int]:
    """Proportional set sizes: pages that several processes have count in parts."""
    return [process.memory_full_info().pss for process in processes]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def told(verdict: Verdict) -> str:
    return {"PASS": "attained", "MISS": "missed", "": ""}[verdict]
