"""What the two sides of a training on a cluster tell each other: an order, lines while it runs, an account at its end.

Lines go through the task's log, the only thing that every kind of cluster shows of a task under way; an order and an
account are files. Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

# Files among the task's inputs, and in its output folder.
ORDER, REQUEST, CHECKPOINT = "order.json", "request.json", "checkpoint"
ACCOUNT, ARTEFACTS, JOURNAL, METRICS = "training.json", "artefacts", "study.jsonl", "metrics.json"

# What begins a line of the log that is meant for Atoll, not for people.
_MARK = b"::atoll:: "
# A log without line breaks must not take all memory.
_LINE_BYTES = 64 << 10


@dataclass(frozen=True)
class Order:
    """What is to be trained.

    Parameters
    ----------
    job : id of the training's job, which is also its study's name.
    code_version : of the plugin's code where the job was accepted.
    """

    model: str
    job: str
    code_version: str

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def read(cls, content: bytes) -> "Order":
        found = orjson.loads(content)
        return cls(found["model"], found["job"], found["code_version"])


@dataclass(frozen=True)
class Made:
    """An artefact in the output folder: `<ARTEFACTS>/<name>`."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Account:
    """What a training has come to.

    Parameters
    ----------
    published : the arguments of `TrainContext.publish`, but for the artefacts; None if it publishes nothing.
    searched : `TrainContext.searched`.
    code_version : of the code that trained.
    """

    artefacts: tuple[Made, ...]
    published: Mapping[str, Any] | None
    searched: Mapping[str, Any]
    code_version: str

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self), default=str, option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def read(cls, content: bytes) -> "Account":
        """
        Raises
        ------
        ValueError
            It is none.
        """
        try:
            found = orjson.loads(content)
            made = tuple(Made(one["name"], one["sha256"], one["size_bytes"]) for one in found["artefacts"])
            return cls(made, found["published"], found["searched"], found["code_version"])
        except (KeyError, TypeError, orjson.JSONDecodeError) as exc:
            raise ValueError(f"no account of a training: {exc}") from None


@dataclass(frozen=True)
class Progressed:
    """How far it is."""

    fraction: float | None
    message: str | None
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """A line of the log."""

    text: str
    level: str = "info"


@dataclass(frozen=True)
class Gone:
    """It went wrong; `refused` if trying again would not help."""

    text: str
    refused: bool


Told = Progressed | Said | Gone
_KINDS: Mapping[str, type[Progressed | Said | Gone]] = {"progress": Progressed, "log": Said, "failure": Gone}


def line_of(told: Told) -> bytes:
    """As one line of the log, with its end."""
    kind = next(name for name, type_ in _KINDS.items() if type_ is type(told))
    return _MARK + orjson.dumps({kind: asdict(told)}, default=str) + b"\n"


class Lines:
    """Reads what was told from pieces of a log, as they come.

    Attributes
    ----------
    read_bytes : of the log, taken in so far.
    """

    def __init__(self, read_bytes: int = 0) -> None:
        self.read_bytes = read_bytes
        self._begun = b""

    @property
    def told_bytes(self) -> int:
        """Of the log, as far as its lines were told."""
        return self.read_bytes - len(self._begun)

    def feed(self, content: bytes) -> Iterator[Told]:
        self.read_bytes += len(content)
        *lines, self._begun = (self._begun + content).split(b"\n")
        if len(self._begun) > _LINE_BYTES:
            lines, self._begun = [*lines, self._begun], b""
        for line in lines:
            if line.strip():
                yield told_by(line)

    def end(self) -> Iterator[Told]:
        """What a last line without an end says."""
        left, self._begun = self._begun, b""
        if left.strip():
            yield told_by(left)


def told_by(line: bytes) -> Told:
    """What a line of the log says. A program's own output is a line for people, whatever it looks like."""
    if line.startswith(_MARK):
        try:
            ((kind, fields),) = orjson.loads(line[len(_MARK) :]).items()
            return _KINDS[kind](**fields)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
            pass
    return Said(line.decode("utf-8", "replace").rstrip("\r"))


def named(folder: Path, name: str) -> Path:
    """The file of an artefact in the output folder."""
    return folder / ARTEFACTS / name
