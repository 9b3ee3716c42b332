"""Switches on what sends traces, metrics and logs to other systems. Imported only where `TELEMETRY_BACKENDS` says so.

A receiver that is slow or away costs nothing but what it would have got: everything is sent from threads of its own,
and what does not fit their queues is dropped.
"""

import atexit
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from common.errors import SettingsError
from common.settings import TelemetrySettings
from common.telemetry import tracing
from common.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from common.telemetry.bridge import Sender

_SCOPE = "atoll"
# A process that ends waits no longer than this for what is left to be sent.
_LAST_S = 2.0
_lock = threading.Lock()
_started = False


def start(settings: TelemetrySettings) -> None:
    """Send what the settings say, from now on. Once a process: later calls change nothing.

    Raises
    ------
    SettingsError
        A package of the extra is missing, or an exporter does not take what is set.
    """
    global _started
    with _lock:
        if _started or not settings.backends:
            return
        try:
            _start(settings)
        except ImportError as exc:
            extra = "azure-monitor" if "azure" in str(exc) else "otel"
            raise SettingsError(
                f"TELEMETRY_BACKENDS={','.join(settings.backends)} needs the package {exc.name}; install the extra "
                f"{extra} (pip install -e '.[{extra}]'), or unset TELEMETRY_BACKENDS"
            ) from None
        except ValueError as exc:
            # Azure's exporter quotes the part of a connection string that is wrong, never the key.
            raise SettingsError(f"telemetry cannot be sent: {exc}") from None
        _started = True


def _start(settings: TelemetrySettings) -> None:
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create(
        {
            "service.name": settings.service_name,
            "service.version": VERSION,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        }
    )
    # All imports and exporters before anything begins: what is missing is told before half of it runs.
    made = {
        signal: [_exporter(settings, backend, signal) for backend in settings.backends]
        for signal, wanted in (("trace", "traces"), ("metric", "metrics"), ("log", "logs"))
        if wanted in settings.signals
    }
    if "trace" in made:
        _trace(resource, made["trace"], is_global="azure-monitor" in settings.backends)
    if "log" in made:
        _log(resource, made["log"], logging.getLogger())
    if "metric" in made:
        _measure(resource, made["metric"], settings)


def _exporter(settings: TelemetrySettings, backend: str, signal: str) -> Any:
    if backend == "azure-monitor":
        if settings.application_insights is None:
            raise SettingsError(
                "TELEMETRY_BACKENDS names azure-monitor, but APPLICATIONINSIGHTS_CONNECTION_STRING is not set; set it "
                "to the connection string of your Application Insights resource"
            )
        from azure.monitor.opentelemetry import exporter as azure

        kind: Any = {
            "trace": azure.AzureMonitorTraceExporter,
            "metric": azure.AzureMonitorMetricExporter,
            "log": azure.AzureMonitorLogExporter,
        }[signal]
        # No copies on this machine's disk of what could not be sent.
        return kind(connection_string=settings.application_insights.get_secret_value(), disable_offline_storage=True)
    return _otlp_over_grpc(settings, signal) if settings.otlp_protocol == "grpc" else _otlp_over_http(settings, signal)


def _otlp_over_http(settings: TelemetrySettings, signal: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    kind: Any = {"trace": OTLPSpanExporter, "metric": OTLPMetricExporter, "log": OTLPLogExporter}[signal]
    return kind(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/{signal}s")


def _otlp_over_grpc(settings: TelemetrySettings, signal: str) -> Any:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    kind: Any = {"trace": OTLPSpanExporter, "metric": OTLPMetricExporter, "log": OTLPLogExporter}[signal]
    return kind(endpoint=settings.otlp_endpoint, insecure=settings.otlp_endpoint.startswith("http://"))


def _trace(resource: "Resource", exporters: Sequence[Any], *, is_global: bool) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from common.telemetry.spans import Spans

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    if is_global:
        # Azure's exporter reads the name of the service from there.
        trace.set_tracer_provider(provider)
    tracing.spans = Spans(provider.get_tracer(_SCOPE, VERSION))
    _keep(provider.force_flush)


def _log(resource: "Resource", exporters: Sequence[Any], root: logging.Logger) -> None:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    from common.telemetry.log_records import SendingHandler

    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    root.addHandler(SendingHandler(provider.get_logger(_SCOPE, VERSION)))
    _keep(provider.force_flush)


def _measure(resource: "Resource", exporters: Sequence["Sender"], settings: TelemetrySettings) -> None:
    from prometheus_client import REGISTRY

    from common.telemetry.bridge import Bridge

    # Azure adds up what it is sent; OTLP's receivers expect totals.
    bridges = [
        Bridge(REGISTRY, exporter, resource, is_delta=backend == "azure-monitor")
        for backend, exporter in zip(settings.backends, exporters, strict=True)
    ]
    for bridge in bridges:
        threading.Thread(
            target=bridge.run, args=(settings.metric_interval_ms / 1000,), name="telemetry-metrics", daemon=True
        ).start()
        _keep(bridge.send)


def _keep(send: Callable[[], object]) -> None:
    """Have what is left sent when somebody asks for it, and when the process ends."""
    if not tracing.senders:
        atexit.register(tracing.flush, _LAST_S)
    tracing.senders.append(send)
