"""What the scheduler shows of all jobs in the metrics: how many are in which state, and what has waited longest."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import Gauge

from common.jobs.records import Beat
from common.jobs.sweeps import SweepStore
from common.telemetry import metrics

Labels = tuple[str, ...]


class Standing:
    """Sets gauges, and sets those to nothing that have nothing to show any more. One a scheduler."""

    def __init__(self) -> None:
        self._shown: dict[int, tuple[Gauge, set[Labels]]] = {}

    def show(self, store: SweepStore, now: datetime) -> None:
        """Look at the store, and tell what is there now."""
        since = store.waiting_since()
        ages: dict[Labels, float] = {(queue,): max(0.0, (now - due).total_seconds()) for queue, due in since.items()}
        self._set(metrics.JOBS, store.standing())
        self._set(metrics.QUEUE_OLDEST_SECONDS, ages)
        self._set(metrics.JOB_HEARTBEAT_SECONDS, {(): oldest_s(store.beats(), now)})

    def queues(self, lengths: Mapping[str, int], waiting: Mapping[str, int]) -> None:
        """Tell the messages and the waiting jobs of the queues that have any."""
        self._set(metrics.QUEUE_LENGTH, {(queue,): length for queue, length in lengths.items()})
        self._set(metrics.QUEUE_WAITING, {(queue,): count for queue, count in waiting.items()})

    def forget(self) -> None:
        """Another process shows it from now on: what stands here would never change again."""
        for gauge, _ in list(self._shown.values()):
            self._set(gauge, {})

    def _set(self, gauge: Gauge, values: Mapping[Labels, float]) -> None:
        _, shown = self._shown.get(id(gauge), (gauge, set()))
        for labels in shown - set(values):
            (gauge.labels(*labels) if labels else gauge).set(0)
        for labels, value in values.items():
            (gauge.labels(*labels) if labels else gauge).set(value)
        self._shown[id(gauge)] = gauge, set(values)


def oldest_s(beats: list[Beat], now: datetime) -> float:
    """Seconds since the oldest of the heartbeats under way; 0 where there is none."""
    return max((max(0.0, (now - beat.heartbeat_at).total_seconds()) for beat in beats), default=0.0)
