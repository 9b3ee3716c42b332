"""Which fault comes when: drawn from a seed. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

# Who is killed, and how often relative to the others.
KILLS = {
    "worker": 24,
    "worker's child": 20,
    "worker and children": 14,
    "host": 9,
    "host and children": 5,
    "everything": 4,
    "at a commit": 24,
}
# Every kill is followed by a pause of this, in seconds: the shortest leave no time to recover.
_PAUSES_S = (0.2, 4.0)


@dataclass(frozen=True)
class Step:
    """One kill, and the fault that begins beside it, if one does.

    Parameters
    ----------
    pause_s : before the kill.
    """

    kill: str
    pause_s: float
    fault: str | None = None


def plan(kills: int, faults: Sequence[str], rng: random.Random, every: int = 4) -> list[Step]:
    """So many kills, with another fault beside every fourth; all faults in turn, in an order that is drawn anew."""
    steps = []
    turn: list[str] = []
    for number in range(kills):
        fault = None
        if faults and number % every == every // 2:
            if not turn:
                turn = rng.sample(list(faults), len(faults))
            fault = turn.pop()
        kill = rng.choices(list(KILLS), list(KILLS.values()))[0]
        steps.append(Step(kill, rng.uniform(*_PAUSES_S), fault))
    return steps
