"""What the rest of Atoll says about traces. Off, which is the default, each call site costs one comparison.

Nothing of OpenTelemetry's SDK is imported before `common.telemetry.export` switches tracing on; the spans themselves
are made in `common.telemetry.spans`.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from common.telemetry.spans import Spans

Value = str | int | float | bool
Kind = Literal["internal", "server", "client", "producer", "consumer"]

# Looked up at each use, never bound by `from … import`: it is set once, when a process begins.
spans: "Spans | None" = None
# Each sends what waits of one signal for one receiver, and returns when that is done.
senders: list[Callable[[], object]] = []


class Noted(Protocol):
    """A span under way, or nothing."""

    @property
    def traceparent(self) -> str | None:
        """The W3C context to hand on; None while tracing is off."""

    def note(self, attributes: Mapping[str, Value], error: str | None = None) -> None:
        """Add attributes; with `error` the span counts as failed, for that reason."""


class _Nothing:
    """What `span` gives while tracing is off: one object for all."""

    traceparent = None

    def note(self, attributes: Mapping[str, Value], error: str | None = None) -> None:
        pass

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        pass


_NOTHING = _Nothing()


def span(
    name: str, attributes: Mapping[str, Value] | None = None, kind: Kind = "internal", parent: str | None = None
) -> AbstractContextManager[Noted]:
    """A span around a block; an exception that leaves the block marks it as failed.

    Parameters
    ----------
    parent : a W3C `traceparent` from elsewhere; counts only where no span of this process is under way.
    """
    if spans is None:
        return _NOTHING
    return spans.span(name, attributes, kind, parent)


def traceparent() -> str | None:
    """The W3C context of the span under way here, to hand on; None where there is none."""
    return None if spans is None else spans.traceparent()


def flush(timeout_s: float) -> None:
    """Send what is waiting to be sent, but do not wait for slow receivers any longer than this."""
    threads = [threading.Thread(target=send, name="telemetry-flush", daemon=True) for send in senders]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
