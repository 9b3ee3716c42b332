"""What was measured, cell by cell, and what it says: nothing here but arithmetic."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.report import Fact, Reach
from benchmarks.serving.contestants import ATOLL, ATOLL_DEFAULT, ATOLL_HIT, BARE, BARE_DEFAULT

# Atoll's CPU for a request, by that of bare FastAPI.
MOST = 1.25
FOREST, FOREST_LEAST = "forest", 10.0
_HEAD = ("model", "c", "server", "req/s", "p50", "p99", "CPU a request", "to FastAPI", "PSS")


@dataclass(frozen=True)
class Cell:
    """A model under so many connections."""

    model: str
    connections: int

    def __str__(self) -> str:
        return f"{self.model}, c={self.connections}"


@dataclass(frozen=True)
class Sample:
    """One run of a contestant: requests a second, latencies, CPU of the server for a request, its memory."""

    rate: float
    p50_s: float
    p99_s: float
    cpu_s: float
    pss_bytes: float


@dataclass
class Cells:
    """All runs, by cell and contestant."""

    runs: dict[tuple[Cell, str], list[Sample]] = field(default_factory=dict)

    def add(self, cell: Cell, name: str, sample: Sample) -> None:
        self.runs.setdefault((cell, name), []).append(sample)

    def median(self, cell: Cell, name: str) -> Sample | None:
        """Of each figure by itself; None where nothing was measured."""
        runs = self.runs.get((cell, name))
        if not runs:
            return None
        return Sample(**{key: statistics.median(asdict(run)[key] for run in runs) for key in asdict(runs[0])})

    def ratio(self, cell: Cell, name: str, base: str) -> float | None:
        """CPU for a request, by that of `base`."""
        of, by = self.median(cell, name), self.median(cell, base)
        return None if of is None or by is None else of.cpu_s / by.cpu_s

    @property
    def cells(self) -> list[Cell]:
        found = {cell for cell, _ in self.runs}
        return sorted(found, key=lambda cell: (cell.model == FOREST, cell.model, cell.connections))

    def names(self, cell: Cell) -> list[str]:
        return [name for known, name in self.runs if known == cell]

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "model": cell.model,
                "connections": cell.connections,
                "server": name,
                "runs": [asdict(run) for run in runs],
            }
            for (cell, name), runs in self.runs.items()
        ]


def judged(cells: Cells, peers: Sequence[str]) -> list[Fact]:
    """What has to be attained, cell by cell."""
    facts = []
    for cell in cells.cells:
        if cell.model == FOREST:
            facts += _forest(cells, cell)
            continue
        for name, base in ((ATOLL, BARE), (ATOLL_HIT, BARE), (ATOLL_DEFAULT, BARE_DEFAULT)):
            ratio = cells.ratio(cell, name, base)
            if ratio is not None:
                title = f"CPU of {name}, by that of {base}"
                facts.append(Fact(str(cell), f"cpu-{_slug(name)}", title, ratio, "", Reach(MOST, "value"), decimals=2))
        for peer in peers:
            ratios = [r for name in (ATOLL, ATOLL_HIT) if (r := cells.ratio(cell, name, peer)) is not None]
            if ratios:
                title = f"CPU of Atoll, the larger of both, by that of {peer}"
                fact = Fact(str(cell), f"cpu-{_slug(peer)}", title, max(ratios), "", Reach(1, "value"), decimals=2)
                facts.append(fact)
    return facts


def _forest(cells: Cells, cell: Cell) -> list[Fact]:
    ratio = cells.ratio(cell, BARE, ATOLL)
    if ratio is None:
        return []
    title = "CPU one by one (FastAPI), by that in batches (Atoll)"
    return [Fact(str(cell), "cpu-batches", title, ratio, "x", Reach(FOREST_LEAST, "value", at_least=True), decimals=1)]


def _slug(name: str) -> str:
    return name.lower().replace(", ", "-").replace(" ", "-")


def verdicts(facts: Sequence[Fact]) -> str:
    """A line for each thing to attain."""
    told = {"PASS": "attained", "MISS": "missed"}
    lines = []
    for fact in facts:
        if fact.reach is not None:
            sign = ">=" if fact.reach.at_least else "<="
            limit = f"{sign} {fact.reach.limit:g}"
            lines.append(f"- {told[fact.verdict]}: {fact.data}: {fact.title}: {fact.value:.2f} ({limit})")
    return "\n".join(lines)


def summary(cells: Cells) -> str:
    """CPU for a request, one row a contestant: the whole in a few lines, for the docs."""
    columns = cells.cells
    names = list(dict.fromkeys(name for cell in columns for name in cells.names(cell)))
    head = ["CPU a request", *(str(cell).replace("_", " ") for cell in columns), "PSS"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    for name in names:
        row = [name]
        for cell in columns:
            found, ratio = cells.median(cell, name), cells.ratio(cell, name, BARE)
            told = "" if ratio is None or name == BARE else f" ({ratio:.2f})"
            row.append("" if found is None else f"{found.cpu_s * 1e6:,.0f} µs{told}")
        most = max(found.pss_bytes for cell in columns if (found := cells.median(cell, name)) is not None)
        lines.append("| " + " | ".join([*row, f"{most / 1e6:.0f} MB"]) + " |")
    return "\n".join(lines) + "\n"


def table(cells: Cells) -> str:
    """Medians, one row a cell and contestant."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---|--:|---|" + "--:|" * (len(_HEAD) - 3)]
    for cell in cells.cells:
        for at, name in enumerate(cells.names(cell)):
            found = cells.median(cell, name)
            assert found is not None
            ratio = cells.ratio(cell, name, BARE)
            what = [cell.model.replace("_", " "), str(cell.connections)] if at == 0 else ["", ""]
            row = [
                *what,
                name,
                f"{found.rate:,.0f}",
                f"{found.p50_s * 1000:.2f} ms",
                f"{found.p99_s * 1000:.2f} ms",
                f"{found.cpu_s * 1e6:,.0f} µs",
                "" if ratio is None else f"{ratio:.2f}",
                f"{found.pss_bytes / 1e6:.0f} MB",
            ]
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"
