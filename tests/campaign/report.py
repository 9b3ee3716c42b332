"""The campaign's findings, as a table for the terminal and as Markdown for the docs."""

import math
import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from tests.campaign.run import Outcome


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of `values`, which are sorted, that is not below `share` of them; NaN of none."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    """What happened, line by line."""
    return [
        ("kills (SIGKILL)", f"{outcome.kills.total()}: {_listed(_grouped(outcome.kills))}"),
        ("other faults", f"{outcome.faults.total()}: {_listed(outcome.faults)}" if outcome.faults else "none"),
        ("jobs accepted", f"{outcome.kinds.total()}: {_listed(outcome.kinds)}"),
        ("their ends", f"{_listed(outcome.states)} (helpers of searches included)"),
        ("attempts", f"{outcome.outcomes.total()}: {_listed(outcome.outcomes)}"),
        ("noticed after a kill", _distribution(outcome.noticed_s)),
        ("running again after a kill", _distribution(outcome.recovery_s)),
        ("took", f"{outcome.took_s / 60:.1f} min, {outcome.restarts} processes started anew"),
    ]


def verdict(outcome: Outcome) -> list[tuple[str, int]]:
    """How often each promise was broken."""
    return [(promise, len(found)) for promise, found in outcome.violations.items()]


def table(outcome: Outcome) -> Table:
    """For the terminal."""
    made = Table(title=f"{outcome.backend}, seed {outcome.options.seed}", show_header=False)
    for name, text in rows(outcome):
        made.add_row(name, text)
    made.add_section()
    for promise, count in verdict(outcome):
        made.add_row(promise, f"[{'red' if count else 'green'}]{count}")
    return made


def markdown(outcomes: Sequence[Outcome]) -> str:
    """For a file: the settings, what happened, and the verdict of each backend side by side."""
    names = [outcome.backend for outcome in outcomes]
    head = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    happened = [_row(cells) for cells in zip(*(rows(outcome) for outcome in outcomes), strict=True)]
    counted = [
        _row([(name, f"**{count}**") for name, count in cells])
        for cells in zip(*(verdict(outcome) for outcome in outcomes), strict=True)
    ]
    first = outcomes[0].options
    lines = [
        f"Run on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}, seed {first.seed}, {first.workers} workers and "
        f"one host.",
        "",
        "Settings: " + (", ".join(f"`{name}={value}`" for name, value in first.settings.items())) + ".",
        "",
        *head,
        *happened,
        *counted,
    ]
    for outcome in outcomes:
        lines += ["", *(f"{outcome.backend}: not tried: {text}" for text in outcome.skipped)]
        for promise, found in outcome.violations.items():
            lines += [f"- {outcome.backend}, {promise}: {text}" for text in found[:20]]
    return "\n".join(lines).rstrip() + "\n"


def machine() -> str:
    """Processor, cores, system and Python, as the docs name them."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    name = names[0] if info.exists() and names else platform.processor()
    return f"{os.cpu_count()} cores of {name}, {platform.system()}, Python {platform.python_version()}"


def _row(cells: Sequence[tuple[str, str]]) -> str:
    return f"| {cells[0][0]} | " + " | ".join(text for _, text in cells) + " |"


def _distribution(values: Sequence[float]) -> str:
    if not values:
        return "no job was running in a process that was killed"
    named = [("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("longest", 1.0)]
    shown = ", ".join(f"{name} {quantile(values, share):.1f} s" for name, share in named)
    return f"{len(values)} jobs: {shown}"


def _grouped(kills: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in kills.items():
        found["at a commit" if name.startswith("at a commit") else name] += count
    return found


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common())
