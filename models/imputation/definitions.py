"""Requests and answers of the imputation routes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from common.plugins import BaseDefinition, Whole, param
from models.imputation.spec import Interpolator, Interval, Model, Scheme

# Beyond this a request would run for minutes without a better answer.
MAX_ESTIMATORS = 1000
MAX_TRIALS = 1000

# Old clients send text, people a number.
Year = Annotated[str | Whole, AfterValidator(str)]
Code = Annotated[str, Field(max_length=200)]


class PredictorsRequest(BaseDefinition):
    """Which predictors may be chosen."""

    target_year: Year = param(title="Year", example="2001", req_endpoint="target_years")
    dataset: Code | None = param(
        None, title="Data set", description="Of the target; found from it if left out.", req_endpoint="datasets"
    )
    target: Code = param(title="Target", description="Indicator to fill.", req_endpoint="targets")
    scheme: Scheme = param(title="Choice of predictors")


class PredictRequest(BaseDefinition):
    """A country indicator and a year to fill, and how."""

    target_year: Year = param(title="Year", example="2001", req_endpoint="target_years")
    target: Code = param(title="Target", description="Indicator to fill, by code.", req_endpoint="targets")
    dataset: Code | None = param(
        None, title="Data set", description="Of the target; found from it if left out.", req_endpoint="datasets"
    )
    interpolator: Interpolator = param(
        Interpolator.KNNImputer, title="Interpolator", description="How gaps of the predictors are filled first."
    )
    scheme: Scheme = param(title="Choice of predictors")
    manual_predictors: Annotated[list[Code], Field(max_length=1000)] | None = param(
        None,
        title="Predictors",
        description="Codes of the predictors, chosen by hand.",
        required_if=[{"scheme": Scheme.MANUAL}],
        req_endpoint="predictors",
    )
    number_predictor: int | None = param(
        None,
        title="Number of predictors",
        description="How many predictors to choose.",
        required_if=[{"scheme": Scheme.AFS}, {"scheme": Scheme.PCA}],
        req_endpoint="predictors",
        ge=1,
        le=100_000,
    )
    estimators: int = param(
        100, title="Trees", description="Number of trees in the ensemble.", ge=1, le=MAX_ESTIMATORS, example=10
    )
    model: Model = param(Model.rfr, title="Model", description="Kind of tree ensemble.")
    interval: Interval = param(Interval.quantile, title="Interval", description="How the 90% interval is made.")
    use_history: bool = param(
        True, title="Use history", description="Use the country's own observations of the target in other years."
    )


class BatchRequest(BaseDefinition):
    """A year to fill: all its targets, or those of a data set, of a category, or in a list; and how."""

    # An example that most data sets would take is tried by tools that read the document: hours of work.
    target_year: Year = param(title="Year", example="2023", req_endpoint="target_years")
    dataset: Code | None = param(
        None, title="Data set", description="Targets of this data set only.", req_endpoint="datasets"
    )
    category: Code | None = param(None, title="Category", description="Targets of this category only.")
    targets: Annotated[list[Code], Field(min_length=1, max_length=100_000)] | None = param(
        None, title="Targets", description="Codes; by default all targets of the year."
    )
    interpolator: Interpolator = param(
        Interpolator.KNNImputer, title="Interpolator", description="How gaps of the predictors are filled first."
    )
    scheme: Literal[Scheme.AFS, Scheme.PCA] = param(Scheme.AFS, title="Choice of predictors")
    number_predictor: Whole | None = param(
        None,
        title="Number of predictors",
        description="How many predictors to choose; 10, or all if there are fewer, if left out.",
        ge=1,
        le=100_000,
    )
    estimators: Whole = param(
        100, title="Trees", description="Number of trees in the ensemble.", ge=1, le=MAX_ESTIMATORS, example=10
    )
    model: Model = param(Model.rfr, title="Model", description="Kind of tree ensemble.")
    interval: Interval = param(Interval.quantile, title="Interval", description="How the 90% interval is made.")
    use_history: bool = param(
        True, title="Use history", description="Use the country's own observations of the target in other years."
    )


class TrainRequest(BaseDefinition):
    """A country indicator and a year, and how long to search for the best way to fill it."""

    target_year: Year = param(title="Year", example="2001", req_endpoint="target_years")
    target: Code = param(title="Target", description="Indicator to fill, by code.", req_endpoint="targets")
    dataset: Code | None = param(
        None, title="Data set", description="Of the target; found from it if left out.", req_endpoint="datasets"
    )
    interpolator: Interpolator = param(
        Interpolator.KNNImputer, title="Interpolator", description="How gaps of the predictors are filled first."
    )
    models: Annotated[list[Literal["rfr", "etr", "gbr"]], Field(min_length=1, max_length=3)] = param(
        ["rfr", "etr", "gbr"], title="Models", description="Kinds of tree ensemble to choose from."
    )
    trials: Whole = param(20, title="Trials", description="Combinations to try.", ge=1, le=MAX_TRIALS)
    timeout_s: float | None = param(
        None,
        title="Time-out",
        description="Seconds after which no trial is begun any more.",
        gt=0,
        le=7 * 24 * 3600,
        strict=True,
    )
    seed: Whole = param(7, title="Seed", description="The same seed finds the same.", ge=0, lt=2**32)


class Option(BaseModel):
    """A choice: what people see, and what to send."""

    label: str
    value: str


class Prediction(BaseModel):
    """One entry per small island state that misses the target."""

    model_config = ConfigDict(populate_by_name=True)

    country_code: list[str] = Field(alias="Country Code")
    prediction: list[float] = Field(description="In the target's units.")
    lower: list[float] = Field(description="5% bound.")
    upper: list[float] = Field(description="95% bound.")


class Correlation(BaseModel):
    """Pearson correlation of the predictors used, after level 1."""

    index: list[str]
    columns: list[str]
    data: list[list[float | None]] = Field(description="null where a predictor is constant.")


class CategoryShares(BaseModel):
    """Importance summed by category."""

    category: list[str]
    value: list[float]


class IndicatorJson(BaseModel):
    """The answer as the dashboard stores it: each by year, then by country or indicator code."""

    data: dict[str, dict[str, float]] = Field(description="Observed and imputed values of small island states.")
    upperIntervals: dict[str, dict[str, float]]
    lowerIntervals: dict[str, dict[str, float]]
    featureImportances: dict[str, dict[str, float]]
    categoryImportances: dict[str, dict[str, float]]
    correlation: dict[str, Correlation]
    rmse: dict[str, float]
    rmse_deviation: dict[str, float]


class CaveatInfo(BaseModel):
    """A reason to read a value with care."""

    country: str | None = Field(description="Country code; null where it holds for the whole answer.")
    code: str
    message: str


class PredictResponse(BaseModel):
    """The filled values, how sure they are, and what they rest on."""

    rmse: float = Field(description="Root mean squared error on countries held out, in the target's units.")
    rmse_deviation: float = Field(description="rmse over the target's mean, or over its range where that exceeds 1.")
    model: str = Field(description="Which kind of ensemble answered.")
    model_feature_names: list[str]
    model_feature_importance: list[float] = Field(description="Sum to 1.")
    prediction: Prediction
    correlation: Correlation
    feature_importance_pie: CategoryShares
    indicatorJson: IndicatorJson
    excluded_clones: list[str] = Field(description="Indicators left out because they repeat the target.")
    caveats: list[CaveatInfo]


class FilledTarget(BaseModel):
    """A target of a batch that was filled."""

    target: str
    rows: int = Field(description="Values that were filled.")
    rmse: float | None = Field(description="Root mean squared error on countries held out, in the target's units.")
    model: str | None = Field(description="Which kind of ensemble answered.")


class SkippedTarget(BaseModel):
    """A target of a batch that was not filled."""

    target: str
    reason: str


class BatchResponse(BaseModel):
    """The result of a batch's job: where its table is, and what it holds."""

    file: str = Field(description="Path of the route that answers with the table.")
    share_path: str = Field(description="Where the table lies on the share.")
    sha256: str = Field(description="Of the table, in hex.")
    size_bytes: int
    rows: int = Field(description="Values in the table.")
    target_year: str
    filled: list[FilledTarget]
    skipped: list[SkippedTarget]


# Answers that are maps from code to name; a type of their own only for the docs.
Names = dict[str, str]
Json = dict[str, Any]
