"""Whether a version is good enough to take another one's place. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from common.errors import Conflict
from common.registry.versions import Version, listed

Direction = Literal["lower", "higher"]


@dataclass(frozen=True)
class Gate:
    """What a version has to reach.

    Parameters
    ----------
    metric : name of a figure that both versions were published with; `folds.mean` is one within another.
    direction : whether the lower or the higher figure is the better one.
    margin : how much better it has to be, at least, in the metric's own unit.
    """

    metric: str
    direction: Direction
    margin: float = 0.0

    def check(self, candidate: Version, current: Version | None) -> tuple[float, float | None]:
        """Both figures, if the candidate's is at least as good; it always is where there is nothing to replace.

        Raises
        ------
        Conflict
            It is not, or a version has no such figure; the detail has both figures.
        """
        new = self._figure(candidate)
        if current is None:
            return new, None
        old = self._figure(current)
        gain = old - new if self.direction == "lower" else new - old
        if gain >= self.margin:
            return new, old
        wanted = f"by {self.margin:g} {self.direction} than" if self.margin else f"{self.direction} than or equal to"
        raise Conflict(
            f"version {candidate.number} has {self.metric} {new:g}, version {current.number} has {old:g}; "
            f"it has to be {wanted} that",
            extra={"metric": self.metric, "direction": self.direction, "candidate": new, "current": old},
        )

    def _figure(self, version: Version) -> float:
        found = figures(version.metrics)
        if self.metric not in found:
            raise Conflict(
                f"version {version.number} of {version.model} was published without a figure {self.metric[:80]!r}; "
                f"it has {listed(sorted(found))}"
            )
        return found[self.metric]


def figures(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """All numbers among the metrics by name; those within others as `folds.mean`."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found |= figures(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[prefix + name] = float(value)
    return found
