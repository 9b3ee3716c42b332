"""What processes say before and after each thing they do: lines of a file, which a kill does not take away."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Ledger:
    """Adds lines to a file that all processes share; each line is one write, so none is torn."""

    def __init__(self, file: Path) -> None:
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, **told: Any) -> None:
        os.write(self._handle, json.dumps(told).encode() + b"\n")


@dataclass
class Deed:
    """Something that a process set out to do.

    Parameters
    ----------
    result : what it was told in the end; None where it was killed before, or refused.
    place : where its process killed itself, if it did.
    began, ended : numbers of lines.
    """

    id: str
    verb: str
    wanted: dict[str, Any]
    result: dict[str, Any] | None = None
    refused: bool = False
    place: str | None = None
    began: int = 0
    ended: int | None = None

    @property
    def is_open(self) -> bool:
        """Nobody knows whether it was done."""
        return self.result is None and not self.refused


@dataclass
class Told:
    """All that was said."""

    deeds: dict[str, Deed] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> "Told":
        told = cls()
        for number, line in enumerate(file.read_text().splitlines() if file.exists() else ()):
            entry = json.loads(line)
            if entry["what"] == "begin":
                told.deeds[entry["id"]] = Deed(entry["id"], entry["verb"], entry["wanted"], began=number)
                continue
            deed = told.deeds[entry["id"]]
            deed.ended = number
            match entry["what"]:
                case "done":
                    deed.result = entry["result"]
                case "refused":
                    deed.refused = True
                case "killed":
                    deed.place = entry["place"]
        return told

    def of(self, verb: str) -> list[Deed]:
        return [deed for deed in self.deeds.values() if deed.verb == verb]
