"""Spans, with OpenTelemetry's SDK, which keeps them in memory instead of sending them."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from common.host.grpc.calls import Caller, call
from common.serving.pool import WorkPool
from common.telemetry import tracing
from common.telemetry.request import request_fields
from common.telemetry.spans import Spans
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.servers import run_python

MOVED = """
    from fastapi import APIRouter, Request, Response
    from common.plugins import OldPrefix, Plugin
    from common.serving import answer

    router = APIRouter(prefix="/moved")

    @router.post("/predict")
    async def predict(request: Request) -> Response:
        return await answer(request, [str(request.url.path)], lambda: "done")

    plugin = Plugin(prefixes=[OldPrefix("/before", lambda error: error.detail)])
"""
TRACE, CALLER = "1" * 32, "2" * 16
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Tracing is on; what has ended is kept here."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "spans", Spans(provider.get_tracer("test")))
    yield exporter
    provider.shutdown()


def named(kept: InMemorySpanExporter, name: str) -> ReadableSpan:
    found: Sequence[ReadableSpan] = kept.get_finished_spans()
    (span,) = [span for span in found if span.name == name]
    return span


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Trace and span."""
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def test_off_a_span_is_the_same_nothing_for_all() -> None:
    with tracing.span("a") as first, tracing.span("b", {"c": 1}, "client", TRACEPARENT) as second:
        second.note({"d": 2}, "failed")
        assert first is second
        assert first.traceparent is None
    assert tracing.traceparent() is None


def test_off_nothing_of_the_sdk_is_imported(tmp_path: Path) -> None:
    code = "import sys; from common.app import create_app; create_app(); print([m for m in sys.modules if m in WANTED])"
    wanted = "WANTED = ('opentelemetry.sdk', 'opentelemetry.exporter', 'common.telemetry.spans', 'azure.monitor'); "
    run = run_python(["-c", wanted + code], tmp_path, {"SERVICE_MODEL": "sample"})
    assert run.stdout.strip() == "[]", run.stderr


def test_a_request_is_a_span_named_by_its_template_and_a_child_of_its_callers(
    client: Client, kept: InMemorySpanExporter
) -> None:
    client.get("/docs/nothing", headers={"traceparent": TRACEPARENT, "x-request-id": "mine"})
    span = named(kept, "GET /docs/{name}")
    assert (ids(span)[0], parent_of(span), span.kind) == (TRACE, CALLER, SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/docs/{name}",
        "http.response.status_code": 404,
        "url.scheme": "http",
        "atoll.request_id": "mine",
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_request_without_a_context_begins_a_trace(client: Client, kept: InMemorySpanExporter) -> None:
    client.get("/models", headers={"traceparent": "nonsense"})
    assert parent_of(named(kept, "GET /models")) is None


def test_a_caller_that_does_not_sample_gets_no_spans(client: Client, kept: InMemorySpanExporter) -> None:
    client.get("/models", headers={"traceparent": TRACEPARENT[:-2] + "00"})
    assert kept.get_finished_spans() == ()


def test_neither_probes_nor_scrapes_make_spans(client: Client, kept: InMemorySpanExporter) -> None:
    client.get("/health/live")
    client.get("/metrics")
    assert kept.get_finished_spans() == ()


def test_an_invented_path_or_method_makes_no_name_of_its_own(client: Client, kept: InMemorySpanExporter) -> None:
    client.request("INVENTED", "/nothing/here")
    (span,) = kept.get_finished_spans()
    assert (span.name, "nothing" in str(span.attributes)) == ("_OTHER", False)


def test_a_prediction_shows_the_batch_of_its_plugin(client: Client, kept: InMemorySpanExporter) -> None:
    client.post("/sample_model/predict", json={"requiredField": "a name that nobody asked before"})
    request, batch = named(kept, "POST /sample_model/predict"), named(kept, "predict sample")
    assert parent_of(batch) == ids(request)[1]
    assert "nobody" not in str([request.attributes, batch.attributes])


def test_work_on_the_pool_is_a_span_of_who_asked(kept: InMemorySpanExporter) -> None:
    async def ask() -> str:
        pool = WorkPool(1, 1)
        try:
            with tracing.span("asker"):
                return await pool.run(str.upper, "a")
        finally:
            pool.close()

    assert asyncio.run(ask()) == "A"
    assert parent_of(named(kept, "compute")) == ids(named(kept, "asker"))[1]


def test_work_on_the_pool_names_its_model_under_an_old_prefix_too(tmp_path: Path, kept: InMemorySpanExporter) -> None:
    client = Client(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "moved", MOVED),), serve=("moved",)))
    for path in ("/moved/predict", "/before/predict"):
        assert client.post(path).json() == "done"
    computed = [dict(span.attributes or {}) for span in kept.get_finished_spans() if span.name == "compute"]
    assert computed == [{"atoll.model": "moved"}] * 2


def test_a_call_by_grpc_is_a_span_in_the_trace_that_its_metadata_name(
    client: Client, kept: InMemorySpanExporter
) -> None:
    caller = Caller("ipv4:127.0.0.1:5", ("127.0.0.1", 9000), [("traceparent", TRACEPARENT)])
    asyncio.run(call(client.app, caller, "GET", "/v2/models/sample"))
    (span,) = kept.get_finished_spans()
    assert (ids(span)[0], parent_of(span), span.kind) == (TRACE, CALLER, SpanKind.SERVER)
    assert (span.attributes or {})["http.response.status_code"] == 200


def test_a_block_that_raises_is_an_error_without_its_text(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="what was sent"), tracing.span("it"):
        raise ValueError("what was sent")
    span = named(kept, "it")
    assert (span.status.status_code, dict(span.attributes or {})) == (StatusCode.ERROR, {"error.type": "ValueError"})
    assert "what was sent" not in span.to_json()


def test_an_error_that_is_noted_holds_no_secret(kept: InMemorySpanExporter) -> None:
    with tracing.span("it") as span:
        span.note({}, "cannot reach postgresql://atoll:hunter22@db")
    assert "hunter22" not in named(kept, "it").to_json()


def test_a_parent_from_elsewhere_counts_only_where_none_is_here(kept: InMemorySpanExporter) -> None:
    with tracing.span("outer", parent=TRACEPARENT), tracing.span("inner", parent=f"00-{'9' * 32}-{'9' * 16}-01"):
        pass
    outer, inner = named(kept, "outer"), named(kept, "inner")
    assert (parent_of(outer), parent_of(inner), ids(inner)[0]) == (CALLER, ids(outer)[1], TRACE)


def test_work_done_together_shows_in_each_of_its_traces_with_links_to_the_others(kept: InMemorySpanExporter) -> None:
    assert tracing.spans is not None
    callers = []
    for name in ("a", "b"):
        with tracing.span(name):
            # Two items of one caller are one span.
            callers += [tracing.spans.here(), tracing.spans.here()]
    tracing.spans.shared("both", {"atoll.batch.items": 4}, 1, callers)
    both = [span for span in kept.get_finished_spans() if span.name == "both"]
    assert [parent_of(span) for span in both] == [ids(named(kept, name))[1] for name in ("a", "b")]
    assert [f"{link.context.span_id:016x}" for span in both for link in span.links] == [
        ids(named(kept, name))[1] for name in ("b", "a")
    ]


def test_a_log_line_names_the_span_in_which_it_is_written(kept: InMemorySpanExporter) -> None:
    with tracing.span("it"):
        fields = request_fields()
    assert (fields["trace_id"], fields["span_id"]) == ids(named(kept, "it"))
    assert request_fields() == {}


def test_a_receiver_that_hangs_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    over, sent = threading.Event(), threading.Event()
    monkeypatch.setattr(tracing, "senders", [over.wait, sent.set])
    tracing.flush(0.01)
    over.set()
    assert sent.wait(60)
