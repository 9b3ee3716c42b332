"""Logging of commands."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.settings import TelemetrySettings


def quiet() -> "TelemetrySettings":
    """Commands print their own outcome; the log would only repeat it."""
    from common.settings import TelemetrySettings

    return TelemetrySettings(level="CRITICAL")
