"""The part of a survey that is clustered: which rows, which questions, and what was left out."""

from dataclasses import dataclass

import numpy as np

from common.errors import Invalid, TooLarge
from models._clustering import Rows, balance, standardise
from models._clustering.rows import Floats, Ints
from models.survey.answers import Levels, answered, read_levels, read_numbers
from models.survey.questions import Kind, Question, Questions
from models.survey.table import Table

MAX_CELLS = 5_000_000
# More different answers than this are free text or names, not categories.
MAX_LEVELS = 500


@dataclass(frozen=True)
class Caveat:
    """A reason to read the answer with care; `rows` tells how many it concerns."""

    code: str
    message: str
    rows: int | None = None


@dataclass(frozen=True, eq=False)
class Sheet:
    """What is left to cluster.

    Attributes:
        rows: (m,) places in the survey of the rows that are clustered, ascending.
        categorical: question -> levels, of those rows; continuous: question -> (m,) numbers, NaN where not answered.
        scaled: the same as the clustering takes it, questions in the same order.
        left_out: question -> reason.
    """

    rows: Ints
    categorical: dict[str, Levels]
    continuous: dict[str, Floats]
    scaled: Rows
    left_out: dict[str, str]
    caveats: tuple[Caveat, ...]


def lay_out(data: Table, questions: Questions) -> Sheet:
    """Read the questions, and leave out what tells rows not apart.

    Raises
    ------
    Invalid
        No row or no question is left, or an answer cannot be read.
    TooLarge
        There are more than `MAX_CELLS` answers.
    """
    if data.n_rows * len(questions.chosen) > MAX_CELLS:
        raise TooLarge(
            f"{data.n_rows} rows of {len(questions.chosen)} questions are more than {MAX_CELLS} answers; send fewer"
        )
    rows, caveats = _located(data, questions.gps)
    categorical: dict[str, Levels] = {}
    continuous: dict[str, Floats] = {}
    left_out: dict[str, str] = {}
    for question in questions.chosen:
        reason = _read(data, question, rows, categorical, continuous)
        if reason:
            left_out[question.name] = reason
    if not categorical and not continuous:
        told = "; ".join(f"{name!r}: {reason}" for name, reason in list(left_out.items())[:5])
        raise Invalid.field("factor", f"has no question to cluster by; send other answers or another factor ({told})")
    codes = np.array([levels.codes for levels in categorical.values()], np.int64).reshape(-1, len(rows)).T
    numbers = np.array(list(continuous.values()), np.float64).reshape(-1, len(rows)).T
    some = (codes >= 0).any(axis=1) | np.isfinite(numbers).any(axis=1)
    if not some.all():
        silent = int((~some).sum())
        caveats.append(
            Caveat(
                "rows_without_answers", f"Rows that answer none of the questions used have no label: {silent}.", silent
            )
        )
        rows, codes, numbers = rows[some], codes[some], numbers[some]
        categorical = {name: Levels(levels.codes[some], levels.levels) for name, levels in categorical.items()}
        continuous = {name: values[some] for name, values in continuous.items()}
    scaled = _scaled(codes, [len(levels.levels) for levels in categorical.values()], numbers)
    return Sheet(rows, categorical, continuous, scaled, left_out, tuple(caveats))


def _located(data: Table, gps: tuple[Question, ...]) -> tuple[Ints, list[Caveat]]:
    """The rows with GPS, where the survey has questions for it, else all."""
    every = np.arange(data.n_rows)
    absent = [question.name for question in gps if question.name not in data.names]
    if absent:
        message = f"metadata names {', '.join(map(repr, absent[:5]))} for GPS, which data does not have."
        return every, [Caveat("no_gps_in_data", f"{message} No row was left out for it.")]
    located = np.ones(data.n_rows, np.bool_)
    for question in gps:
        located &= answered(data.column(question.name))
    if not located.any():
        names = ", ".join(repr(question.name) for question in gps[:5])
        raise Invalid.field(
            "data", f"no row has GPS ({names}); send where people were asked, or metadata without GPS questions"
        )
    if located.all():
        return every, []
    lost = int((~located).sum())
    message = f"Rows without GPS have no label: {lost}. Send metadata without GPS questions to keep them."
    return every[located], [Caveat("rows_without_gps", message, lost)]


def _read(
    data: Table, question: Question, rows: Ints, categorical: dict[str, Levels], continuous: dict[str, Floats]
) -> str | None:
    """Read a question into one of the two; or tell why it is of no use."""
    if question.kind is Kind.OTHER:
        return f"its type is {question.type[:50]!r}, neither categorical nor continuous"
    if question.name not in data.names:
        return "data has no such column"
    column = data.column(question.name)
    if len(rows) < data.n_rows:
        column = [column[row] for row in rows.tolist()]
    if question.kind is Kind.CONTINUOUS:
        numbers = read_numbers(column, question.name)
        if not np.isfinite(numbers).any():
            return "nobody answered it"
        if not standardise(numbers[:, None])[2][0]:
            return "all answers are the same"
        continuous[question.name] = numbers
        return None
    levels = read_levels(column, question.name)
    n_answers = int((levels.codes >= 0).sum())
    if not n_answers:
        return "nobody answered it"
    if len(levels.levels) == 1:
        return "all answers are the same"
    if len(levels.levels) == n_answers:
        return "every answer is different"
    if len(levels.levels) > MAX_LEVELS:
        return f"it has {len(levels.levels)} different answers; at most {MAX_LEVELS} make categories"
    categorical[question.name] = levels
    return None


def _scaled(codes: Ints, n_levels: list[int], numbers: Floats) -> Rows:
    starts = np.cumsum([0, *n_levels[:-1]]) if n_levels else np.empty(0, np.int64)
    codes = np.where(codes >= 0, codes + starts, -1)
    z, seen, _ = standardise(numbers)
    gamma = balance(codes, sum(n_levels)) if len(n_levels) and z.shape[1] else 1.0
    return Rows(z, seen, codes, starts, sum(n_levels), gamma)
