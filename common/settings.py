"""Every setting of Atoll, read from the environment, one class an area.

`docs/settings.md` lists them all; a test compares it with the fields below. Nothing else in the project reads the
environment.
"""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from common.errors import SettingsError

CHECKOUT = Path(__file__).resolve().parent.parent

_ROLES = frozenset({"http", "queues", "timers"})


def _split(value: object) -> object:
    """Read `a, b` from the environment as a list; anything else is left to the field's own validation."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class _Variables(EnvSettingsSource):
    """Reads a field from its documented variable only, not from one of the field's name: `PATH` is no plugin path."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = str(field.validation_alias)
        return self.env_vars.get(variable.lower()), variable, False


class _Area(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Variables(settings_cls)


class HttpSettings(_Area):
    """The HTTP side: address, limits, who may call from a browser."""

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address the local host binds to.")
    port: int = Field(7071, ge=0, le=65535, validation_alias="PORT", description="Port of the local host; 0 picks one.")
    workers: int = Field(1, ge=1, le=256, validation_alias="WORKERS", description="Processes of the local host.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (
            "https://lenseg.github.io",
            "https://sids-dashboard.github.io",
            "http://localhost",
            "http://localhost:8080",
        ),
        validation_alias="CORS_ORIGINS",
        description="Origins whose pages may call the API, separated by commas; `*` allows all, `none` allows none.",
    )
    max_body_bytes: int = Field(
        10_000_000,
        ge=1024,
        validation_alias="MAX_BODY_BYTES",
        description="Largest request body in bytes; a larger one is answered 413.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _read_origins(cls, value: object) -> object:
        origins = _split(value)
        return () if origins == ["none"] else origins


class PluginSettings(_Area):
    """Which plugins a process serves, and where else to look for them."""

    service_model: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="SERVICE_MODEL",
        description="Serve only these plugins, separated by commas; empty serves all that are found.",
    )
    path: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        validation_alias="ATOLL_PLUGIN_PATH",
        description="More folders that hold plugin packages, separated by commas.",
    )
    roles: Annotated[frozenset[str], NoDecode] = Field(
        _ROLES,
        validation_alias="ATOLL_ROLES",
        description="What this process does: `http`, `queues`, `timers`, separated by commas.",
    )

    _split_lists = field_validator("service_model", "path", "roles", mode="before")(_split)

    @field_validator("roles")
    @classmethod
    def _check_roles(cls, value: frozenset[str]) -> frozenset[str]:
        if not value or not value <= _ROLES:
            raise ValueError(f"roles are {', '.join(sorted(_ROLES))}")
        return value


class StorageSettings(_Area):
    """Where data and state lie."""

    state_dir: Path = Field(
        CHECKOUT / ".atoll",
        validation_alias="ATOLL_STATE",
        description="Folder of this machine for caches and, by default, the share.",
    )
    file_share: str | None = Field(
        None,
        validation_alias="FILE_SHARE",
        description="The file share (data sets, artefacts): a folder, an Azure Files address "
        "(`https://<account>.file.core.windows.net/<share>`) or an fsspec URL; by default `share` in `ATOLL_STATE`.",
    )
    file_share_credential: SecretStr | None = Field(
        None,
        validation_alias="FILE_SHARE_CREDENTIAL",
        description="For Azure Files by its address: account key, SAS token or connection string; without it the SAS "
        "token in the address, else the identity of the machine.",
    )
    max_dataset_bytes: int = Field(
        1_000_000_000,
        ge=1024,
        validation_alias="MAX_DATASET_BYTES",
        description="Largest file of a data set that may be uploaded, in bytes; a larger one is answered 413.",
    )
    dataset_path: Path | None = Field(
        None,
        validation_alias="DATASET_PATH",
        description="Folder with the indicator data set; by default `datasets/` in the checkout, then `datasets` on "
        "the share, then a generated sample.",
    )

    @field_validator("file_share", mode="before")
    @classmethod
    def _read_share(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @property
    def share_url(self) -> str | None:
        """The file share if it is reached by a URL; it may hold a credential, so `Share.label` is what to show."""
        return self.file_share if self.file_share and "://" in self.file_share else None

    @property
    def share_dir(self) -> Path:
        """The folder of the file share; for a share reached by a URL a folder of this machine that nobody fills."""
        return Path(self.file_share) if self.file_share and not self.share_url else self.state_dir / "share"

    @property
    def cache_dir(self) -> Path:
        return self.state_dir / "cache"


class ServingSettings(_Area):
    """How much work a process takes on at once, and what it remembers."""

    threads: int = Field(
        0,
        ge=0,
        le=256,
        validation_alias="PREDICT_THREADS",
        description="Threads for predictions; 0 takes the CPUs that the container may use, shared among `WORKERS`.",
    )
    queue_length: int = Field(
        64,
        ge=0,
        validation_alias="PREDICT_QUEUE",
        description="Predictions that may wait for a thread; one more is answered 503 with `Retry-After`.",
    )
    async_after_s: float = Field(
        200.0,
        ge=0,
        validation_alias="ASYNC_AFTER_S",
        description="A prediction that is estimated to take longer, in seconds, is queued and answered 202, because "
        "Azure gives up on a connection after 230 s; 0 never does.",
    )
    result_cache_bytes: int = Field(
        64_000_000,
        ge=0,
        validation_alias="RESULT_CACHE_BYTES",
        description="Memory for results kept in a process, in bytes; 0 keeps none.",
    )


class DatabaseSettings(_Area):
    """Where state is kept."""

    url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="`postgresql://user:password@host/name` or `sqlite:///file`; by default a file in `ATOLL_STATE`.",
    )
    pool_size: int = Field(
        8,
        ge=1,
        le=256,
        validation_alias="DATABASE_POOL",
        description="Connections to PostgreSQL that a process keeps; it opens at most twice as many.",
    )


class Schedule(BaseModel):
    """A job that is accepted again and again."""

    cron: str = Field(description="Five fields: minute, hour, day, month, weekday; in UTC.")
    path: str = Field(description="What is asked for, e.g. `/sample_model/predict`.")
    body: Any = Field(None, description="The request's body.")

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, value: str) -> str:
        from croniter import croniter  # type: ignore[import-untyped]

        if len(value.split()) != 5 or not croniter.is_valid(value):
            raise ValueError("cron has five fields: minute, hour, day, month, weekday, e.g. `0 3 * * *`")
        return value

    @field_validator("path")
    @classmethod
    def _check_path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError("path begins with /, e.g. `/sample_model/predict`")
        return value


class JobSettings(_Area):
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
        45.0,
        gt=0,
        validation_alias="JOB_STALL_S",
        description="Seconds without a heartbeat after which a job's worker counts as lost.",
    )
    lease_s: float = Field(
        600.0,
        ge=1,
        validation_alias="JOB_LEASE_S",
        description="Seconds that a queue hides a message from others; renewed at half of it.",
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
        30.0,
        ge=0,
        validation_alias="JOB_CANCEL_GRACE_S",
        description="Seconds that a job has to end once it is cancelled or past its deadline; then it is abandoned.",
    )
    result_days: float = Field(
        7.0, gt=0, validation_alias="JOB_RESULT_DAYS", description="Days that a job's result is kept."
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

    _split_classes = field_validator("worker_classes", mode="before")(_split)

    @field_validator("worker_classes")
    @classmethod
    def _check_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= {"cpu", "train"}:
            raise ValueError("worker classes are cpu, train")
        return value


class TelemetrySettings(_Area):
    """Logs."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", validation_alias="LOGGING_LEVEL", description="Least severe log level that is written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto",
        validation_alias="LOG_FORMAT",
        description="`json` a line an event, `console` for people, `auto` console on a terminal and json elsewhere.",
    )

    @field_validator("level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class Settings:
    """All areas. Build one with keyword arguments an area in tests; `get_settings()` reads the environment once."""

    def __init__(
        self,
        *,
        http: HttpSettings | None = None,
        plugins: PluginSettings | None = None,
        storage: StorageSettings | None = None,
        serving: ServingSettings | None = None,
        database: DatabaseSettings | None = None,
        jobs: JobSettings | None = None,
        telemetry: TelemetrySettings | None = None,
    ) -> None:
        try:
            self.http = http or HttpSettings()
            self.plugins = plugins or PluginSettings()
            self.storage = storage or StorageSettings()
            self.serving = serving or ServingSettings()
            self.database = database or DatabaseSettings()
            self.jobs = jobs or JobSettings()
            self.telemetry = telemetry or TelemetrySettings()
        except ValidationError as exc:
            faults = "; ".join(
                f"{'.'.join(map(str, e['loc']))}={str(e['input'])[:80]!r}: {e['msg']}" for e in exc.errors()
            )
            raise SettingsError(f"settings are wrong: {faults}") from None

    @property
    def roles(self) -> frozenset[str]:
        return self.plugins.roles

    @property
    def database_url(self) -> str:
        """The database's URL, with its password: not for logs."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.storage.state_dir.absolute() / 'atoll.db'}"


AREAS: tuple[type[_Area], ...] = (
    HttpSettings,
    PluginSettings,
    StorageSettings,
    ServingSettings,
    DatabaseSettings,
    JobSettings,
    TelemetrySettings,
)

_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|(?:^|_)KEYS?(?:_|$)|CONNECTION|SAS|_URL$|Storage$", re.I
)
# Shorter values ("true", "1") stand in too many innocent texts.
_SECRET_CHARS = 8


def secret_values() -> tuple[str, ...]:
    """Values of this process's environment that must not appear in a log, an error or a job's record; longest first.

    Plugins have secrets of their own, so they are told by the names that variables usually have.
    """
    found = {value for name, value in os.environ.items() if len(value) >= _SECRET_CHARS and _SECRET_NAME.search(name)}
    return tuple(sorted(found, key=len, reverse=True))


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises
    ------
    SettingsError
        A variable has a value that cannot be used; the message names it.
    """
    return Settings()
