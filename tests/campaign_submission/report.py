"""The findings, as Markdown for the terminal and the docs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.campaign.report import machine
from tests.campaign_submission.run import Outcome


def markdown(outcomes: Sequence[Outcome]) -> str:
    """What was done and what was found, the clusters side by side."""
    lines = [
        f"Run on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine()}, seed {outcomes[0].seed}.",
        "",
        "| | " + " | ".join(outcome.cluster for outcome in outcomes) + " |",
        "|---|" + "---|" * len(outcomes),
        _row("kills of Atoll (SIGKILL)", [str(outcome.kills) for outcome in outcomes]),
        _row("of them at a chosen step", [str(outcome.kills - outcome.steps["at any time"]) for outcome in outcomes]),
        _row("different steps", [str(len(outcome.steps.keys() - {"at any time"})) for outcome in outcomes]),
        _row("tasks accepted", [str(outcome.accepted) for outcome in outcomes]),
        _row("of them cancelled", [str(outcome.cancelled) for outcome in outcomes]),
        _row("runs of programs", [str(outcome.runs) for outcome in outcomes]),
        _row("all at rest after the last kill", [f"{outcome.settled_s:.0f} s" for outcome in outcomes]),
        _row("took", [f"{outcome.took_s / 60:.1f} min" for outcome in outcomes]),
    ]
    lines += [
        _row(promise, [f"**{len(outcome.violations[promise])}**" for outcome in outcomes])
        for promise in outcomes[0].violations
    ]
    for outcome in outcomes:
        lines.append("")
        steps = ", ".join(f"{name} {count}" for name, count in sorted(outcome.steps.items()))
        lines.append(f"Killed, on {outcome.cluster}: {steps}.")
        for promise, texts in outcome.violations.items():
            lines += [f"- {outcome.cluster}, {promise}: {text}" for text in texts[:20]]
    return "\n".join(lines) + "\n"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"
