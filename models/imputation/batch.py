"""A batch: many targets of one year. Which they are, and the one table of what was found; nothing here does I/O.

A batch is made of parts, one a target. A part is named by everything that it depends on, so whoever asks the same
again finds it, be it the next attempt of a job that was killed or another batch.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from common.errors import Invalid
from common.plugins import code_version
from models._indicators import IndicatorSet
from models.imputation import choices
from models.imputation.definitions import BatchRequest
from models.imputation.spec import Spec

COLUMNS = ("country", "indicator", "year", "value", "lower", "upper", "caveats")
DEFAULT_PREDICTORS = 10

_NAMED = 20


@dataclass(frozen=True)
class Plan:
    """What a batch is to do.

    Attributes:
        questions: by indicator code, in the order of the codes.
        skipped: (code, reason) of targets for which there is nothing to compute.
    """

    year: int
    questions: tuple[tuple[str, Spec], ...]
    skipped: tuple[tuple[str, str], ...]


class Row(BaseModel):
    """A value that was filled; caveats are codes."""

    country: str
    value: float
    lower: float
    upper: float
    caveats: list[str]


class Part(BaseModel):
    """What became of one target: rows, or the reason why there are none; `lasts`: it would be the same again."""

    target: str
    rows: list[Row] = []
    rmse: float | None = None
    model: str | None = None
    reason: str | None = None
    lasts: bool = Field(True, exclude=True)


def plan(data: IndicatorSet, body: BatchRequest) -> Plan:
    """The questions of a batch; milliseconds.

    Raises
    ------
    Invalid
        A field names something that the data set does not have, or there is nothing to fill.
    """
    year = choices.check_year(data, str(body.target_year))
    if body.dataset is not None:
        choices.check_dataset(data, year, body.dataset)
    can = choices.of_year(data, year)
    if body.number_predictor is not None and body.number_predictor > len(can.predictors):
        raise Invalid.field(
            "number_predictor",
            f"there are {len(can.predictors)} predictors in {year}; ask for fewer, or leave it out",
            body.number_predictor,
        )
    named = can.targets if body.targets is None else _named(data, body.targets)
    wanted = [at for at in sorted(named) if body.dataset in (None, data.dataset_codes[at])]
    if body.category is not None:
        chosen = [at for at in wanted if data.categories[at] == body.category]
        if not chosen:
            raise _no_category(data, year, body, wanted)
        wanted = chosen
    asked: list[tuple[str, Spec]] = []
    skipped: list[tuple[str, str]] = []
    for at in wanted:
        usable = len(can.predictors - {at})
        reason = _reason(data, year, at, can, usable)
        if reason is None:
            asked.append((data.indicators[at], _spec(body, year, at, usable)))
        else:
            skipped.append((data.indicators[at], reason))
    if not asked:
        field = "targets" if body.targets is not None else "target_year"
        why = f" ({skipped[0][0]}: {skipped[0][1]})" if skipped else ""
        told = f"GET targets?target_year={year}&dataset={body.dataset or '…'} lists the targets"
        raise Invalid.field(field, f"there is nothing to fill in {year}{why}; {told}", getattr(body, field))
    return Plan(year, tuple(asked), tuple(skipped))


def part_key(data: IndicatorSet, spec: Spec) -> str:
    """SHA-256 (hex) of everything that a part depends on: data, question, code, and the libraries that do the sums."""
    digest = hashlib.sha256()
    for item in (code_version("models.imputation", "models._indicators"), *_libraries(), data.digest, repr(spec)):
        digest.update(f"{len(item)}:{item}".encode())
    return digest.hexdigest()


def part_of(target: str, answer: dict[str, Any]) -> Part:
    """A part from the answer to `predict`."""
    found = answer["prediction"]
    general = {caveat["code"] for caveat in answer["caveats"] if caveat["country"] is None}
    single = {(caveat["country"], caveat["code"]) for caveat in answer["caveats"]}
    rows = [
        Row(
            country=country,
            value=value,
            lower=lower,
            upper=upper,
            caveats=sorted(general | {code for other, code in single if other == country}),
        )
        for country, value, lower, upper in zip(
            found["Country Code"], found["prediction"], found["lower"], found["upper"], strict=True
        )
    ]
    return Part(
        target=target, rows=sorted(rows, key=lambda row: row.country), rmse=answer["rmse"], model=answer["model"]
    )


def table(year: int, parts: Iterable[Part]) -> bytes:
    """The tidy table as CSV: a line a value, in the order of the parts, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part in parts:
        for row in part.rows:
            # repr is the shortest text that reads back as the same number, on every machine.
            ends = [repr(number) for number in (row.value, row.lower, row.upper)]
            writer.writerow([row.country, part.target, year, *ends, ";".join(row.caveats)])
    return text.getvalue().encode()


def _named(data: IndicatorSet, targets: Sequence[str]) -> frozenset[int]:
    unknown = sorted({code for code in targets if code not in data.indicator_index})
    if unknown:
        raise Invalid.field(
            "targets", f"no such indicators: {', '.join(unknown[:5])}; GET targets lists them", unknown[:_NAMED]
        )
    return frozenset(data.indicator_index[code] for code in targets)


def _no_category(data: IndicatorSet, year: int, body: BatchRequest, wanted: Sequence[int]) -> Invalid:
    found = sorted({data.categories[at] for at in wanted} - {""})
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    # Their names may hold commas.
    told = f"there are {'; '.join(found[:_NAMED])}{more}" if found else "none of these targets has one"
    return Invalid.field("category", f"no such category among the targets in {year}; {told}", body.category)


def _reason(data: IndicatorSet, year: int, at: int, can: choices.YearChoices, usable: int) -> str | None:
    """Why a target needs no computing, or cannot have any."""
    if at not in can.targets:
        return f"missing in no country, or in too many, in {year}"
    if not np.isnan(data.year(year)[data.sids, at]).any():
        return "no small island state misses it"
    return None if usable else f"there are no predictors in {year}"


def _spec(body: BatchRequest, year: int, target: int, usable: int) -> Spec:
    return Spec(
        target=target,
        year=year,
        interpolator=body.interpolator,
        scheme=body.scheme,
        # A target may be a predictor itself, and leave one fewer.
        number_predictor=min(body.number_predictor or DEFAULT_PREDICTORS, usable),
        estimators=body.estimators,
        model=body.model,
        interval=body.interval,
        use_history=body.use_history,
    )


@lru_cache(maxsize=1)
def _libraries() -> tuple[str, ...]:
    return tuple(f"{name} {version(name)}" for name in ("numpy", "scikit-learn", "scipy"))
