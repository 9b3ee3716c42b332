"""What a check has to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]

_ORDER: tuple[Level, ...] = ("ok", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    check : name of the check, as `atoll doctor --only` takes it.
    level : `error` is what does not work or must not be; `warning` what will surprise somebody.
    what : what was found, in one line.
    why : why it matters; empty where all is well.
    todo : what to do about it; empty where all is well.
    """

    check: str
    level: Level
    what: str
    why: str = ""
    todo: str = ""


def worst(findings: Iterable[Finding]) -> Level:
    """The gravest level among them; `ok` of none."""
    return max((finding.level for finding in findings), key=_ORDER.index, default="ok")
