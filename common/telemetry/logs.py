"""Structured logs: a line an event, with the request id; JSON for machines, colours for people.

Atoll's own loggers and those of libraries (uvicorn, azure) go through one handler, so one setting changes them all.
"""

import logging
import sys
from contextlib import nullcontext
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from common.settings import TelemetrySettings
from common.telemetry.masking import mask
from common.telemetry.request import add_request

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    add_request,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

_JSON_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
)


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _without_colour_codes(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # uvicorn gives its messages twice, once with terminal codes.
    event.pop("color_message", None)
    return event


class _Masked(structlog.stdlib.ProcessorFormatter):
    """Takes secrets out of the finished line: whatever part of the event, or of a traceback, they came in."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class JsonHandler(logging.StreamHandler[TextIO]):
    """Writes JSON lines, to which `common.telemetry.access` adds its own."""

    def write(self, line: str) -> None:
        """Write a finished line, as `emit` does."""
        with self.lock or nullcontext():
            self.stream.write(line + self.terminator)
            self.flush()


def configure_logs(settings: TelemetrySettings) -> None:
    """Send every log record through structlog to standard error. May be called again; the last call counts."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    # Neither renderer may show local variables, as both do by default: they hold bodies and secrets.
    renderer: list[Processor] = (
        [_JSON_TRACEBACKS, structlog.processors.JSONRenderer()] if as_json else [_console(colors=sys.stderr.isatty())]
    )
    formatter = _Masked(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder(), _without_colour_codes],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = JsonHandler(sys.stderr) if as_json else logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name == "uvicorn.error" or name == "uvicorn"
    # The SDKs log every request with its headers at INFO, asyncssh each channel, Alembic each of its plugins.
    for name in ("azure", "alembic", "asyncssh", "botocore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> Any:
    """A logger whose methods take an event and key=value pairs: `log.info("model ready", model="sample")`."""
    return structlog.stdlib.get_logger(name)
