"""Workers that stay, instead of a pod for each job: for short predictions, by docs/scaling.md.

A pod starts for longer than such a job computes. Trainings keep their ScaledJobs: a Deployment that shrinks ends pods,
and a prediction of a second is done before that, a training is not.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from common.jobs.states import Kind
from deployment.manifests.models import Model
from deployment.manifests.pods import Json, labels, resources, staying_labels, staying_worker_pod
from deployment.manifests.spec import Service
from deployment.manifests.workloads import Queued, job_name, queues_of, trigger

# Where KEDA counts the messages.
Counted = Literal["azure-queue", "database"]

# 18 are enough for a million predictions a day.
_LEAST_PODS, _MOST_PODS = 1, 20


def staying_workers(service: Service, models: Mapping[str, Model], counted: Counted) -> list[Json]:
    """A Deployment and its scaler for the short predictions of a service; none where torch is needed for them."""
    return [
        made
        for queue in _short(service, models)
        for made in (_deployment(service, queue), _scaler(service, queue, counted))
    ]


def replaced_jobs(service: Service, models: Mapping[str, Model]) -> list[Json]:
    """Patches that take away the ScaledJobs in whose place they are."""
    return [
        {
            "$patch": "delete",
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledJob",
            "metadata": {"name": job_name(service, queue)},
        }
        for queue in _short(service, models)
    ]


def _short(service: Service, models: Mapping[str, Model]) -> Iterable[Queued]:
    return [queue for queue in queues_of(service, models) if (queue.kind, queue.worker) == (Kind.PREDICTION, "cpu")]


def _deployment(service: Service, queue: Queued) -> Json:
    # A core each, nearly: by these the figures were found.
    given = resources("900m", "2", "512Mi", "2Gi")
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": job_name(service, queue), "labels": labels(service.name, "worker")},
        "spec": {
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": staying_labels(service.name, queue.name)},
            "template": staying_worker_pod(service, queue.name, given),
        },
    }


def _scaler(service: Service, queue: Queued, counted: Counted) -> Json:
    name = job_name(service, queue)
    if counted == "azure-queue":
        # Also what is being handled: else the pods that handle it would be too many.
        asked = trigger("azure-queue", {"queueName": queue.name, "queueLength": "1", "queueLengthStrategy": "all"})
    else:
        asked = trigger("postgresql", {"query": unfinished(queue.name), "targetQueryValue": "1"})
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "labels": labels(service.name, "worker")},
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": _LEAST_PODS,
            "maxReplicaCount": _MOST_PODS,
            "triggers": [asked],
        },
    }


def unfinished(queue: str) -> str:
    """Asks PostgreSQL how many messages of a queue there are, those that somebody handles too."""
    # The name is made of lower-case letters, digits and hyphens.
    return f"SELECT count(*) FROM queue_messages WHERE queue = '{queue}'"  # noqa: S608
