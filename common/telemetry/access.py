"""The access log: a line for each request, the same as through the loggers, for a twentieth of their time.

Loggers make a record, walk a chain of processors and format twice, some 60 microseconds a line. Where nobody but
Atoll's own handler listens, and it writes JSON, the line is put together here. Elsewhere (a terminal, a host that
collects records) it goes the loggers' way.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from common.telemetry.logs import JsonHandler, get_logger
from common.telemetry.masking import mask
from common.telemetry.request import request_fields

_NAME = "atoll.http"
log = get_logger(_NAME)
_stdlib = logging.getLogger(_NAME)
_root = logging.getLogger()


def write_access(method: str, path: str, status: int, ms: float) -> None:
    """Log an answered request."""
    if not _stdlib.isEnabledFor(logging.INFO):
        return
    handlers = _root.handlers
    if len(handlers) != 1 or not isinstance(handlers[0], JsonHandler) or _stdlib.handlers:
        log.info("request", method=method, path=path, status=status, ms=ms)
        return
    event: dict[str, Any] = {"method": method, "path": path, "status": status, "ms": ms, "event": "request"}
    event |= request_fields()
    event |= {"level": "info", "logger": _NAME, "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}
    handlers[0].write(mask(json.dumps(event)))
