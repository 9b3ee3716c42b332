"""The pods of Atoll: API and workers share all but their command, their role and how much they get."""

from collections.abc import Mapping
from typing import Any

from deployment.manifests.spec import Service

Json = dict[str, Any]

PORT = 8000
# What `deployment/Dockerfile` gives its user; nobody on the node.
USER = 10001
IMAGE, TRAIN_IMAGE = "atoll", "atoll-train"
SETTINGS, SECRETS, ACCOUNT = "atoll-settings", "atoll-secrets", "atoll"
SECRETS_PATH, SHARE_PATH, STATE_PATH = "/etc/atoll/secrets", "/mnt/share", "/var/lib/atoll"


def labels(instance: str, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "atoll",
        "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/component": component,
    }


def resources(cpu_request: str, cpu_limit: str, memory_request: str, memory_limit: str) -> Json:
    return {
        "requests": {"cpu": cpu_request, "memory": memory_request},
        "limits": {"cpu": cpu_limit, "memory": memory_limit},
    }


def api_pod(service: Service) -> Json:
    """The pod template of a service's API."""
    container = {
        **_container(service, IMAGE, ["python", "-m", "common.host"], {"ATOLL_ROLES": "http"}),
        "ports": [{"name": "http", "containerPort": PORT}],
        # It has begun once it answers at all; two minutes are for a slow disk and a cold image.
        "startupProbe": _probe("/health/live", periodSeconds=2, failureThreshold=60),
        # It gets requests while all its models have their data.
        "readinessProbe": _probe("/health/ready", periodSeconds=5, failureThreshold=3, timeoutSeconds=3),
        # It is started anew only when it has been deaf for a minute: load is no reason.
        "livenessProbe": _probe("/health/live", periodSeconds=10, failureThreshold=6, timeoutSeconds=5),
        # Until all proxies know that the pod is leaving, it goes on answering.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": resources(service.cpu_request, service.cpu_limit, service.memory_request, service.memory_limit),
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels(service.name, "api")},
    }
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT), "prometheus.io/path": "/metrics"}
    return {
        "metadata": {"labels": labels(service.name, "api"), "annotations": annotations},
        # Five seconds of preStop, 25 s in which requests end, and some to spare.
        "spec": {**_pod(service, container, grace_s=45), "topologySpreadConstraints": [spread]},
    }


def worker_pod(service: Service, queue: str, worker: str, given: Json) -> Json:
    """The pod template of a worker that handles one job of a queue."""
    command = ["python", "-m", "common.jobs", "worker", "--once", "--queue", queue]
    image = TRAIN_IMAGE if worker == "train" else IMAGE
    variables = {"ATOLL_ROLES": "queues", "JOB_WORKERS": worker}
    container = {**_container(service, image, command, variables), "resources": given}
    # Otherwise an autoscaler that wants its node back would end the job.
    annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    return {
        "metadata": {"labels": labels(service.name, "worker"), "annotations": annotations},
        # `JOB_DRAIN_S`, and what a job needs to be put back.
        "spec": {**_pod(service, container, grace_s=60), "restartPolicy": "Never"},
    }


def staying_worker_pod(service: Service, queue: str, given: Json) -> Json:
    """The pod template of a worker that stays and takes one job of a queue after the other."""
    command = ["python", "-m", "common.jobs", "worker", "--queue", queue, "--concurrency", "1"]
    variables = {"ATOLL_ROLES": "queues", "JOB_WORKERS": "cpu"}
    container = {**_container(service, IMAGE, command, variables), "resources": given}
    return {"metadata": {"labels": staying_labels(service.name, queue)}, "spec": _pod(service, container, grace_s=60)}


def staying_labels(instance: str, queue: str) -> dict[str, str]:
    """Of pods of one queue only: those of a ScaledJob have the first three too."""
    return {**labels(instance, "worker"), "atoll-queue": queue}


def _container(service: Service, image: str, command: list[str], variables: Mapping[str, str]) -> Json:
    known = {**variables, **_places(service)}
    if service.models:
        known["SERVICE_MODEL"] = ",".join(service.models)
    mounts = [
        {"name": "secrets", "mountPath": SECRETS_PATH, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        {"name": "state", "mountPath": STATE_PATH},
        *([{"name": "share", "mountPath": SHARE_PATH}] if service.volume else []),
    ]
    return {
        "name": "atoll",
        "image": image,
        "command": command,
        "env": [{"name": name, "value": value} for name, value in known.items()],
        "envFrom": [{"configMapRef": {"name": SETTINGS}}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _places(service: Service) -> dict[str, str]:
    places = {
        "HOST": "0.0.0.0",  # noqa: S104 - within the pod
        "PORT": str(PORT),
        "HOME": "/tmp",  # noqa: S108 - the container's own
        "ATOLL_STATE": STATE_PATH,
        "DATABASE_URL_FILE": f"{SECRETS_PATH}/database-url",
        "ATOLL_ADMIN_KEY_FILE": f"{SECRETS_PATH}/admin-key",
    }
    return {**places, "FILE_SHARE": SHARE_PATH} if service.volume else places


def _pod(service: Service, container: Json, grace_s: int) -> Json:
    volumes: list[Json] = [
        # The first one: overlays put a Key Vault in its place.
        {"name": "secrets", "secret": {"secretName": SECRETS, "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "state", "emptyDir": {"sizeLimit": "5Gi"}},
    ]
    if service.volume:
        volumes.append({"name": "share", "persistentVolumeClaim": {"claimName": service.volume.name}})
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        # Variables such as ATOLL_PORT=tcp://…, which nobody asked for.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }


def _probe(path: str, **times: int) -> Json:
    return {"httpGet": {"path": path, "port": "http"}, **times}
