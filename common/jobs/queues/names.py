"""Which queues a process reads, from its settings alone: the Functions entry point registers one function for each."""

import importlib.util

from common.jobs.queues.base import queue_name
from common.jobs.states import Kind
from common.settings import Settings

# Kinds that something runs; `submission` has no executor.
RUNNABLE = (Kind.PREDICTION, Kind.TRAINING)


def worker_classes(settings: Settings) -> tuple[str, ...]:
    """The classes of jobs that this process can run: as set, by default `train` only where torch is installed."""
    return settings.jobs.worker_classes or (("cpu", "train") if importlib.util.find_spec("torch") else ("cpu",))


def queue_names(settings: Settings) -> list[str]:
    """One queue a kind and class of workers."""
    services = settings.plugins.service_model
    return [queue_name(kind, worker, services) for kind in RUNNABLE for worker in worker_classes(settings)]
