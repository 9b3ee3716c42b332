"""What the metadata says of the questions."""

from dataclasses import dataclass
from enum import Enum

from common.errors import Invalid
from models.survey.table import Table

_NAME, _TYPE, _FACTOR = "Question Name", "Type", "Factor"
MAX_QUESTIONS = 500
_SHOWN = 10


class Kind(Enum):
    """What a type means for clustering."""

    CATEGORICAL = "categorical"
    CONTINUOUS = "continuous"
    GPS = "GPS"
    OTHER = "other"


@dataclass(frozen=True)
class Question:
    """One line of the metadata."""

    name: str
    kind: Kind
    type: str


@dataclass(frozen=True)
class Questions:
    """Those of one factor, and those for GPS of the whole survey."""

    chosen: tuple[Question, ...]
    gps: tuple[Question, ...]


def read_questions(metadata: Table, factor: str) -> Questions:
    """The questions of `factor`, without those for GPS.

    Raises
    ------
    Invalid
        A column is missing, the factor is unknown, or a question stands there with two types.
    """
    missing = [name for name in (_NAME, _TYPE, _FACTOR) if name not in metadata.names]
    if missing:
        raise Invalid.field(
            "metadata", f"has no column {', '.join(map(repr, missing))}; send 'Question Name', 'Type' and 'Factor'"
        )
    names, types, factors = ([_text(value) for value in metadata.column(name)] for name in (_NAME, _TYPE, _FACTOR))
    wanted = factor.strip()
    if wanted not in factors or not wanted:
        known = sorted({name for name in factors if name})
        shown = ", ".join(map(repr, known[:_SHOWN])) + (", …" if len(known) > _SHOWN else "")
        raise Invalid.field("factor", f"metadata has no such factor; send one of {shown or '(it has none)'}", factor)
    chosen: dict[str, Question] = {}
    gps: dict[str, Question] = {}
    for at, (name, type_, group) in enumerate(zip(names, types, factors, strict=True)):
        question = Question(name, _kind(type_), type_)
        if question.kind is Kind.GPS and name:
            gps[name] = question
        elif group == wanted:
            if not name:
                raise Invalid.field(f"metadata.{at}", "has no 'Question Name'; name the column of data that it is")
            if chosen.setdefault(name, question).kind is not question.kind:
                raise Invalid.field(f"metadata.{at}", f"{name!r} stands there with two types; send one", type_)
    if len(chosen) > MAX_QUESTIONS:
        raise Invalid.field("factor", f"has {len(chosen)} questions; send at most {MAX_QUESTIONS}", factor)
    return Questions(tuple(chosen.values()), tuple(gps.values()))


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _kind(type_: str) -> Kind:
    plain = type_.casefold()
    if plain.startswith("gps"):
        return Kind.GPS
    return {"categorical": Kind.CATEGORICAL, "continuous": Kind.CONTINUOUS}.get(plain, Kind.OTHER)
