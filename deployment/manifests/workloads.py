"""The objects of one service: deployment, address, disruption budget, scalers, a ScaledJob for each of its queues."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from common.jobs.queues import queue_name
from common.jobs.states import Kind
from deployment.manifests.models import Model
from deployment.manifests.pods import PORT, Json, api_pod, labels, resources, worker_pod
from deployment.manifests.spec import SHARE, Service

# Figures of docs/scaling.md, by which bursts are answered at the price of before.
_LEAST_PODS, _MOST_PODS, _CPU_PERCENT = 2, 10, 60
# The old system's, for the HPA that is there instead.
_HPA_LEAST_PODS, _HPA_MOST_PODS, _HPA_CPU_PERCENT = 1, 5, 50
_AUTHENTICATION = "atoll-queues"
# At 5 s KEDA looks again before a new pod has taken its message, and makes a second one.
_POLL_S = 15


@dataclass(frozen=True)
class Queued:
    """A queue whose jobs a service's workers run.

    Parameters
    ----------
    most : jobs of it that run at once.
    """

    kind: Kind
    worker: str
    name: str
    most: int


def queues_of(service: Service, models: Mapping[str, Model]) -> list[Queued]:
    """The queues to which a service sends jobs; tasks for clusters go by the service that serves all."""
    served = [models[name] for name in service.models] or list(models.values())
    workers = sorted({model.worker for model in served})
    trained = {model.worker for model in served if model.is_trained}
    kinds = [(Kind.PREDICTION, worker, 10) for worker in workers]
    kinds += [(Kind.TRAINING, worker, 5) for worker in workers if worker in trained]
    kinds += [] if service.models else [(Kind.SUBMISSION, "cpu", 3)]
    return [Queued(kind, worker, queue_name(kind, worker, service.models), most) for kind, worker, most in kinds]


def service_objects(service: Service, models: Mapping[str, Model]) -> list[Json]:
    """Everything of a service but what scales its API."""
    return [
        *_claim(service),
        _deployment(service),
        _address(service),
        _budget(service),
        *(_scaled_job(service, queue) for queue in queues_of(service, models)),
    ]


def keda_scaler(service: Service) -> Json:
    """KEDA's scaler of a service's API."""
    behaviour = {"scaleDown": {"stabilizationWindowSeconds": 300}}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": service.name, "labels": labels(service.name, "api")},
        "spec": {
            "scaleTargetRef": {"name": service.name},
            "minReplicaCount": _LEAST_PODS,
            "maxReplicaCount": _MOST_PODS,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behaviour}},
            "triggers": [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(_CPU_PERCENT)}}],
        },
    }


def hpa_scaler(service: Service) -> Json:
    """Without KEDA, and with the figures of the system before."""
    target = {"type": "Utilization", "averageUtilization": _HPA_CPU_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": service.name, "labels": labels(service.name, "api")},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name},
            "minReplicas": _HPA_LEAST_PODS,
            "maxReplicas": _HPA_MOST_PODS,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def database_triggers(service: Service, models: Mapping[str, Model]) -> list[Json]:
    """Patches by which KEDA counts the messages in the database, where no storage account carries them."""
    return [
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledJob",
            "metadata": {"name": job_name(service, queue)},
            "spec": {"triggers": [trigger("postgresql", {"query": waiting(queue.name), "targetQueryValue": "1"})]},
        }
        for queue in queues_of(service, models)
    ]


def waiting(queue: str) -> str:
    """Asks PostgreSQL how many messages of a queue nobody handles."""
    # The name is made of lower-case letters, digits and hyphens.
    return f"SELECT count(*) FROM queue_messages WHERE queue = '{queue}' AND visible_at <= now()"  # noqa: S608


def trigger(kind: str, metadata: dict[str, str]) -> Json:
    """What KEDA asks, and as whom."""
    return {"type": kind, "metadata": metadata, "authenticationRef": {"name": _AUTHENTICATION}}


def job_name(service: Service, queue: Queued) -> str:
    return f"{service.name}-{queue.kind}-{queue.worker}"


def _claim(service: Service) -> Iterable[Json]:
    if service.volume is None or service.volume.name == SHARE:
        return
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": service.volume.name, "labels": labels(service.name, "share")},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": f"atoll-{service.volume.kind}",
            "resources": {"requests": {"storage": "100Gi"}},
        },
    }


def _deployment(service: Service) -> Json:
    # A new pod answers before an old one leaves.
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service.name, "labels": labels(service.name, "api")},
        # How many there are is the scaler's to say.
        "spec": {
            "revisionHistoryLimit": 3,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
            "selector": {"matchLabels": labels(service.name, "api")},
            "template": api_pod(service),
        },
    }


def _address(service: Service) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "labels": labels(service.name, "api")},
        "spec": {
            "selector": labels(service.name, "api"),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "appProtocol": "http"}],
        },
    }


def _budget(service: Service) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": service.name, "labels": labels(service.name, "api")},
        # Not `minAvailable`: with a single pod no node could ever be drained.
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": labels(service.name, "api")},
        },
    }


def _scaled_job(service: Service, queue: Queued) -> Json:
    memory = ("1Gi", "4Gi") if queue.worker == "train" else ("512Mi", "2Gi")
    given = resources("500m", "2", *memory)
    # Only what nobody handles counts: a worker hides its message for as long as it works.
    metadata = {"queueName": queue.name, "queueLength": "1", "queueLengthStrategy": "visibleonly"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledJob",
        "metadata": {"name": job_name(service, queue), "labels": labels(service.name, "worker")},
        "spec": {
            "pollingInterval": _POLL_S,
            "maxReplicaCount": queue.most,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 5,
            "scalingStrategy": {"strategy": "accurate"},
            # A new version lets running jobs end.
            "rollout": {"strategy": "gradual"},
            "jobTargetRef": {
                # Attempts are Atoll's to count.
                "backoffLimit": 0,
                "ttlSecondsAfterFinished": 600,
                "template": worker_pod(service, queue.name, queue.worker, given),
            },
            "triggers": [trigger("azure-queue", metadata)],
        },
    }
