"""Sends Prometheus' metrics by OpenTelemetry's exporters: one set of metrics, whichever way they leave.

Each process sends its own; receivers tell them apart by `service.instance.id`.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from common.telemetry.logs import get_logger
from common.version import VERSION

log = get_logger("atoll.telemetry")

Labels = tuple[tuple[str, str], ...]
_SCOPE = InstrumentationScope("atoll", VERSION)


class Sender(Protocol):
    """A metric exporter of OpenTelemetry, as far as it is used here."""

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000) -> Any:
        """Send; failures are logged by the exporter, and not raised."""


class Bridge:
    """From a registry to one exporter.

    Parameters
    ----------
    is_delta : send what was added since the last time, not totals.
    """

    def __init__(
        self, registry: CollectorRegistry, exporter: Sender, resource: Resource, *, is_delta: bool = False
    ) -> None:
        self._registry = registry
        self._exporter = exporter
        self._resource = resource
        self._is_delta = is_delta
        self._since_ns = time.time_ns()
        self._before: dict[tuple[str, Labels], float] = {}
        self._lock = threading.Lock()

    def run(self, interval_s: float) -> None:
        """Send for ever."""
        while True:
            time.sleep(interval_s)
            try:
                self.send()
            except Exception as exc:  # noqa: BLE001  # the next round may succeed
                log.warning("metrics cannot be sent", error=f"{type(exc).__name__}: {exc}"[:300])

    def send(self) -> None:
        """Send what the registry holds now."""
        with self._lock:
            now_ns = time.time_ns()
            metrics = [made for family in self._registry.collect() if (made := self._metric(family, now_ns))]
            if self._is_delta:
                self._since_ns = now_ns
        scope = ScopeMetrics(_SCOPE, metrics, "")
        self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))

    def _metric(self, family: Family, now_ns: int) -> Metric | None:
        points: list[Any]
        data: Sum | Gauge | Histogram
        temporality = AggregationTemporality.DELTA if self._is_delta else AggregationTemporality.CUMULATIVE
        if family.type == "histogram":
            points = list(self._histograms(family.samples, now_ns))
            data = Histogram(points, temporality)
        elif family.type == "counter":
            samples = [sample for sample in family.samples if sample.name.endswith("_total")]
            points = [self._number(one, now_ns, self._grown(one)) for one in samples]
            data = Sum(points, temporality, is_monotonic=True)
        else:
            points = [self._number(one, now_ns, one.value) for one in family.samples]
            data = Gauge(points)
        name = f"{family.name}_total" if family.type == "counter" else family.name
        return Metric(name, family.documentation, _unit(family.name), data) if points else None

    def _number(self, sample: Sample, now_ns: int, value: float) -> NumberDataPoint:
        return NumberDataPoint(dict(sample.labels), self._since_ns, now_ns, value)

    def _histograms(self, samples: Iterable[Sample], now_ns: int) -> Iterator[HistogramDataPoint]:
        buckets: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
        sums: dict[Labels, float] = {}
        for sample in samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            key = tuple(sorted(labels.items()))
            if sample.name.endswith("_bucket"):
                buckets[key].append((float(sample.labels["le"]), self._grown(sample)))
            elif sample.name.endswith("_sum"):
                sums[key] = self._grown(sample)
        for key, found in buckets.items():
            found.sort()
            bounds = [bound for bound, _ in found if math.isfinite(bound)]
            # Prometheus counts all that are smaller; OpenTelemetry those of a bucket alone.
            totals = [total for _, total in found]
            counts = [int(total - before) for total, before in zip(totals, [0.0, *totals], strict=False)]
            low, high = _ends(bounds, counts)
            yield HistogramDataPoint(
                dict(key), self._since_ns, now_ns, int(totals[-1]), sums.get(key, 0.0), counts, bounds, low, high
            )

    def _grown(self, sample: Sample) -> float:
        if not self._is_delta:
            return sample.value
        key = sample.name, tuple(sorted(sample.labels.items()))
        before, self._before[key] = self._before.get(key, 0.0), sample.value
        # A smaller one was set back, and counts from nothing.
        return sample.value - before if sample.value >= before else sample.value


def _ends(bounds: list[float], counts: list[int]) -> tuple[float, float]:
    """The least and the greatest value as far as the buckets tell: the bounds of those that are not empty."""
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return 0.0, 0.0
    low = bounds[filled[0] - 1] if filled[0] else 0.0
    return low, bounds[min(filled[-1], len(bounds) - 1)]


def _unit(name: str) -> str:
    return "s" if name.endswith("_seconds") else "By" if name.endswith("_bytes") else "1"
