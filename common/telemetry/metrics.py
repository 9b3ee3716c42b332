"""All Prometheus metrics of the framework. `docs/metrics.md` explains each; a test compares the two.

With several processes on one machine (`WORKERS` > 1) the host names a folder in PROMETHEUS_MULTIPROC_DIR before this
module is imported; prometheus_client then keeps every value in that folder and any process can answer for all.
"""

import os
import re
import struct
import time
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

# A second series per counter that says when it began; nobody asks it, and it doubles the page.
disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in prometheus_client

CONTENT_TYPE = CONTENT_TYPE_LATEST

# From a cached answer (1 ms) to the 230 s after which Azure's front end gives up.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 230)

REQUESTS = Counter("atoll_http_requests_total", "Requests answered.", ("method", "route", "status"))
SECONDS = Histogram("atoll_http_request_seconds", "Time to answer a request.", ("method", "route"), buckets=_SECONDS)
STARTUPS = Counter("atoll_startups_total", "Times this installation's processes went through start-up.")
MODEL_READY = Gauge(
    "atoll_model_ready", "Processes in which the model is ready to answer.", ("model",), multiprocess_mode="livesum"
)
POOL_TAKEN = Gauge("atoll_pool_taken", "Predictions running or waiting for a thread.", multiprocess_mode="livesum")
POOL_REJECTED = Counter("atoll_pool_rejected_total", "Predictions refused because the queue was full.")
CACHE_ANSWERS = Counter("atoll_cache_answers_total", "Cacheable answers, by where they came from.", ("outcome",))
CACHE_ITEMS = Counter("atoll_cache_items_total", "Items of predictions, by where they came from.", ("model", "outcome"))
REDIS_CALLS = Counter("atoll_redis_cache_calls_total", "Calls of the cache in Redis.", ("call", "outcome"))
CACHE_BYTES = Gauge("atoll_cache_bytes", "Bytes of results kept in memory.", multiprocess_mode="livesum")

_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BATCH_ITEMS = Histogram("atoll_batch_items", "Items that were run together.", ("model",), buckets=_BATCH)
BATCH_SECONDS = Histogram("atoll_batch_seconds", "Time that a batch ran.", ("model",), buckets=_SECONDS)
BATCH_WAIT_SECONDS = Histogram(
    "atoll_batch_wait_seconds",
    "Time that the item of a batch waited that waited longest.",
    ("model",),
    buckets=_SECONDS,
)
BATCH_REJECTED = Counter(
    "atoll_batch_rejected_total", "Items refused because the queue was full, or their time over.", ("model",)
)

MODEL_POOL_BYTES = Gauge("atoll_model_pool_bytes", "Memory that open model versions take.", multiprocess_mode="livesum")
MODEL_POOL_MODELS = Gauge("atoll_model_pool_models", "Model versions that are open.", multiprocess_mode="livesum")
MODEL_POOL_LOADS = Counter("atoll_model_pool_loads_total", "Loads of model versions.", ("outcome",))
MODEL_POOL_LOAD_SECONDS = Histogram("atoll_model_pool_load_seconds", "Time to load a model version.", buckets=_SECONDS)
MODEL_POOL_EVICTIONS = Counter("atoll_model_pool_evictions_total", "Model versions put out to make room.")
MODEL_POOL_REFUSED = Counter("atoll_model_pool_refused_total", "Loads refused because all others were in use.")

VERSION_REQUESTS = Counter(
    "atoll_model_version_requests_total", "Requests that a version answered.", ("model", "version", "outcome")
)
VERSION_SECONDS = Histogram(
    "atoll_model_version_seconds", "Time that a version took to answer.", ("model", "version"), buckets=_SECONDS
)
SHADOW_ANSWERS = Counter(
    "atoll_shadow_answers_total",
    "Answers of shadows, by how they compare with what callers got.",
    ("model", "version", "shadow", "outcome"),
)

SAMPLE_ROWS = Counter(
    "atoll_sample_rows_total", "Rows of requests chosen to be kept, by what became of them.", ("model", "outcome")
)
DRIFT_PSI = Gauge(
    "atoll_drift_psi",
    "Population stability index of a column, as of the last comparison.",
    ("model", "version", "column"),
    multiprocess_mode="mostrecent",
)

# From a prediction (10 ms) to a training that takes all day.
_JOB_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400, 43200, 86400)

JOBS_ACCEPTED = Counter("atoll_jobs_accepted_total", "Jobs accepted.", ("kind",))
JOB_ATTEMPTS = Counter(
    "atoll_job_attempts_total", "Attempts ended, by the state the job is in then.", ("kind", "state")
)
JOB_WAIT_SECONDS = Histogram("atoll_job_wait_seconds", "Time from due to begun.", ("kind",), buckets=_JOB_SECONDS)
JOB_SECONDS = Histogram("atoll_job_seconds", "Time that attempts ran.", ("kind",), buckets=_JOB_SECONDS)
JOBS_REPAIRED = Counter("atoll_jobs_repaired_total", "Jobs that the scheduler had to look after.", ("why",))
QUEUE_LENGTH = Gauge("atoll_queue_length", "Messages in a queue.", ("queue",), multiprocess_mode="mostrecent")
QUEUE_WAITING = Gauge("atoll_queue_waiting", "Jobs waiting for a worker.", ("queue",), multiprocess_mode="mostrecent")
QUEUE_OLDEST_SECONDS = Gauge(
    "atoll_queue_oldest_seconds",
    "How long the job of a queue that has waited longest could have run.",
    ("queue",),
    multiprocess_mode="mostrecent",
)
JOBS = Gauge("atoll_jobs", "Jobs that are open or dead.", ("kind", "state"), multiprocess_mode="mostrecent")
JOB_HEARTBEAT_SECONDS = Gauge(
    "atoll_job_heartbeat_seconds",
    "Age of the oldest heartbeat of an attempt under way.",
    multiprocess_mode="mostrecent",
)
SCHEDULER_TICKS = Counter("atoll_scheduler_ticks_total", "Rounds of the scheduler, by how they ended.", ("outcome",))

CALLBACK_TRIES = Counter("atoll_callback_tries_total", "Tries to deliver a callback, by how they ended.", ("outcome",))
CALLBACK_DELAY_SECONDS = Histogram(
    "atoll_callback_delay_seconds", "Time from a job's end to the delivery of its callback.", buckets=_JOB_SECONDS
)
CALLBACKS_PENDING = Gauge("atoll_callbacks_pending", "Callbacks still to be delivered.", multiprocess_mode="mostrecent")

TASKS_ACCEPTED = Counter("atoll_tasks_accepted_total", "Tasks accepted.", ("cluster",))
TASKS_FINISHED = Counter("atoll_tasks_finished_total", "Attempts of tasks that ended, by how.", ("cluster", "state"))
TASKS_LIVE = Gauge(
    "atoll_tasks_live", "Tasks that have not finished.", ("cluster", "state"), multiprocess_mode="mostrecent"
)
TASK_SUBMISSIONS = Counter(
    "atoll_task_submissions_total", "Tries to hand a task to its cluster, by how they ended.", ("cluster", "outcome")
)
TASK_SUBMIT_SECONDS = Histogram(
    "atoll_task_submit_seconds", "Time to hand a task to its cluster.", ("cluster",), buckets=_SECONDS
)
TASK_RECONCILES = Counter(
    "atoll_task_reconciles_total", "Rounds in which a cluster was asked, by how they ended.", ("cluster", "outcome")
)
TASK_RECONCILE_SECONDS = Histogram(
    "atoll_task_reconcile_seconds", "Time that a round took.", ("cluster",), buckets=_SECONDS
)
TASK_STRAYS = Counter(
    "atoll_task_strays_total", "Jobs that were ended on a cluster because no task follows them.", ("cluster", "why")
)

AUDIT_UNWRITTEN = Counter("atoll_audit_unwritten_total", "Audit records that only the log has.")

LIMITED = Counter("atoll_limited_total", "Requests refused because the caller asks too much.", ("limit",))

# Shown as 0 from the start: of a series that first appears as 1, `rate` and `increase` never see that one.
_KINDS = ("training", "prediction", "submission")
_KNOWN: dict[Counter, tuple[tuple[str, ...], ...]] = {
    CACHE_ANSWERS: (("hit",), ("miss",)),
    MODEL_POOL_LOADS: (("loaded",), ("failed",), ("refused",)),
    JOBS_ACCEPTED: tuple((kind,) for kind in _KINDS),
    JOB_ATTEMPTS: tuple(
        (kind, state) for kind in _KINDS for state in ("succeeded", "failed", "retrying", "dead", "cancelled", "queued")
    ),
    JOBS_REPAIRED: (("unqueued",), ("overlooked",), ("lost",), ("late",)),
    SCHEDULER_TICKS: (("done",), ("idle",), ("failed",)),
    CALLBACK_TRIES: (("delivered",), ("failed",), ("given_up",)),
    LIMITED: (("rate",), ("failures",), ("jobs",)),
}
for _counter, _series in _KNOWN.items():
    for _labels in _series:
        _counter.labels(*_labels)

# Between looks at a file that is being made, in seconds.
_WAITS_S = (0.005, 0.02, 0.1)


def exposition() -> bytes:
    """The metrics of this process, or of all processes of this host, in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    _forget_dead_processes(folder)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped in prometheus_client
    for wait_s in _WAITS_S:
        try:
            return generate_latest(registry)
        except struct.error:
            # A process that starts has made its file, and has written nothing into it yet.
            time.sleep(wait_s)
    return generate_latest(registry)


def know_redis() -> None:
    """Show the calls of the cache in Redis as 0 until there are any."""
    for call in ("get", "put"):
        for outcome in ("done", "away"):
            REDIS_CALLS.labels(call, outcome)


def know_cluster(name: str) -> None:
    """Show the counters of a cluster as 0 until there is something to count."""
    TASKS_ACCEPTED.labels(name)
    for state in ("succeeded", "failed", "cancelled", "timed-out", "out-of-memory", "node-failed", "lost"):
        TASKS_FINISHED.labels(name, state)
    for outcome in ("submitted", "found", "held", "refused", "down", "failed"):
        TASK_SUBMISSIONS.labels(name, outcome)
    for outcome in ("done", "down", "failed"):
        TASK_RECONCILES.labels(name, outcome)
    for why in ("twin", "orphan"):
        TASK_STRAYS.labels(name, why)


def leave_gauges() -> None:
    """Keep the gauges of this process out of the sums: it runs jobs, and answers nobody. Its counters count.

    The file of the gauges is removed, while this process goes on writing into what no other one sees.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # untyped in prometheus_client


def _forget_dead_processes(folder: Path) -> None:
    """Drop the gauges of processes that have ended; their counters go on counting."""
    for pid in {int(found[1]) for path in folder.glob("*.db") if (found := re.search(r"_(\d+)\.db$", path.name))}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # untyped in prometheus_client
        except PermissionError:
            continue
