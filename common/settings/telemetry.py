"""Settings of logs."""

from typing import Literal

from pydantic import Field, field_validator

from common.settings.base import Area


class TelemetrySettings(Area):
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
