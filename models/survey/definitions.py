"""Request and answer of the survey routes."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, SkipValidation, WithJsonSchema

from common.plugins import BaseDefinition, Whole, param
from models.survey.examples import EXAMPLES

DEFAULT_MAX_K = 10
LARGEST_MAX_K = 30

_EXAMPLE = EXAMPLES["fishing"]
# Cells are read column by column (`table.py`): one by one, pydantic would need longer than the clustering.
Table = Annotated[
    list[dict[str, Any]],
    SkipValidation(),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]}),
]


class SurveyRequest(BaseDefinition):
    """A survey, what its questions are, and which of them to look at."""

    data: Table = param(
        title="Answers",
        description="A list of rows {question: answer}; or columns {question: [answer, …]}; or what pandas writes: "
        '`to_dict()`, `to_json()`, orient "split" {columns, data} or "table". An answer is text, a number, true or '
        "false; null is none.",
        example=_EXAMPLE["data"],
    )
    metadata: Table = param(
        title="Questions",
        description='A table in any of these forms with the columns "Question Name" (the column of data), "Type" '
        '(categorical, continuous, "GPS longitude", "GPS latitude"; others are passed over) and "Factor" (the group '
        "of questions it belongs to). Other columns are ignored.",
        example=_EXAMPLE["metadata"],
    )
    factor: Annotated[str, Field(max_length=1000)] = param(
        title="Factor", description="Which group of questions to cluster by.", example=_EXAMPLE["factor"]
    )
    max_k: Whole | None = param(
        None,
        title="Most clusters",
        description=f"The number is chosen from 2 to this; {DEFAULT_MAX_K}, or the number of rows if fewer, if left "
        "out.",
        example=_EXAMPLE["max_k"],
        ge=2,
        le=LARGEST_MAX_K,
    )


class SurveyTrait(BaseModel):
    """What a cluster answers to one question."""

    question: str
    type: str = Field(description="categorical or continuous.")
    typical: str | float | bool = Field(description="The most frequent answer, or the mean.")
    share: float | None = Field(description="Of the cluster's answers, those that are the typical one.")
    share_overall: float | None = Field(description="Of all answers, those that are the same.")
    mean_overall: float | None = Field(description="Of a continuous question, over all rows.")
    distinct: float = Field(
        description="How far the cluster stands out: the difference of the shares, or of the means in standard "
        "deviations."
    )


class SurveyCluster(BaseModel):
    """One cluster."""

    label: int
    size: int
    share: float = Field(description="Of the rows that have a label.")
    silhouette: float | None = Field(description="Mean over its rows; null where the sample has none of them.")
    typical_row: int = Field(description="The row of data (from 0) nearest to its middle.")
    profile: list[SurveyTrait] = Field(description="Its most typical answers, the most distinct first.")


class SurveyTried(BaseModel):
    """A number of clusters that was tried."""

    k: int
    silhouette: float
    cost: float = Field(description="What the clustering minimises, of the rows that were tried.")


class UnusedQuestion(BaseModel):
    """A question of the factor that was not used."""

    question: str
    reason: str


class SurveyCaveat(BaseModel):
    """A reason to read the answer with care."""

    code: str
    message: str
    rows: int | None = Field(description="How many rows it concerns.")


class SurveyResponse(BaseModel):
    """Rows in groups."""

    cluster_label: list[int | None] = Field(
        description="The cluster of each row, in the order of data, from 0, the largest first; null for rows without "
        "GPS, where the survey has GPS questions, and for rows without answers."
    )
    k: int
    method: str = Field(description="k-modes (all categorical), k-means (all continuous) or k-prototypes (both).")
    silhouette: float = Field(description="Mean over rows, -1 to 1: how well apart the clusters lie.")
    clusters: list[SurveyCluster]
    tried: list[SurveyTried] = Field(description="The numbers of clusters that were tried; the best silhouette won.")
    questions: list[str] = Field(description="Those used.")
    left_out: list[UnusedQuestion]
    caveats: list[SurveyCaveat]
