"""Which queues a process reads, from its settings alone: the Functions entry point registers one function for each."""

import importlib.util

from common.jobs.queues.base import queue_name
from common.jobs.states import Kind
from common.settings import Settings

WORKER_CLASSES = ("cpu", "train")
# Kinds whose jobs run isolated from each other. Submissions do not: their runners keep connections.
ISOLATED = (Kind.PREDICTION, Kind.TRAINING)


def worker_classes(settings: Settings) -> tuple[str, ...]:
    """The classes of jobs that this process can run: as set, by default `train` only where torch is installed."""
    return settings.jobs.worker_classes or (WORKER_CLASSES if importlib.util.find_spec("torch") else ("cpu",))


def queue_names(settings: Settings) -> list[str]:
    """One queue a kind and class of workers."""
    services = settings.plugins.service_model
    found = [queue_name(kind, worker, services) for kind in ISOLATED for worker in worker_classes(settings)]
    return found + submission_queues(settings)


def known_queues(settings: Settings) -> list[str]:
    """The queues that a process with these settings may be told to read: its own, and those of processes that serve
    all models."""
    shared = [queue_name(kind, worker) for kind in ISOLATED for worker in WORKER_CLASSES]
    return list(dict.fromkeys([*queue_names(settings), *shared, queue_name(Kind.SUBMISSION, "cpu")]))


def submission_queues(settings: Settings) -> list[str]:
    """The queues of submissions; none where this process runs only trainings."""
    services = settings.plugins.service_model
    return [queue_name(Kind.SUBMISSION, "cpu", services)] if "cpu" in worker_classes(settings) else []
