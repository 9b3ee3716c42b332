"""Log records as OpenTelemetry's, with the trace in which they were written."""

import logging
import traceback
from typing import Any

from opentelemetry._logs import Logger, LogRecord, SeverityNumber

from common.telemetry.masking import mask
from common.telemetry.request import request_fields

# What loggers of the exporters say of themselves would be sent by them, and make them say more.
_OWN = ("opentelemetry", "azure.monitor", "azure.core")
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)


class SendingHandler(logging.Handler):
    """Hands each record on, without secrets. structlog's events keep their fields as attributes."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(_OWN):
            return
        try:
            self._logger.emit(self._translated(record))
        except Exception:  # noqa: BLE001  # logging's own way to say so
            self.handleError(record)

    @staticmethod
    def _translated(record: logging.LogRecord) -> LogRecord:
        # structlog puts the whole event there.
        message: Any = record.msg
        fields: dict[str, Any] = dict(message) if isinstance(message, dict) else {}
        text = fields.pop("event", None) if fields else record.getMessage()
        for name in ("level", "timestamp", "logger", "_record", "_from_structlog"):
            fields.pop(name, None)
        error = fields.pop("exc_info", None) or record.exc_info
        attributes: dict[str, str | int | float | bool] = {"logger": record.name}
        for name, value in (request_fields() | fields).items():
            is_plain = isinstance(value, bool | int | float)
            attributes[name] = value if is_plain else mask(str(value))
        if isinstance(error, tuple):
            error = error[1]
        if isinstance(error, BaseException):
            attributes["exception.type"] = type(error).__qualname__
            attributes["exception.message"] = mask(str(error))
            attributes["exception.stacktrace"] = mask("".join(traceback.format_exception(error)))
        severity = next((found for level, found in _SEVERITIES if record.levelno >= level), SeverityNumber.DEBUG)
        return LogRecord(
            timestamp=int(record.created * 1e9),
            severity_text=record.levelname,
            severity_number=severity,
            body=mask(str(text)),
            attributes=attributes,
        )
