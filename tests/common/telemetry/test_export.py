"""Telemetry on its way out: real servers and exporters; the lab's receiver is a stand-in for the backends behind it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from common.errors import SettingsError
from common.settings import Settings, TelemetrySettings
from common.telemetry import export, tracing
from tests.support.receiver import Receiver
from tests.support.servers import Server, wait_for
from tests.support.telemetry_sink import Record, Sink

TRACE, CALLER = "1" * 32, "2" * 16
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "Prefer": "respond-async", "x-request-id": "mine"}
FAST = {"SERVICE_MODEL": "sample", "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "500"}
ONE: Record = {"value": 1, "attributes": {"kind": "prediction"}}
# Or the exporter reports on itself to its maker.
LOCAL = {"APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true", "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true"}


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    with Sink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture(scope="module", params=["http/protobuf", "grpc"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """What a server sends of one queued prediction, by either protocol."""
    with Sink(tmp_path_factory.mktemp("sink")) as sink:
        url = sink.grpc_url if request.param == "grpc" else sink.http_url
        otlp = {"OTEL_EXPORTER_OTLP_PROTOCOL": request.param, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        env = {**FAST, **otlp, "TELEMETRY_BACKENDS": "otlp", "OTEL_SERVICE_NAME": "atoll-test"}
        receiver = Receiver()
        server = Server(tmp_path_factory.mktemp("state"), env=env | {"CALLBACK_ALLOW": "127.0.0.1"})
        try:
            run_job(server, {"X-Callback-Url": receiver.url})
            for span in ("predict sample", "callback"):
                sink.wait_for("span", name=span)
            wait_for(lambda: ONE in accepted(sink), "the job to be counted")
            for line in ("request", "job"):
                sink.wait_for("log", body=line)
        finally:
            server.stop()
            receiver.close()
        yield sink


def run_job(server: Server, more: dict[str, str] | None = None) -> None:
    answer = server.post("/sample_model/predict", json={"requiredField": "a"}, headers=HEADERS | (more or {}))
    assert answer.status_code == 202, answer.text
    place = answer.headers["location"]
    wait_for(lambda: server.get(place).json()["state"] == "succeeded", "the job", lambda: None)


def accepted(sink: Sink) -> list[Record]:
    """All values that were sent of the counter of accepted jobs."""
    sent = [one for one in sink.records("metric") if one["name"] == "atoll_jobs_accepted_total"]
    assert all((one["service"], one["type"]) == ("atoll-test", "sum") for one in sent)
    return [point for one in sent for point in one["points"]]


def way_of(spans: list[Record], last: str) -> list[str]:
    """The names from the outermost span of this trace to the one named `last`."""
    by_id = {span["span_id"]: span for span in spans if span["trace_id"] == TRACE}
    (found,) = [span for span in by_id.values() if span["name"] == last]
    names = [found["name"]]
    while found["parent_id"] in by_id:
        found = by_id[found["parent_id"]]
        names.insert(0, found["name"])
    assert found["parent_id"] == CALLER
    return names


def test_one_trace_goes_from_the_request_through_the_queue_and_the_worker_to_the_plugin(told: Sink) -> None:
    assert way_of(told.records("span"), "predict sample") == [
        "POST /sample_model/predict",
        "send prediction-cpu-sample",
        "process prediction-cpu-sample",
        "attempt prediction",
        "POST /sample_model/predict",
        "predict sample",
    ]


def test_metrics_are_sent_as_prometheus_has_them(told: Sink) -> None:
    assert ONE in accepted(told)
    assert {point["value"] for point in accepted(told) if point["attributes"] != ONE["attributes"]} == {0}


def test_a_callback_is_a_call_within_the_trace_of_who_asked_for_it(told: Sink) -> None:
    assert way_of(told.records("span"), "callback") == [
        "POST /sample_model/predict",
        "send prediction-cpu-sample",
        "callback",
    ]


def test_logs_are_sent_with_the_trace_in_which_they_were_written(told: Sink) -> None:
    lines = [log for log in told.records("log") if log["attributes"].get("trace_id") == TRACE]
    assert {"request", "job"} <= {line["body"] for line in lines}
    assert all(line["trace_id"] == TRACE for line in lines)


def test_azure_monitor_gets_requests_dependencies_metrics_and_logs(sink: Sink, tmp_path: Path) -> None:
    connection = f"InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint={sink.http_url}/"
    env = {"TELEMETRY_BACKENDS": "azure-monitor", "APPLICATIONINSIGHTS_CONNECTION_STRING": connection}
    server = Server(tmp_path, env={**FAST, **LOCAL, **env})
    try:
        run_job(server)
        for kind in ("RequestData", "RemoteDependencyData", "MetricData", "MessageData"):
            sink.wait_for("azure", type=kind)
    finally:
        server.stop()


def test_a_receiver_that_is_away_changes_no_answer(tmp_path: Path) -> None:
    env = {
        "TELEMETRY_BACKENDS": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    server = Server(tmp_path, env={**FAST, **env})
    try:
        run_job(server)
    finally:
        server.stop()
    assert server.process.returncode == 0


@pytest.mark.parametrize(
    ("backend", "missing", "extra"),
    [
        ("otlp", "opentelemetry.exporter.otlp.proto.http.trace_exporter", "otel"),
        ("azure-monitor", "azure.monitor.opentelemetry", "azure-monitor"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, backend: Any, missing: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    settings = TelemetrySettings(backends=(backend,), application_insights=SecretStr("InstrumentationKey=0"))
    with pytest.raises(SettingsError, match=rf"install the extra {extra} "):
        export.start(settings)
    assert tracing.spans is None


def test_azure_monitor_without_a_connection_string_is_refused() -> None:
    with pytest.raises(SettingsError, match="APPLICATIONINSIGHTS_CONNECTION_STRING is not set; set it"):
        export.start(TelemetrySettings(backends=("azure-monitor",)))


def test_a_connection_string_that_is_wrong_is_refused_without_being_shown() -> None:
    wrong = "InstrumentationKey=not-a-key-but-perhaps-a-secret"
    settings = TelemetrySettings(backends=("azure-monitor",), application_insights=SecretStr(wrong))
    with pytest.raises(SettingsError) as caught:
        export.start(settings)
    assert "perhaps-a-secret" not in caught.value.detail


def test_a_backend_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_BACKENDS", "otlp,datadog")
    with pytest.raises(SettingsError, match="TELEMETRY_BACKENDS"):
        Settings()
