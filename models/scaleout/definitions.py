"""What the routes under `/scaleout` take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from common.plugins import BaseDefinition, Whole, param

MAX_SCALE_OUT = 10_000
MAX_CANDIDATES = 256
MAX_IMPORTED = 500

ScaleOut = Annotated[Whole, Field(ge=1, le=MAX_SCALE_OUT)]
Text = Annotated[str, Field(max_length=128)]


class Question(BaseDefinition):
    """A run that might be made."""

    algorithm: str = param(
        title="Algorithm", description="As its runs were recorded.", example="gbt", min_length=1, max_length=128
    )
    system: str = param("spark", title="System", description="`spark` or `flink`.", pattern="^(spark|flink)$")
    data_size_mb: float | None = param(None, title="Data size", description="In MB.", gt=0, le=1e12, example=1000)
    data_characteristics: Text = param("", title="Data characteristics", description="As runs were recorded with them.")
    arguments: list[Text] = param([], title="Arguments", description="Of the algorithm.", max_length=100)
    machine: Text = param("", title="Machine", description="Kind of machine that executors run on.")
    environment: Text = param("", title="Environment", description="Where it runs.")
    cores: Whole | None = param(None, title="Cores", description="Of an executor.", ge=1, le=1024)
    memory_mb: float | None = param(None, title="Memory", description="Of an executor, in MB.", gt=0, le=1e9)
    min_scale_out: ScaleOut = param(1, title="Fewest executors")
    max_scale_out: ScaleOut = param(16, title="Most executors")
    target_s: float | None = param(None, title="Target", description="Wanted run time, in seconds.", gt=0, le=1e9)
    confidence: float = param(
        0.9, title="Confidence", description="Probability of meeting the target that is good enough.", gt=0, lt=1
    )

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.max_scale_out < self.min_scale_out:
            raise ValueError(
                f"min_scale_out {self.min_scale_out} is more than max_scale_out {self.max_scale_out}; swap them"
            )
        if self.max_scale_out - self.min_scale_out >= MAX_CANDIDATES:
            raise ValueError(f"min_scale_out to max_scale_out are more than {MAX_CANDIDATES} scale-outs; ask for fewer")
        return self


class Point(BaseModel):
    """What is expected of a scale-out."""

    scale_out: int
    median_s: float = Field(description="Half of such runs take less.")
    low80_s: float
    high80_s: float = Field(description="80 % of such runs lie between `low80_s` and this.")
    low90_s: float
    high90_s: float
    probability: float | None = Field(description="Of meeting the target; null without one.")
    executor_minutes: float = Field(description="At the median.")


class Recommendation(BaseModel):
    """With how many executors to run it."""

    scale_out: int
    probability: float | None = Field(description="Of meeting the target; null without a target or a model.")
    executor_minutes: float | None
    why: str


class Recorded(BaseModel):
    """A finished run."""

    execution_id: str
    scale_out: float = Field(description="The mean over its time, where it changed.")
    runtime_s: float


class WhatIf(BaseModel):
    """Run times by scale-out, and what follows."""

    curve: list[Point] = Field(description="Empty where no model can answer.")
    recommendation: Recommendation
    model: str = Field(description="What the times come from; a simpler model where little is known.")
    runs: int = Field(description="Finished runs of the algorithm that are known.")
    error: float | None = Field(
        description="Mean error at these runs, each predicted by the others, as a share; null for fewer than three."
    )
    recorded: list[Recorded] = Field(description="Those of them that had this input and these machines.")


class RecordedContext(BaseModel):
    """What runs had in common but their executors."""

    system: str
    algorithm: str
    arguments: list[str]
    data_size_mb: float | None
    data_characteristics: str
    machine: str
    environment: str
    cores: int | None
    memory_mb: float | None
    runs: int = Field(description="Runs of it that are known, unfinished ones too.")
    median_s: float | None = Field(description="Of those whose end was told.")
    min_scale_out: int = Field(description="Fewest executors that were allowed, or there.")
    max_scale_out: int = Field(description="Most of them.")
    target_s: float | None = Field(description="The last one that was wanted.")


State = Literal["waiting", "running", "ended", "silent"]
STATE = "`waiting` for its first word, `running`, `ended`, or `silent`: no word of its end, and none at all for a day."


class RunBrief(BaseModel):
    """A run in the list."""

    execution_id: str
    state: State = Field(description=STATE)
    application_id: str
    system: str
    algorithm: str
    signature: str
    data_size_mb: float | None
    start_s: float | None = Field(description="In seconds since 1970.")
    target_s: float | None
    runtime_s: float | None = Field(description="Null until its end is known.")
    jobs: int
    created_at: datetime
    changed_at: datetime


class RunPage(BaseModel):
    """Runs, the newest first."""

    applications: list[RunBrief]
    next: str | None = Field(description="Goes into `before` for the next page; null at the last one.")


class RemainingTime(BaseModel):
    """How long a run under way will still take."""

    median_s: float = Field(description="From the end of the job that ended last; half of such runs take less.")
    low80_s: float
    high80_s: float = Field(description="80 % of such runs lie between `low80_s` and this.")
    low90_s: float
    high90_s: float
    model: str = Field(description="`boosted-trees`; or curves of the jobs until these are grown, and for new runs.")


class Decision(BaseModel):
    """What was decided after a job."""

    after_job: int = Field(description="-1 before the first one has ended.")
    decided_at: datetime
    scale_out: int = Field(description="From then on.")
    probability: float | None = Field(description="Of meeting the target; null without a target or a model.")
    why: str
    model: str


class RunDetail(BaseModel):
    """All that is known of a run."""

    state: State = Field(description=STATE)
    application: dict[str, Any] = Field(description="Times in seconds since 1970, its jobs with their stages.")
    plan: dict[str, Any] | None = Field(description="The last plan that was made for it.")
    decisions: list[Decision] = Field(description="All plans that were made for it, the oldest first.")
    remaining: RemainingTime | None = Field(
        description="Null where it is not under way, or no finished run is like it."
    )


class Imported(BaseModel):
    """What became of the runs that were sent."""

    imported: int
    jobs: int
