"""Requests and answers of the time-series routes."""

from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from common.plugins import BaseDefinition, Whole, param
from models.timeseries.spec import Direction, Method

Code = Annotated[str, Field(max_length=200)]

MAX_ORDER = 50
MAX_TARGETS = 100
MAX_COUNTRIES = 300

_METHOD = "How missing years are filled; `auto` compares the others and structural models on this series."
_DIRECTION = "Fill what follows an observation (forward), what precedes one (backward), or both."
_BOUNDED = "Keep values within what the indicator can take; false leaves what the formula gives."
_ORDER = "Order of the spline or polynomial."


class SeriesRequest(BaseDefinition):
    """An indicator of a country whose missing years are to be filled, and how."""

    target: Code = param(title="Target", description="Indicator to fill, by code.", req_endpoint="targets")
    country: Code = param(title="Country", description="By code.", req_endpoint="countries")
    method: Method = param(Method.auto, title="Method", description=_METHOD)
    direction: Direction = param(Direction.both, title="Direction", description=_DIRECTION)
    d: Whole | None = param(
        None,
        title="Order",
        description=_ORDER,
        required_if=[{"method": Method.spline}, {"method": Method.polynomial}],
        ge=1,
        le=MAX_ORDER,
    )
    bounded: bool = param(True, title="Within bounds", description=_BOUNDED, strict=True)


class Form(Enum):
    """The shape of a panel."""

    rows = "A row for each year"
    series = "A series for each line of a picture"


class PanelRequest(BaseDefinition):
    """Several indicators of several countries, filled at once."""

    targets: Annotated[list[Code], Field(min_length=1, max_length=MAX_TARGETS)] = param(
        title="Targets", description="Indicators, by code.", req_endpoint="targets"
    )
    countries: Annotated[list[Code], Field(min_length=1, max_length=MAX_COUNTRIES)] | None = param(
        None, title="Countries", description="By code; the small island states if left out.", req_endpoint="countries"
    )
    method: Method = param(Method.auto, title="Method", description=_METHOD)
    direction: Direction = param(Direction.both, title="Direction", description=_DIRECTION)
    d: Whole | None = param(
        None,
        title="Order",
        description=_ORDER,
        required_if=[{"method": Method.spline}, {"method": Method.polynomial}],
        ge=1,
        le=MAX_ORDER,
    )
    bounded: bool = param(True, title="Within bounds", description=_BOUNDED, strict=True)
    form: Form = param(Form.rows, title="Form", description="Rows for a table, series for a picture.")


class Split(BaseModel):
    """A series as pandas writes and reads it with `orient="split"`."""

    name: str = Field(description="Country code.")
    index: list[int] = Field(description="Years, all of the data set.")
    data: list[float | None] = Field(description="Observed and filled values; null where a year stays empty.")


class Intervals(BaseModel):
    """One entry per filled year."""

    level: float = Field(description="Share of such intervals that hold the truth.")
    index: list[int]
    lower: list[float]
    upper: list[float]


class Comparison(BaseModel):
    """How a method did on years that are known."""

    part: Literal["inside", "ends"] = Field(description="Between observations, or beyond the first or last.")
    method: str
    chosen: bool
    error: float | None = Field(description="Mean absolute error on this series in its units; null: no rehearsal.")
    rehearsals: int = Field(description="Years of this series that it was tried on.")
    others: int = Field(description="Years of other countries' series, with gaps like these, that it was tried on.")
    score: float = Field(description="What decided, the least wins: error of both in units of the expected error.")


class SeriesCaveat(BaseModel):
    """A reason to read the values with care."""

    code: str
    message: str
    years: list[int] = Field(description="Those it holds for; all filled ones where empty.")


class Chosen(BaseModel):
    """The method that filled each part of the series; null where nothing was filled."""

    inside: str | None
    ends: str | None


class SeriesResponse(BaseModel):
    """The series without gaps, how it was filled, and how sure the values are."""

    missing_years: list[int] = Field(description="Years without an observation, ascending.")
    imputed_series: Split
    unfilled_years: list[int] = Field(description="Missing years that the method or direction does not reach.")
    method: Chosen
    intervals: Intervals | None = Field(description="With `auto`, where something was filled.")
    comparison: list[Comparison] = Field(description="With `auto`: what was compared, the best first.")
    caveats: list[SeriesCaveat]


class PanelRow(BaseModel):
    """One indicator of one country in one year."""

    country: str
    indicator: str
    year: int
    value: float | None = Field(description="null where the year stays empty.")
    lower: float | None = Field(description="5% bound of what `auto` filled.")
    upper: float | None
    observed: bool


class PanelSeries(BaseModel):
    """A line of a picture: arrays of equal length, a band where `lower` and `upper` are not null."""

    country: str
    country_name: str
    indicator: str
    indicator_name: str
    unit: str
    method: Chosen
    x: list[int] = Field(description="Years.")
    y: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    observed: list[bool]


class Skipped(BaseModel):
    """A series that was not filled; its observations are in the answer."""

    country: str
    indicator: str
    code: str
    message: str


class PanelResponse(BaseModel):
    """Series by indicator, then country, in the order asked for."""

    rows: list[PanelRow] | None = Field(description="With the form `rows`.")
    series: list[PanelSeries] | None = Field(description="With the form `series`.")
    skipped: list[Skipped]
