"""Every setting of Atoll, read from the environment, one class an area.

`docs/settings.md` lists them all; a test compares it with the fields below. Nothing else in the project reads the
environment.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
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
    file_share: Path | None = Field(
        None,
        validation_alias="FILE_SHARE",
        description="Folder of the file share (data sets, artefacts); by default `share` in `ATOLL_STATE`.",
    )
    dataset_path: Path | None = Field(
        None,
        validation_alias="DATASET_PATH",
        description="Folder with the indicator data set; by default `datasets/` in the checkout, then `datasets` on "
        "the share, then a generated sample.",
    )

    @property
    def share_dir(self) -> Path:
        return self.file_share or self.state_dir / "share"

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
    result_cache_bytes: int = Field(
        64_000_000,
        ge=0,
        validation_alias="RESULT_CACHE_BYTES",
        description="Memory for results kept in a process, in bytes; 0 keeps none.",
    )


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
        telemetry: TelemetrySettings | None = None,
    ) -> None:
        try:
            self.http = http or HttpSettings()
            self.plugins = plugins or PluginSettings()
            self.storage = storage or StorageSettings()
            self.serving = serving or ServingSettings()
            self.telemetry = telemetry or TelemetrySettings()
        except ValidationError as exc:
            faults = "; ".join(
                f"{'.'.join(map(str, e['loc']))}={str(e['input'])[:80]!r}: {e['msg']}" for e in exc.errors()
            )
            raise SettingsError(f"settings are wrong: {faults}") from None

    @property
    def roles(self) -> frozenset[str]:
        return self.plugins.roles


AREAS: tuple[type[_Area], ...] = (HttpSettings, PluginSettings, StorageSettings, ServingSettings, TelemetrySettings)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises
    ------
    SettingsError
        A variable has a value that cannot be used; the message names it.
    """
    return Settings()
