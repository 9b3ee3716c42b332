"""The page of every metric, made of the metrics that `common.telemetry.metrics` declares. Pure."""

from collections.abc import Iterable

from prometheus_client.metrics import MetricWrapperBase

from deployment.reference.text import code, table

_HEAD = """# Every metric

Made of the code when these pages were built, as `GET /metrics` tells them. [Metrics](metrics.md) says what to make of
them, [incidents](incidents.md) what to do when one of them has raised an alert.
"""


def metrics_page(declared: Iterable[object]) -> str:
    """The page, as Markdown: those of the objects that are metrics, by name."""
    rows = sorted(
        (code(name_of(metric)), str(metric._type), ", ".join(map(code, metric._labelnames)), metric._documentation)
        for metric in declared
        if isinstance(metric, MetricWrapperBase)
    )
    return f"{_HEAD}\n{table(('metric', 'kind', 'labels', 'meaning'), rows)}"


def name_of(metric: MetricWrapperBase) -> str:
    """As it is told; the client keeps counters without their ending."""
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)
