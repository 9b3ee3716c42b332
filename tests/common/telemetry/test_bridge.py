"""Metrics as OpenTelemetry's exporters get them."""

from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.telemetry.bridge import Bridge


class Kept:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Metric]] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000) -> None:
        (resource,) = metrics_data.resource_metrics
        self.sent.append({metric.name: metric for metric in resource.scope_metrics[0].metrics})


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def points(metric: Metric) -> list[Any]:
    return list(metric.data.data_points)


def test_a_counter_is_a_growing_sum_with_its_labels(registry: CollectorRegistry) -> None:
    counter, kept = Counter("jobs_total", "Jobs.", ("kind",), registry=registry), Kept()
    bridge = Bridge(registry, kept, Resource({}))
    counter.labels("a").inc(3)
    bridge.send()
    counter.labels("a").inc(2)
    bridge.send()
    metrics = [sent["jobs_total"] for sent in kept.sent]
    assert [points(metric)[0].value for metric in metrics] == [3, 5]
    assert points(metrics[0])[0].attributes == {"kind": "a"}
    assert metrics[0].data.is_monotonic  # type: ignore[union-attr]  # a sum has it


def test_for_azure_what_was_added_is_sent(registry: CollectorRegistry) -> None:
    counter, kept = Counter("jobs_total", "Jobs.", registry=registry), Kept()
    bridge = Bridge(registry, kept, Resource({}), is_delta=True)
    for amount in (3, 2, 0):
        counter.inc(amount)
        bridge.send()
    metrics = [sent["jobs_total"] for sent in kept.sent]
    assert [points(metric)[0].value for metric in metrics] == [3, 2, 0]
    assert metrics[0].data.aggregation_temporality is AggregationTemporality.DELTA  # type: ignore[union-attr]  # a sum


def test_a_gauge_is_what_it_is_now(registry: CollectorRegistry) -> None:
    gauge, kept = Gauge("free_bytes", "Free.", registry=registry), Kept()
    gauge.set(7)
    Bridge(registry, kept, Resource({}), is_delta=True).send()
    assert (points(kept.sent[0]["free_bytes"])[0].value, kept.sent[0]["free_bytes"].unit) == (7, "By")


def test_a_histogram_counts_each_bucket_alone(registry: CollectorRegistry) -> None:
    histogram, kept = Histogram("run_seconds", "Time.", ("kind",), registry=registry, buckets=(1, 2, 4)), Kept()
    for value in (0.5, 1.5, 1.6, 3, 100):
        histogram.labels("a").observe(value)
    Bridge(registry, kept, Resource({})).send()
    (point,) = points(kept.sent[0]["run_seconds"])
    assert (point.bucket_counts, point.explicit_bounds) == ([1, 2, 1, 1], [1, 2, 4])
    assert (point.count, point.sum, point.min, point.max) == (5, pytest.approx(106.6), 0, 4)
    assert point.attributes == {"kind": "a"}


def test_a_histogram_in_which_nothing_was_added_is_empty_for_azure(registry: CollectorRegistry) -> None:
    histogram, kept = Histogram("run_seconds", "Time.", registry=registry, buckets=(1, 2)), Kept()
    bridge = Bridge(registry, kept, Resource({}), is_delta=True)
    histogram.observe(1.5)
    bridge.send()
    bridge.send()
    counts = [points(sent["run_seconds"])[0].bucket_counts for sent in kept.sent]
    assert counts == [[0, 1, 0], [0, 0, 0]]
