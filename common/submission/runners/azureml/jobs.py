"""What Azure Machine Learning is asked to do for a task. Pure.

Shapes: Microsoft.MachineLearningServices, API version 2024-04-01, `CommandJob` and `EnvironmentVersion`.
"""

import hashlib
import re
from typing import Any

from common.errors import Invalid
from common.submission.records import Submission
from common.submission.runners.azureml.config import AzureMlConfig
from common.submission.runners.objects.bootstrap import SCRIPT
from common.submission.spec import TaskSpec

# The tag by which Atoll's jobs are listed.
TAG = "atoll"
# Signed addresses; some of it may be spent in the queue.
URL_S = 30 * 86_400
MAX_TIME_S = 25 * 86_400
# The container ends the program itself, and needs a while to put the results back.
_GRACE_S = 300
_ENVIRONMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,254})[:@]([A-Za-z0-9][A-Za-z0-9_.-]{0,29})")
_EXPERIMENT = re.compile(r"[^A-Za-z0-9_-]+")
_PRELUDE = "ATOLL_ELEMENT=0\n"


def check(spec: TaskSpec, config: AzureMlConfig, computes: tuple[str, ...]) -> None:
    """Refuse what Azure Machine Learning could never run.

    Parameters
    ----------
    computes : those that may be used; empty where that is not known yet.
    """
    compute = spec.partition or config.default_partition
    if compute is None:
        known = f"; there are {', '.join(computes)}" if computes else ""
        raise Invalid.field("partition", f"name a compute{known}")
    if computes and compute not in computes:
        raise Invalid.field("partition", f"is no compute of this cluster; there are {', '.join(computes)}", compute)
    if spec.account is not None and config.accounts and spec.account not in config.accounts:
        raise Invalid.field("account", f"is none of this cluster; there are {', '.join(config.accounts)}", spec.account)
    image = spec.image or config.default_image
    if image is None:
        raise Invalid.field("image", "name an environment, such as sklearn:3, or an image with its registry")
    if spec.image is not None and config.allowed_images and spec.image not in config.allowed_images:
        known = ", ".join(config.allowed_images)
        raise Invalid.field("image", f"is none of this cluster's; there are {known}", spec.image)
    if not _is_image(image, config) and not _ENVIRONMENT.fullmatch(image):
        raise Invalid.field("image", "names no version; write e.g. sklearn:3, or an image with its registry", image)
    _check_unfit(spec)
    most = min(config.max_time_limit_s or MAX_TIME_S, MAX_TIME_S)
    if (spec.time_limit_s or 0) > most:
        raise Invalid.field("time_limit", f"is at most {most} seconds on this cluster", spec.time_limit_s)


def _check_unfit(spec: TaskSpec) -> None:
    for field, value in (("cpus", spec.cpus), ("memory", spec.memory_bytes), ("gpus", spec.gpus)):
        if value:
            raise Invalid.field(
                field, "a compute has machines of one size; leave it out, and choose a partition", value
            )
    if (spec.nodes or 1) > 1:
        raise Invalid.field("nodes", "a task has one node on Azure Machine Learning; leave it out", spec.nodes)
    if spec.array is not None:
        raise Invalid.field("array", "there are none on Azure Machine Learning; submit a task for each", spec.array)
    if spec.modules:
        raise Invalid.field("modules", "containers have none; choose an image that has what is needed")
    if spec.spark is not None:
        raise Invalid.field("spark", "is for clusters of kind spark, or local")


def environment(spec: TaskSpec, config: AzureMlConfig) -> tuple[str, str, dict[str, Any] | None]:
    """Name and version of a task's environment, and what to make it of; None for one that has to be there.

    An image becomes an environment whose name follows from it: equal ones are one.
    """
    image = spec.image or config.default_image or ""
    if _is_image(image, config):
        full = f"{config.images.rstrip('/')}/{image}" if config.images and "/" not in image else image
        digest = hashlib.sha256(full.encode()).hexdigest()[:20]
        return f"atoll-{digest}", "1", {"properties": {"image": full, "osType": "Linux", "isAnonymous": False}}
    found = _ENVIRONMENT.fullmatch(image)
    if found is None:
        raise Invalid.field("image", "names no environment", image)
    return found[1], found[2], None


def _is_image(image: str, config: AzureMlConfig) -> bool:
    return "/" in image or bool(config.images)


def job(task: Submission, config: AzureMlConfig, manifest_url: str) -> dict[str, Any]:
    """The command job.

    Parameters
    ----------
    manifest_url : signed; the one secret in it.
    """
    spec = task.spec
    name, version, _ = environment(spec, config)
    tags = {TAG: config.name, "atoll-task": task.task_id}
    if account := spec.account or config.default_account:
        tags["account"] = account
    experiment = spec.tracking.experiment if spec.tracking else config.experiment
    properties: dict[str, Any] = {
        "jobType": "Command",
        "displayName": spec.name,
        "experimentName": _EXPERIMENT.sub("-", experiment).strip("-_")[:255] or config.experiment,
        "computeId": f"{config.workspace_id}/computes/{spec.partition or config.default_partition}",
        "environmentId": f"{config.workspace_id}/environments/{name}/versions/{version}",
        "command": _PRELUDE + SCRIPT,
        "environmentVariables": {"ATOLL_MANIFEST": manifest_url, "ATOLL_CLUSTER_JOB_ID": task.name},
        "resources": {"instanceCount": 1},
        "tags": tags,
    }
    limit_s = time_limit_s(spec, config)
    if limit_s is not None:
        properties["limits"] = {"jobLimitsType": "Command", "timeout": f"PT{limit_s + _GRACE_S}S"}
    return {"properties": properties}


def time_limit_s(spec: TaskSpec, config: AzureMlConfig) -> int | None:
    return spec.time_limit_s or config.default_time_limit_s
