"""What a process tells about itself: Prometheus metrics and structured logs."""

import sys

# structlog imports rich wherever it is installed, for tracebacks that are not used here: 4 MB of each process. Others
# may import it all the same.
if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # as if it were not there
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
