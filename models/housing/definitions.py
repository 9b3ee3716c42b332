"""What is asked of the housing models, and what they answer."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from common.errors import Invalid
from common.plugins import BaseDefinition, param
from models.housing.chosen import Served
from models.housing.features import FEATURES
from models.housing.predictor import Asked, Kind


def _within(name: str, most: float) -> AfterValidator:
    def check(value: float) -> float:
        if not -most <= value <= most:
            raise ValueError(f"Invalid value for {name}")
        return value

    return AfterValidator(check)


def _no_flag(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "Input should be a valid number")
    return value


def _documented(least: float | None = None, most: float | None = None) -> WithJsonSchema:
    # Texts are taken too, as the old clients send them; pydantic documents the number alone.
    bounds = {name: value for name, value in (("minimum", least), ("maximum", most)) if value is not None}
    return WithJsonSchema({"anyOf": [{"type": "number"} | bounds, {"type": "string", "description": "A number."}]})


Number = Annotated[float, BeforeValidator(_no_flag), Field(allow_inf_nan=False)]
Amount = Annotated[Number, Field(ge=0), _documented(0)]
LatitudeDegrees = Annotated[Number, _within("Latitude", 90), _documented(-90, 90)]
LongitudeDegrees = Annotated[Number, _within("Longitude", 180), _documented(-180, 180)]


class House(BaseDefinition):
    """A district: its figures are those of a block group of the census."""

    MedInc: Amount = param(title="Median income", description="In 10,000 dollars.", example=8.3252)
    HouseAge: Amount = param(title="Median age of the houses", description="In years.", example=41.0)
    AveRooms: Amount = param(title="Rooms a household", example=6.98)
    AveBedrms: Amount = param(title="Bedrooms a household", example=1.02)
    Population: Amount = param(title="Population", example=322.0)
    AveOccup: Amount = param(title="Persons a household", example=2.56)
    Latitude: LatitudeDegrees = param(title="Latitude", description="-90 to 90.", example=37.88)
    Longitude: LongitudeDegrees = param(title="Longitude", description="-180 to 180.", example=-122.23)


class Houses(BaseDefinition):
    """Many districts."""

    houses: list[House] = param(title="Houses")


class Explanation(BaseModel):
    """Shapley values: `base` and all contributions add up to the prediction."""

    base: float = Field(description="Mean prediction of other districts.")
    contributions: dict[str, float] = Field(description="By how much each figure moves the prediction.")


class Prediction(BaseModel):
    """A price in 100,000 dollars of 1990."""

    prediction: float
    lower: float | None = Field(None, description="With `interval`: 90 % of such districts lie above.")
    upper: float | None = Field(None, description="With `interval`: 90 % of such districts lie below.")
    explanation: Explanation | None = Field(None, description="With `explain`.")


class Predictions(BaseModel):
    """Prices in the order of the houses."""

    predictions: list[float | Prediction]


class Range(BaseModel):
    """Of one figure, over the districts of the training."""

    least: float
    low: float = Field(description="1 % of the districts lie below.")
    median: float
    high: float = Field(description="1 % of the districts lie above.")
    most: float


class Learned(BaseModel):
    """What the serving models learned from."""

    version: str = Field(description="Which models: `box`, or a number of the registry.")
    districts: int = Field(description="How many the ranges are of.")
    ranges: dict[str, Range] = Field(description="By figure.")
    columns: list[str] = Field(description="Of `rows`: the eight figures, and `prediction`.")
    rows: list[list[float]] = Field(description="Some of the districts, evenly out of all.")


class Health(BaseModel):
    """It answers."""

    time: datetime


def asked_of(house: House, served: Served, kind: Kind, *, interval: bool, explain: bool) -> Asked:
    """The item of a house, to be answered by `served`.

    Raises
    ------
    Invalid
        An interval is asked of the model that has none.
    """
    if interval and kind is Kind.svr:
        raise Invalid.field("interval", "only the trees have intervals; ask with model=boosted", True, where="query")
    return Asked(tuple(getattr(house, name) for name in FEATURES), kind, interval, explain, served)
