"""Requests and answers of the countries routes."""

from enum import Enum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from common.plugins import BaseDefinition, Whole, param

# Old clients send a number, forms text.
Year = Annotated[str | Whole, AfterValidator(str)]
Code = Annotated[str, Field(max_length=200)]


def _number_or_auto(value: object) -> object:
    # 5 and 5.0, but neither "5" nor true. Of a union, pydantic would tell what is wrong for each of its members.
    if value == "auto" or (isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1):
        return value if isinstance(value, str) else int(value)
    raise PydanticCustomError("number_or_auto", 'send a whole number, or "auto"')


Number = Annotated[
    int | Literal["auto"],
    BeforeValidator(_number_or_auto),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
]

# Two points always lie on a line: with fewer shared indicators a correlation says nothing.
LEAST_SHARED = 3


class Scale(Enum):
    """How indicators are brought to one scale: by mean and standard deviation, or by rank among the countries."""

    zscore = "Standard deviations"
    rank = "Ranks"


class ProfileRequest(BaseDefinition):
    """Which indicators make up a country's profile."""

    dataset: Code = param(title="Data set", description="Code.", example="wdi", req_endpoint="datasets")
    category: Code = param(
        title="Category", description="Of the indicators.", example="Financial Sector", req_endpoint="categories"
    )
    year: Year = param(title="Year", example=2014, req_endpoint="years")
    scale: Scale = param(
        Scale.zscore,
        title="Scale",
        description="How indicators are made comparable; ranks keep a few very large countries from deciding alone.",
    )
    sids_only: bool = param(
        False,
        title="Small island states only",
        description="Leave all other countries out, also of the scaling.",
        strict=True,
    )


class CountryRequest(ProfileRequest):
    """A country to compare with all others."""

    country: Code = param(
        title="Country", description="ISO 3166 alpha-3 code.", example="SGP", req_endpoint="countries"
    )
    min_shared: Whole | None = param(
        None,
        title="Shared indicators",
        description="Fewest indicators that both countries must have; a quarter of those of the country asked for, "
        "at least 3, if left out.",
        ge=LEAST_SHARED,
        le=10_000,
    )


class CountryClusterRequest(ProfileRequest):
    """Countries to be put into groups."""

    k: Number = param(
        title="Clusters",
        description='Number of clusters, 1 to the number of countries; or "auto", which takes the number from 2 to 10 '
        "whose clusters lie best apart.",
        example=5,
    )


class NotCompared(BaseModel):
    """A country that cannot be compared."""

    country: str
    shared: int = Field(description="Indicators that both have.")
    reason: str


class CountryResponse(BaseModel):
    """Countries by likeness."""

    country_corr: dict[str, list[str | float]] = Field(
        description='Two columns: "Country Code", and under the code of the country asked for the Pearson correlation '
        "of its scaled indicators with those of each, largest first. The country itself is left out (it would be 1).",
        examples=[{"Country Code": ["HKG", "CYP"], "SGP": [0.81, 0.44]}],
    )
    shared_indicators: list[int] = Field(description="Indicators that each correlation rests on, in the same order.")
    min_shared: int = Field(description="Fewest that were asked of a pair.")
    indicators: list[str] = Field(description="The country's profile: those it has, and that vary among countries.")
    left_out: list[NotCompared] = Field(description="Countries with too few indicators in common, or none that vary.")


class CountryTrait(BaseModel):
    """Where a cluster stands out."""

    indicator: str
    name: str
    mean_z: float = Field(
        description="Mean of the cluster, in standard deviations (of ranks, with that scale) from that of all."
    )
    observed: int = Field(description="Countries of the cluster that have it.")


class CountryCluster(BaseModel):
    """One cluster."""

    label: int
    size: int
    silhouette: float = Field(description="Mean over its countries.")
    typical: str = Field(description="The country nearest to its middle, of the half for which most is observed.")
    traits: list[CountryTrait] = Field(description="The indicators in which it differs most from all countries.")


class CountryTried(BaseModel):
    """A number of clusters that was tried."""

    k: int
    silhouette: float


class CountryCaveat(BaseModel):
    """A reason to read the answer with care."""

    country: str | None = Field(description="Country code; null where it holds for the whole answer.")
    code: str
    message: str


class CountryClusterResponse(BaseModel):
    """Countries in groups."""

    country: list[str] = Field(description="Countries that have any of the indicators, by code.")
    label: list[int] = Field(description="The cluster of each, from 0, the largest first.")
    k: int = Field(description="Number of clusters; fewer than asked for where countries are alike.")
    silhouette: float = Field(description="Mean over all countries, -1 to 1: how well apart the clusters lie.")
    country_silhouette: list[float] = Field(description="Of each country; below 0 it is nearer to another cluster.")
    observed: list[int] = Field(description="Indicators that each country has.")
    indicators: list[str] = Field(description="Those used: that two countries have and that vary.")
    clusters: list[CountryCluster]
    tried: list[CountryTried] = Field(description='With "auto", the numbers of clusters that were tried.')
    caveats: list[CountryCaveat]
