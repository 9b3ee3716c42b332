"""The audit: findings against what is ignored for a reason, and the report."""

import dataclasses
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deployment.supply.advisories import Finding
from deployment.supply.policy import Ignored

STALE_AFTER = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Report:
    """`open` fails the audit. `notes` are about the audit itself: entries that expired or are needed no more."""

    open: tuple[Finding, ...]
    ignored: tuple[tuple[Finding, Ignored], ...]
    notes: tuple[str, ...]
    source: str
    packages: int

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "packages": self.packages,
            "open": [dataclasses.asdict(finding) for finding in self.open],
            "ignored": [
                dataclasses.asdict(finding) | {"reason": entry.reason, "until": entry.until.isoformat()}
                for finding, entry in self.ignored
            ],
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        lines = [_line(finding) for finding in self.open]
        lines += [
            f"{_line(finding)}\n    ignored until {entry.until}: {entry.reason}" for finding, entry in self.ignored
        ]
        lines += [f"note: {note}" for note in self.notes]
        lines.append(
            f"{self.packages} pins checked against {self.source}: "
            f"known vulnerabilities: {len(self.open)}, ignored: {len(self.ignored)}"
        )
        return "\n".join(lines)


def judge(
    findings: Iterable[Finding], ignored: Iterable[Ignored], *, today: dt.date, source: str, packages: int
) -> Report:
    """Sorts findings into open and ignored. An entry counts up to and with its last day."""
    remaining: list[Finding] = []
    passed: list[tuple[Finding, Ignored]] = []
    notes: list[str] = []
    entries = list(ignored)
    used: set[str] = set()
    for finding in findings:
        entry = next((entry for entry in entries if entry.id in finding.ids), None)
        if entry is None:
            remaining.append(finding)
            continue
        used.add(entry.id)
        if entry.until < today:
            remaining.append(finding)
            notes.append(f"{entry.id} was ignored until {entry.until}; decide anew")
        else:
            passed.append((finding, entry))
    notes += [f"{entry.id} is ignored but was not found; remove it" for entry in entries if entry.id not in used]
    return Report(tuple(remaining), tuple(passed), tuple(dict.fromkeys(notes)), source, packages)


def age_note(newest: str, today: dt.date) -> str | None:
    """A word on a copy of the advisories that is old; `newest` is ISO 8601, "" where unknown."""
    try:
        age = today - dt.datetime.fromisoformat(newest).date()
    except ValueError:
        return "the advisories do not say when they were changed; fetch them anew"
    return f"the newest advisory is {age.days} days old; fetch them anew" if age > STALE_AFTER else None


def _line(finding: Finding) -> str:
    fixed = f"fixed in {', '.join(finding.fixed_in)}" if finding.fixed_in else "not fixed yet"
    aliases = f" ({', '.join(finding.aliases)})" if finding.aliases else ""
    return f"{finding.package} {finding.version}: {finding.id}{aliases}, {fixed}: {finding.summary}"
