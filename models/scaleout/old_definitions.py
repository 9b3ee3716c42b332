"""What the listener and the submitter of the system before this one send; all their fields, whatever else they send.

Times are milliseconds since 1970, sizes bytes where a name does not say MB. A field that is null counts as not told.
"""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.scaleout.rows import Told


def _not_a_number(value: Any) -> Any:
    """What divides by nothing is told as NaN: nothing is known."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> Any:
    """A number for a text, as a listener in another language sends it; without the NUL that PostgreSQL refuses."""
    if isinstance(value, str):
        return value.replace("\0", "")
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _begin(value: Any) -> Any:
    """Of what is only shown: a stack trace that is too long is no reason to lose an event."""
    found = _text(value)
    return found[:_MOST_CHARS] if isinstance(found, str) else found


def _parsed(value: Any) -> Any:
    """An object, or one written as a text."""
    if not isinstance(value, str):
        return value
    try:
        found = loads(value)
    except ValueError as exc:
        raise ValueError(f"is no JSON ({exc}); send an object, or one written as a JSON text") from None
    if not isinstance(found, dict):
        raise ValueError("is a JSON text that holds no object; send an object with what is new")
    return found


def loads(text: str | bytes) -> Any:
    """JSON that may hold NaN and Infinity, as writers in Java put them.

    Raises
    ------
    ValueError
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


# Finite, and what fits into a column of any database.
_MOST = 2**31 - 1
_MOST_CHARS = 4000
Text = Annotated[str | None, BeforeValidator(_begin)]
Name = Annotated[
    Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")], BeforeValidator(_text)
]
ShortText = Annotated[Annotated[str, Field(max_length=128)] | None, BeforeValidator(_text)]
Milliseconds = Annotated[Annotated[float, Field(ge=0, le=1e14)] | None, BeforeValidator(_not_a_number)]
Count = Annotated[Annotated[int, Field(ge=0, le=_MOST)] | None, BeforeValidator(_not_a_number)]
Bytes = Annotated[Annotated[int, Field(ge=0, le=2**62)] | None, BeforeValidator(_not_a_number)]
Share = Annotated[Annotated[float, Field(ge=0, le=1e6)] | None, BeforeValidator(_not_a_number)]
JobId = Annotated[int, Field(ge=0, le=_MOST)] | None


class Loose(BaseModel):
    """Takes what it knows, and leaves the rest."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=(), allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {name: item for name, item in value.items() if item is not None} if isinstance(value, dict) else value


class OldMetrics(Loose):
    cpu_utilization: Share = None
    gc_time_ratio: Share = None
    shuffle_rw_ratio: Share = None
    data_io_ratio: Share = None
    memory_spill_ratio: Share = None


class _Spanned(Loose):
    start_time: Milliseconds = None
    end_time: Milliseconds = None
    start_scale_out: Count = None
    end_scale_out: Count = None
    rescaling_time_ratio: Share = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.start_time is not None and self.end_time is not None and self.end_time < self.start_time:
            raise ValueError(
                f"end_time {self.end_time:.0f} is before start_time {self.start_time:.0f}; send both in milliseconds "
                "since 1970, or leave out the one that is not known"
            )
        return self

    def told(self) -> Told:
        return {
            "start_s": _seconds(self.start_time),
            "end_s": _seconds(self.end_time),
            "start_scale_out": self.start_scale_out,
            "end_scale_out": self.end_scale_out,
            "rescaling_time_ratio": self.rescaling_time_ratio,
        }


class OldStage(_Spanned):
    stage_id: JobId = None
    stage_name: Text = None
    attempt_id: Count = None
    failure_reason: Text = None
    num_tasks: Count = None
    parent_stage_ids: list[Annotated[int, Field(ge=0, le=_MOST)]] | None = Field(None, max_length=10_000)
    rdd_num_partitions: Count = None
    rdd_num_cached_partitions: Count = None
    rdd_mem_size: Bytes = None
    rdd_disk_size: Bytes = None
    metrics: OldMetrics | None = None

    def stage_told(self, number: int) -> Told:
        return _known(
            {
                **self.told(),
                "stage_id": number,
                "name": self.stage_name,
                "attempt": self.attempt_id,
                "failure_reason": self.failure_reason,
                "num_tasks": self.num_tasks,
                "parents": self.parent_stage_ids,
                "rdd_num_partitions": self.rdd_num_partitions,
                "rdd_num_cached_partitions": self.rdd_num_cached_partitions,
                "rdd_mem_size": self.rdd_mem_size,
                "rdd_disk_size": self.rdd_disk_size,
                "metrics": _known(self.metrics.model_dump()) if self.metrics else None,
            }
        )


class OldUpdates(_Spanned):
    """What is new; any of these."""

    application_id: ShortText = None
    application_signature: ShortText = None
    attempt_id: ShortText = None
    job_id: JobId = None
    predicted_scale_out: Count = None
    # A stage that was skipped, its output being there from before, may be null.
    stages: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], OldStage | None] | None = Field(None, max_length=20_000)

    def stages_told(self) -> Mapping[str, Told]:
        found = {}
        for key, stage in (self.stages or {}).items():
            number = int(key) if stage is None or stage.stage_id is None else stage.stage_id
            found[str(number)] = (stage or OldStage()).stage_told(number)
        return found


class OldUpdate(Loose):
    """One event of a listener."""

    application_execution_id: Name = Field(description="The run, as the answer to its submission named it.")
    application_id: ShortText = Field(None, description="Spark's own id of the application.")
    job_id: JobId = Field(None, description="The job that ended; it may stand in `updates` instead.")
    updates: Annotated[OldUpdates, BeforeValidator(_parsed)] = Field(
        description="What is new: an object, or one written as a JSON text."
    )
    update_event: Literal["APPLICATION_START", "JOB_END", "APPLICATION_END"] = Field(
        description="What happened. `APPLICATION_END` is new: with it the run's whole time is known exactly."
    )

    @model_validator(mode="after")
    def _check_job(self) -> Self:
        if self.update_event == "JOB_END" and self.ended_job is None:
            raise ValueError("a JOB_END needs the job_id of the job that ended")
        return self

    @property
    def ended_job(self) -> int | None:
        return self.updates.job_id if self.job_id is None else self.job_id

    def told(self) -> tuple[Told, list[Told]]:
        """What the event tells of the run, and of jobs."""
        updates = self.updates
        run: Told = {
            "application_id": updates.application_id or self.application_id,
            "signature": updates.application_signature,
            "attempt_id": updates.attempt_id,
        }
        if self.update_event == "JOB_END":
            job = {
                **updates.told(),
                "job_id": self.ended_job,
                "attempt_id": updates.attempt_id,
                "predicted_scale_out": updates.predicted_scale_out,
            }
            return _known(run), [{**_known(job), "stages": dict(updates.stages_told())}]
        return _known({**run, **{name: value for name, value in updates.told().items() if name != _RATIO}}), []


_RATIO = "rescaling_time_ratio"


class OldPrediction(OldUpdate):
    """An event, and whether a plan is asked for."""

    predict: bool = Field(False, description="Whether the answer is to hold a plan for the jobs that come.")


class OldTraining(Loose):
    """Which model is to be trained anew."""

    system_name: ShortText = None
    algorithm_name: ShortText = None
    model_name: ShortText = None
    experiment_name: ShortText = None


class OldAnswer(BaseModel):
    """A plan for the jobs that come; both lists are empty where there is nothing to say."""

    best_predicted_scale_out_per_job: list[tuple[int, int]] = Field(description="[job, executors].")
    best_predicted_runtime_per_job: list[tuple[int, float]] = Field(description="[job, seconds].")


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _known(values: Mapping[str, Any]) -> Told:
    return {name: value for name, value in values.items() if value is not None}
