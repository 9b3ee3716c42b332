"""The Job of a task. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from common.errors import Invalid
from common.submission.arrays import indices
from common.submission.records import Submission
from common.submission.runners.kubernetes import boot
from common.submission.runners.kubernetes.checks import image_of, pool_of, time_limit_of
from common.submission.runners.kubernetes.config import KubernetesBase, KubernetesConfig
from common.submission.runners.kubernetes.labels import TITLE, labels_of
from common.submission.spec import TaskSpec
from common.submission.tracking import folder_of, is_server

Manifest = dict[str, Any]
CONTAINER = "task"
_GRACE_S = 30


def job(task: Submission, config: KubernetesConfig, *, package: str | None) -> Manifest:
    """A batch/v1 Job.

    A time limit is the pod's, from when it has a node: its log stays. The Job's own, which counts waiting too, is
    longer and catches what never gets a node. A failed pod is not repeated, unless `requeue` is asked for and it was
    the node's fault.

    Parameters
    ----------
    package : the files in base64; None for those on the share.
    """
    spec = task.spec
    labels = labels_of(task, config.name)
    pool = pool_of(spec, config)
    template = {
        "metadata": {"labels": labels},
        "spec": _pod(task, config, package),
    }
    body: Manifest = {
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": config.keep_s,
        "template": template,
    }
    limit_s = time_limit_of(spec, config)
    if limit_s is not None:
        body["activeDeadlineSeconds"] = limit_s + config.wait_limit_s
        template["spec"]["activeDeadlineSeconds"] = limit_s
    if spec.requeue:
        disrupted = [{"type": "DisruptionTarget", "status": "True"}]
        body["podFailurePolicy"] = {"rules": [{"action": "Ignore", "onPodConditions": disrupted}]}
    if spec.array is not None:
        body |= _array(spec.array)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(task, {**config.labels, **(pool.labels if pool else {}), **labels}),
        "spec": body,
    }


def metadata(task: Submission, labels: Mapping[str, str]) -> Manifest:
    """Of Atoll's objects; what people call the task and its labels are annotations, which hold any text."""
    annotations = {TITLE: task.spec.name}
    if task.spec.labels:
        annotations["atoll/labels"] = json.dumps(dict(task.spec.labels), sort_keys=True)
    return {"name": task.name, "labels": dict(labels), "annotations": annotations}


def _array(array: str) -> Manifest:
    found, at_once = indices(array)
    return {
        "completionMode": "Indexed",
        "completions": len(found),
        "parallelism": min(at_once or len(found), len(found)),
        # Each element fails for itself.
        "backoffLimitPerIndex": 0,
        "backoffLimit": 2**31 - 1,
    }


def _pod(task: Submission, config: KubernetesConfig, package: str | None) -> Manifest:
    spec = task.spec
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_S,
        **placement(spec, config),
        **_account(config),
        "securityContext": pod_security(config),
        "containers": [_container(task, config, package)],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": config.scratch} if config.scratch else {}},
            *volumes(config),
        ],
    }


def _account(config: KubernetesBase) -> Manifest:
    # The program has no business with the API server.
    found: Manifest = {"automountServiceAccountToken": False, "enableServiceLinks": False}
    if config.service_account is not None:
        found["serviceAccountName"] = config.service_account
    if config.image_pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in config.image_pull_secrets]
    return found


def placement(spec: TaskSpec, config: KubernetesBase) -> Manifest:
    """Where its pods may run, by the partition."""
    pool = pool_of(spec, config)
    found: Manifest = {}
    if pool is None:
        return found
    if pool.node_selector:
        found["nodeSelector"] = dict(pool.node_selector)
    if pool.tolerations:
        found["tolerations"] = [toleration.manifest() for toleration in pool.tolerations]
    if pool.priority_class is not None:
        found["priorityClassName"] = pool.priority_class
    return found


def pod_security(config: KubernetesBase) -> Manifest:
    """Never root, and no system call that a container does not need."""
    found: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if config.user_id:
        # No fsGroup: it would give the files of the whole share to that group.
        found |= {"runAsUser": config.user_id, "runAsGroup": config.group_id}
    return found


def container_security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def volumes(config: KubernetesBase) -> list[Manifest]:
    """The share, if there is one."""
    if config.claim is None:
        return []
    return [{"name": "share", "persistentVolumeClaim": {"claimName": config.claim}}]


def mounts(task: Submission, config: KubernetesBase) -> list[Manifest]:
    """Of the share, the task's own folder, the data sets to read, and the runs where it tracks some: nothing else."""
    if config.claim is None or config.share is None:
        return []
    tracked = task.spec.tracking
    folders = {f"{config.folder}/{config.name}/{task.name}": False}
    if task.spec.dataset is not None:
        folders["datasets"] = True
    if tracked is not None and not is_server(tracked):
        folders[folder_of(tracked)] = False
    root, inside = config.share.rstrip("/"), config.claim_folder
    return [
        {
            "name": "share",
            "mountPath": f"{root}/{folder}",
            "subPath": f"{inside}/{folder}" if inside else folder,
            **({"readOnly": True} if read_only else {}),
        }
        for folder, read_only in folders.items()
    ]


def _container(task: Submission, config: KubernetesConfig, package: str | None) -> Manifest:
    spec = task.spec
    variables = {boot.JOB_ID: task.name, "HOME": "/tmp"}  # noqa: S108 - the container's own
    if package is None:
        variables[boot.TASK_DIR] = f"{config.task_root}/{task.name}"
    else:
        variables[boot.PACKAGE] = package
    if spec.array is not None:
        variables[boot.ARRAY] = " ".join(map(str, indices(spec.array)[0]))
    image = image_of(spec, config)
    if image is None:
        raise Invalid.field("image", "is needed: the name of a container's image", None)
    found: Manifest = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": config.image_pull_policy,
        "command": ["/bin/sh", "-c", boot.on_share() if package is None else boot.inline(config.max_output_bytes)],
        "env": [{"name": name, "value": escaped(value)} for name, value in variables.items()],
        "securityContext": container_security(),
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}, *mounts(task, config)],  # noqa: S108
    }
    amounts = _resources(spec, config)
    if amounts:
        found["resources"] = {"requests": amounts, "limits": dict(amounts)}
    return found


def dumped(manifest: Manifest) -> str:
    """As YAML, for people: text of several lines as such."""
    import yaml  # type: ignore[import-untyped]  # has no types of its own

    class Readable(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Readable.add_representer(str, text)
    return str(yaml.dump(manifest, Dumper=Readable, sort_keys=False, width=120, allow_unicode=True))


def escaped(value: str) -> str:
    """So that Kubernetes takes it as it is: it replaces `$(NAME)` in values of variables."""
    return value.replace("$", "$$")


def _resources(spec: TaskSpec, config: KubernetesConfig) -> dict[str, str]:
    found: dict[str, str] = {}
    cpus = spec.cpus or config.default_cpus
    if cpus:
        found["cpu"] = str(cpus)
    memory = str(spec.memory_bytes) if spec.memory_bytes else config.default_memory
    if memory:
        found["memory"] = memory
    if spec.gpus:
        found[config.gpu_resource] = str(spec.gpus)
    return found
