"""Settings of queued work."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split


class Schedule(BaseModel):
    """A job that is accepted again and again."""

    cron: str = Field(description="Five fields: minute, hour, day, month, weekday; in UTC.")
    path: str = Field(description="What is asked for, e.g. `/sample_model/predict`.")
    body: Any = Field(None, description="The request's body.")

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, value: str) -> str:
        from croniter import croniter

        if len(value.split()) != 5 or not croniter.is_valid(value):
            raise ValueError("cron has five fields: minute, hour, day, month, weekday, e.g. `0 3 * * *`")
        return value

    @field_validator("path")
    @classmethod
    def _check_path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("path begins with /, e.g. `/sample_model/predict`")
        return value


class JobSettings(Area):
    """Queued work: queues, attempts, times."""

    storage: SecretStr | None = Field(
        None,
        validation_alias="AzureWebJobsStorage",
        description="Connection string of the Azure storage account whose queues carry the jobs "
        "(`UseDevelopmentStorage=true` is Azurite); by default tables in the database do.",
    )
    storage_queue_uri: str | None = Field(
        None,
        validation_alias="AzureWebJobsStorage__queueServiceUri",
        description="Address of the queue service, to log in with a managed identity instead of a connection string.",
    )
    concurrency: int = Field(
        2, ge=1, le=256, validation_alias="JOB_CONCURRENCY", description="Jobs that a worker runs at once."
    )
    worker_classes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="JOB_WORKERS",
        description="Classes of jobs this process can run, of `cpu`, `train`; by default `train` only where torch is.",
    )
    isolation: Literal["process", "thread"] = Field(
        "process",
        validation_alias="JOB_ISOLATION",
        description="Where a worker runs its jobs: each in a `process` that can be killed, or on a `thread` of the "
        "worker, which takes less memory. Azure's queue functions use threads.",
    )
    memory_bytes: int = Field(
        0,
        ge=0,
        validation_alias="JOB_MEMORY_BYTES",
        description="Most memory that the process of a job may take, in bytes; 0 is three quarters of what the machine "
        "or container has.",
    )
    max_attempts: int = Field(
        3, ge=1, le=100, validation_alias="JOB_ATTEMPTS", description="Attempts of a job before it is dead."
    )
    retry_base_s: float = Field(
        5.0,
        ge=0,
        validation_alias="JOB_RETRY_S",
        description="Wait before the second attempt, in seconds; it doubles with each further one.",
    )
    retry_cap_s: float = Field(
        600.0, ge=0, validation_alias="JOB_RETRY_MAX_S", description="Longest wait between attempts, in seconds."
    )
    heartbeat_s: float = Field(
        10.0, gt=0, validation_alias="JOB_HEARTBEAT_S", description="Seconds between the heartbeats of a running job."
    )
    stall_s: float = Field(
        40.0,
        gt=0,
        validation_alias="JOB_STALL_S",
        description="Seconds without a heartbeat after which a job's worker counts as lost.",
    )
    lease_s: float = Field(
        45.0,
        ge=1,
        validation_alias="JOB_LEASE_S",
        description="Seconds that a queue hides a message from others, renewed at half of it: how long a job waits "
        "whose worker died before it began.",
    )
    tick_s: float = Field(
        15.0, gt=0, validation_alias="JOB_TICK_S", description="Seconds between the scheduler's rounds."
    )
    drain_s: float = Field(
        25.0,
        ge=0,
        validation_alias="JOB_DRAIN_S",
        description="Seconds that a stopping worker waits for running jobs before it puts them back.",
    )
    cancel_grace_s: float = Field(
        0.5,
        ge=0,
        validation_alias="JOB_CANCEL_GRACE_S",
        description="Seconds that a job has to end once it is cancelled or past its deadline; then its process is "
        "killed, or its thread abandoned.",
    )
    result_days: float = Field(
        7.0,
        gt=0,
        validation_alias="JOB_RESULT_DAYS",
        description="Days that a job's result is kept, and the files that it left on the share.",
    )
    keep_days: float = Field(
        30.0, gt=0, validation_alias="JOB_KEEP_DAYS", description="Days that the record of a finished job is kept."
    )
    schedules: tuple[Schedule, ...] = Field(
        (),
        validation_alias="SCHEDULES",
        description='Jobs by the clock (UTC), as JSON: `[{"cron": "0 3 * * *", "path": "/name/predict", "body": {}}]`.',
    )

    @property
    def has_storage_account(self) -> bool:
        """Whether queues of an Azure storage account carry the jobs."""
        return self.storage is not None or self.storage_queue_uri is not None

    _split_classes = field_validator("worker_classes", mode="before")(split)

    @field_validator("worker_classes")
    @classmethod
    def _check_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= {"cpu", "train"}:
            raise ValueError("worker classes are cpu, train")
        return value
