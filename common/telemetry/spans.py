"""Makes spans by OpenTelemetry's API. Imported only where tracing is on.

Names and attributes follow OpenTelemetry's semantic conventions for HTTP servers and messaging (1.27 and later) as far
as they go; Atoll's own begin with `atoll.`. Bodies, queries and headers never become attributes: they hold what callers
send.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from common.telemetry.masking import mask
from common.telemetry.tracing import Kind, Value

_W3C = TraceContextTextMapPropagator()
_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class Made:
    """A span under way; a `common.telemetry.tracing.Noted`."""

    def __init__(self, made: Span) -> None:
        self._span = made

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(self._span))
        return carrier.get("traceparent")

    def note(self, attributes: Mapping[str, Value], error: str | None = None) -> None:
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, mask(error)))


class RequestSpan:
    """The span of a request that is being answered; the current one until `end`, which the same task must call."""

    def __init__(self, made: Span, method: str) -> None:
        self._span = made
        self._method = method
        self._token: Token[Context] = contexts.attach(set_span_in_context(made))

    def end(self, route: str | None, status: int) -> None:
        """`route` is the template, None where no route fits; `status` is 0 where nothing was answered."""
        contexts.detach(self._token)
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        if status:
            self._span.set_attribute("http.response.status_code", status)
        # What a client did wrong is no error of a server's, by the conventions.
        if status >= 500 or not status:
            self._span.set_attribute("error.type", str(status or "no answer"))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Spans:
    """One a process."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def request(self, scope: Scope, method: str, *, is_replay: bool) -> RequestSpan:
        """Begin the span of a request, a child of whatever its `traceparent` names.

        Parameters
        ----------
        is_replay : a queued request, which this process puts to itself: no server was asked.
        """
        method = method if method in _METHODS else "_OTHER"
        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        attributes = {
            "http.request.method": method,
            "url.scheme": scope.get("scheme", "http"),
            "atoll.request_id": scope["state"]["request_id"],
        }
        made = self._tracer.start_span(
            method,
            _W3C.extract(carrier, Context()),
            SpanKind.INTERNAL if is_replay else SpanKind.SERVER,
            attributes,
        )
        return RequestSpan(made, method)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Value] | None, kind: Kind, parent: str | None) -> Iterator[Made]:
        """See `common.telemetry.tracing.span`."""
        context = contexts.get_current()
        if parent is not None and not get_current_span(context).get_span_context().is_valid:
            context = _W3C.extract({"traceparent": parent}, context)
        # Errors are noted by their kind alone: their texts, which may quote what was sent, are the log's to mask.
        with self._tracer.start_as_current_span(
            name, context, _KINDS[kind], attributes, record_exception=False, set_status_on_exception=False
        ) as made:
            try:
                yield Made(made)
            except BaseException as exc:
                made.set_attribute("error.type", type(exc).__qualname__)
                made.set_status(Status(StatusCode.ERROR))
                raise

    def traceparent(self) -> str | None:
        """See `common.telemetry.tracing.traceparent`."""
        return Made(get_current_span()).traceparent

    def here(self) -> Context:
        """Where the caller is, for `shared`."""
        return contexts.get_current()

    def shared(self, name: str, attributes: Mapping[str, Value], began_ns: int, callers: Iterable[Context]) -> None:
        """A span from `began_ns` until now for each of those whose work was done together, linked with each other."""
        found = {
            context.span_id: caller
            for caller in callers
            if (context := get_current_span(caller).get_span_context()).is_valid
        }
        links = [Link(get_current_span(caller).get_span_context()) for caller in found.values()]
        ended_ns = time.time_ns()
        for place, caller in enumerate(found.values()):
            others = links[:place] + links[place + 1 :]
            made = self._tracer.start_span(name, caller, SpanKind.INTERNAL, attributes, others, began_ns)
            made.end(ended_ns)

    def fields(self) -> dict[str, str]:
        """The ids that a log line carries."""
        context = get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
