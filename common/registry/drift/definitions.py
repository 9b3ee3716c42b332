"""What is told of kept rows and of comparisons. Imports neither database nor NumPy: routes do so too."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.plugins.definition import Whole

MOST_ROWS = 1_000_000
LEAST_ROWS = 200

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class Sampling(BaseModel):
    """What is kept of a model's requests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fraction: float = Field(
        ge=0, le=1, description="Share of the rows that is kept; 0 keeps no more of them.", examples=[0.01]
    )
    drop: tuple[_Name, ...] = Field(
        (),
        max_length=200,
        description="Inputs, outputs or columns that are never kept, such as those with names of people.",
        examples=[["name", "email"]],
    )
    texts: tuple[_Name, ...] = Field(
        (),
        max_length=200,
        description="Inputs and outputs whose texts are kept; of all others their length alone is.",
        examples=[["city"]],
    )
    max_rows: Whole = Field(
        10_000, ge=1, le=MOST_ROWS, description="As many of the newest rows are kept of each version."
    )


OFF = Sampling(fraction=0)


class Verdict(StrEnum):
    """How much has changed."""

    STABLE = "stable"
    MODERATE = "moderate"
    MAJOR = "major"


class ColumnDrift(BaseModel):
    """One column of the sample beside the same one of the reference."""

    column: str = Field(description="`input.` or `output.`, and its name.", examples=["input.MedInc"])
    kind: Literal["number", "category"]
    psi: float = Field(description="Population stability index.")
    test: Literal["ks", "chi2"] = Field(description="Kolmogorov-Smirnov of numbers, chi-squared of categories.")
    statistic: float
    p_value: float = Field(description="How often chance alone gives as large a statistic.")
    missing: float = Field(description="Share of the sample's rows without a value.")
    missing_reference: float
    mean: float | None = Field(description="Of the sample; of numbers alone.")
    mean_reference: float | None
    verdict: Verdict = Field(
        description="`moderate` from a PSI of 0.1 on, `major` above 0.25, where the test is sure (p below 0.01)."
    )


class KeptRows(BaseModel):
    """Rows of a version that are on the share."""

    version: int
    rows: int
    size_bytes: int
    oldest: datetime = Field(description="When the oldest of its files was written.")
    newest: datetime


class SamplingInfo(Sampling):
    """What is kept of a model's requests, and what there is."""

    model: str
    active: bool = Field(description="Whether rows are kept now; never without the setting `SAMPLING`.")
    unknown: list[str] = Field(
        description="Names in `drop` and `texts` that are no input, output or column of the newest version."
    )
    versions: list[KeptRows] = Field(description="Those that rows are kept of, newest first.")


class Drift(BaseModel):
    """A version's kept rows beside those that it was trained on, or those of another version."""

    model: str
    version: int
    against: str = Field(description="`training`, or the other version.", examples=["training"])
    rows: int = Field(description="Of the sample.")
    rows_reference: int
    oldest: datetime = Field(description="When the oldest row of the sample was answered.")
    newest: datetime
    damaged_files: int = Field(description="Files of kept rows that could not be read.")
    verdict: Verdict = Field(description="That of the column that has changed most.")
    columns: list[ColumnDrift] = Field(description="The most changed one first.")
    not_compared: list[str] = Field(description="Columns of the sample that the reference does not have.")


class SnapshotInfo(BaseModel):
    """A version's training rows, as they were taken."""

    model: str
    version: int
    rows: int
    columns: list[str]
    ignored: list[str] = Field(description="Columns of the file that are no input or output of the version.")
