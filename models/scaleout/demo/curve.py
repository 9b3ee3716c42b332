"""A what-if curve as text for a terminal. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

# With what stands beside it, a line of 79 columns.
_WIDTH = 48


def lines(answer: Mapping[str, Any], target_s: float | None = None, width: int = _WIDTH) -> list[str]:
    """A line for each scale-out: `├──●───┤` spans 80 % of such runs, with the median in it; `┆` is the target.

    Parameters
    ----------
    answer : of `POST /scaleout/predict`.
    """
    curve: Sequence[Mapping[str, Any]] = answer["curve"]
    if not curve:
        return ["no model can answer from what is known"]
    longest: float = max(max(point["high80_s"] for point in curve), target_s or 0.0)
    chosen = answer["recommendation"]["scale_out"]

    def at(seconds: float) -> int:
        return int(min(width - 1, max(0, round(seconds / longest * (width - 1)))))

    chance = "" if target_s is None else "   met"
    found = [f"{'executors':>9}  {'median':>8}  0 s{f'{longest:.0f} s':>{width - 3}}{chance}"]
    for point in curve:
        row = [" "] * width
        for place in range(at(point["low80_s"]), at(point["high80_s"]) + 1):
            row[place] = "─"
        row[at(point["low80_s"])], row[at(point["high80_s"])] = "├", "┤"
        if target_s is not None and row[at(target_s)] == " ":
            row[at(target_s)] = "┆"
        row[at(point["median_s"])] = "●"
        mark = "  <-" if point["scale_out"] == chosen else ""
        met = "" if point.get("probability") is None else f"  {share(point['probability']):>4}"
        found.append(f"{point['scale_out']:>9}  {point['median_s']:>6.1f} s  {''.join(row)}{met}{mark}")
    return found


def recommendation(answer: Mapping[str, Any], target_s: float | None) -> str:
    """The recommendation in one sentence."""
    chosen = answer["recommendation"]
    count = chosen["scale_out"]
    told = f"Take {count} executor{'' if count == 1 else 's'}"
    if target_s is not None and chosen.get("probability") is not None:
        told += f": done in {target_s:.0f} s with a probability of {share(chosen['probability'])}"
    if chosen.get("executor_minutes") is not None:
        told += f", for {chosen['executor_minutes']:.2f} executor-minutes"
    return f"{told}. ({chosen['why']}; {answer['model']}, {answer['runs']} runs)"


def share(probability: float) -> str:
    """In whole percent, rounded down: 89.6 % is not yet 90 %."""
    return f"{int(100 * probability + 1e-9)}%"
