"""The findings, as Markdown for the terminal and the docs."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.campaign.report import machine
from tests.campaign_registry.run import Outcome


def markdown(outcomes: Sequence[Outcome]) -> str:
    """What was done and what was found, the databases side by side."""
    lines = [
        f"Run on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}, seed {outcomes[0].seed}.",
        "",
        "| | " + " | ".join(outcome.backend for outcome in outcomes) + " |",
        "|---|" + "---|" * len(outcomes),
        _row("kills (SIGKILL)", [str(outcome.kills) for outcome in outcomes]),
        _row("killed in the middle of", [_listed(outcome.killed_in) for outcome in outcomes]),
        _row("by their own mines", [_listed(outcome.places) for outcome in outcomes]),
        _row("deeds", [f"{outcome.deeds.total()}: {_listed(outcome.deeds)}" for outcome in outcomes]),
        _row("of them refused", [str(outcome.refused) for outcome in outcomes]),
        _row("took", [f"{outcome.took_s / 60:.1f} min" for outcome in outcomes]),
    ]
    lines += [
        _row(promise, [f"**{len(outcome.violations[promise])}**" for outcome in outcomes])
        for promise in outcomes[0].violations
    ]
    for outcome in outcomes:
        for promise, texts in outcome.violations.items():
            lines += [f"- {outcome.backend}, {promise}: {text}" for text in texts[:20]]
    return "\n".join(lines) + "\n"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common()) or "none"
