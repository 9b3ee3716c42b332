"""Settings of logs, and of where traces, metrics and logs are sent."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split

Backend = Literal["otlp", "azure-monitor"]
Signal = Literal["traces", "metrics", "logs"]


class TelemetrySettings(Area):
    """Logs, and where traces, metrics and logs are sent."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", validation_alias="LOGGING_LEVEL", description="Least severe log level that is written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto",
        validation_alias="LOG_FORMAT",
        description="`json` a line an event, `console` for people, `auto` console on a terminal and json elsewhere.",
    )
    backends: Annotated[tuple[Backend, ...], NoDecode] = Field(
        (),
        validation_alias="TELEMETRY_BACKENDS",
        description="Where telemetry is sent: `otlp` (extra `otel`), `azure-monitor` (extra `azure-monitor`), or both. "
        "By default nowhere; `/metrics` and the log are there all the same.",
    )
    signals: Annotated[tuple[Signal, ...], NoDecode] = Field(
        ("traces", "metrics", "logs"),
        validation_alias="TELEMETRY_SIGNALS",
        description="What is sent: of `traces`, `metrics`, `logs`.",
    )
    service_name: str = Field(
        "atoll", validation_alias="OTEL_SERVICE_NAME", description="By what name this service shows there."
    )
    otlp_endpoint: str = Field(
        "http://localhost:4318",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="The collector. Its certificate is checked where it begins with `https://`.",
        pattern=r"^https?://.",
    )
    otlp_protocol: Literal["http/protobuf", "grpc"] = Field(
        "http/protobuf",
        validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description="How the collector is spoken to; a collector's port for `grpc` is usually 4317.",
    )
    metric_interval_ms: int = Field(
        60_000,
        validation_alias="OTEL_METRIC_EXPORT_INTERVAL",
        description="Milliseconds between two looks at the metrics that are sent.",
        ge=100,
    )
    application_insights: SecretStr | None = Field(
        None,
        validation_alias="APPLICATIONINSIGHTS_CONNECTION_STRING",
        description="The connection string of an Application Insights resource, for `azure-monitor`.",
    )

    _split = field_validator("backends", "signals", mode="before")(split)

    @field_validator("level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value
