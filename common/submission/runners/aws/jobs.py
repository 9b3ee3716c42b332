"""What AWS Batch is asked to do for a task. Pure."""

import hashlib
import json
from typing import Any

from common.errors import Invalid
from common.submission.arrays import indices
from common.submission.records import Submission
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.runners.objects.bootstrap import SCRIPT
from common.submission.spec import TaskSpec

# TerminateJob wants a reason, and tells it again as statusReason.
CANCELLED_REASON = "cancelled by Atoll"
MAX_ELEMENTS = 1000
_MIN_TIMEOUT_S = 60
# The container ends the program itself, and needs a while to put the results back.
_GRACE_S = 120
# Signed addresses are good for seven days; some of it may be spent in the queue.
URL_S = 7 * 86_400 - 60
MAX_TIME_S = 6 * 86_400
# An array claims its task as a whole: elements of two arrays cannot share one.
_PRELUDE = "ATOLL_ELEMENT=${AWS_BATCH_JOB_ARRAY_INDEX:-0}\nATOLL_CLUSTER_JOB_ID=${AWS_BATCH_JOB_ID%%:*}\n"


def check(spec: TaskSpec, config: AwsBatchConfig, queues: tuple[str, ...]) -> None:
    """Refuse what AWS Batch could never run.

    Parameters
    ----------
    queues : those that may be used; empty where that is not known yet.
    """
    queue = spec.partition or config.default_partition
    if queue is None:
        known = f"; there are {', '.join(queues)}" if queues else ""
        raise Invalid.field("partition", f"name a job queue{known}")
    if queues and queue not in queues:
        raise Invalid.field("partition", f"is no job queue of this cluster; there are {', '.join(queues)}", queue)
    if spec.account is not None and config.accounts and spec.account not in config.accounts:
        raise Invalid.field("account", f"is none of this cluster; there are {', '.join(config.accounts)}", spec.account)
    _check_image(spec, config)
    _check_unfit(spec)
    most = min(config.max_time_limit_s or MAX_TIME_S, MAX_TIME_S)
    if (spec.time_limit_s or 0) > most:
        raise Invalid.field("time_limit", f"is at most {most} seconds on this cluster", spec.time_limit_s)
    if spec.array is not None:
        numbers, at_once = indices(spec.array)
        if at_once is not None:
            raise Invalid.field("array", "AWS Batch bounds elements by its queue; leave out what follows %", spec.array)
        if len(numbers) > MAX_ELEMENTS:
            raise Invalid.field("array", f"has at most {MAX_ELEMENTS} elements on this cluster", spec.array)
    if len(spec.dependencies) > 20:
        raise Invalid.field("dependencies", "AWS Batch takes at most 20")


def _check_image(spec: TaskSpec, config: AwsBatchConfig) -> None:
    if config.job_definition:
        if spec.image is not None:
            raise Invalid.field("image", "this cluster's job definition has one; leave it out", spec.image)
        return
    if spec.image is None and config.default_image is None:
        raise Invalid.field("image", "AWS Batch runs containers; name an image")
    if spec.image is not None and config.allowed_images and spec.image not in config.allowed_images:
        known = ", ".join(config.allowed_images)
        raise Invalid.field("image", f"is none of this cluster's; there are {known}", spec.image)


def _check_unfit(spec: TaskSpec) -> None:
    if (spec.nodes or 1) > 1:
        raise Invalid.field("nodes", "a task has one node on AWS Batch; leave it out", spec.nodes)
    if spec.modules:
        raise Invalid.field("modules", "containers have none; choose an image that has what is needed")
    if spec.spark is not None:
        raise Invalid.field("spark", "is for clusters of kind spark, kubernetes' operator, or local")


def queue_of(spec: TaskSpec, config: AwsBatchConfig) -> str:
    """The job queue of a task that was checked."""
    return spec.partition or config.default_partition or ""


def image_of(spec: TaskSpec, config: AwsBatchConfig) -> str:
    """The image in full; a name without a registry is looked for in the cluster's own."""
    image = spec.image or config.default_image or ""
    first = image.partition("/")[0]
    has_registry = "/" in image and ("." in first or ":" in first or first == "localhost")
    return image if has_registry or not config.images else f"{config.images.rstrip('/')}/{image}"


def elements(spec: TaskSpec) -> list[int] | None:
    """The user's indices in the order in which AWS Batch counts from 0; None for a task that is no array."""
    return None if spec.array is None else indices(spec.array)[0]


def definition(spec: TaskSpec, config: AwsBatchConfig) -> dict[str, Any]:
    """What RegisterJobDefinition is told for a task's image; equal ones have equal names."""
    container: dict[str, Any] = {
        "image": image_of(spec, config),
        # Of no use without the overrides of a task.
        "command": ["sh", "-c", "exit 125"],
        "resourceRequirements": [
            {"type": "VCPU", "value": str(config.default_cpus)},
            {"type": "MEMORY", "value": str(config.default_memory_mib)},
        ],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": config.log_group}},
    }
    if config.job_role:
        container["jobRoleArn"] = config.job_role
    if config.execution_role:
        container["executionRoleArn"] = config.execution_role
    told = {"type": "container", "containerProperties": container, "platformCapabilities": [config.platform]}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:20]
    return {"jobDefinitionName": f"atoll-{digest}", **told}


def submission(task: Submission, config: AwsBatchConfig, definition_name: str, manifest_url: str) -> dict[str, Any]:
    """What SubmitJob is told.

    Parameters
    ----------
    manifest_url : signed; the one secret in it.
    """
    spec = task.spec
    needs = [("VCPU", spec.cpus or config.default_cpus), ("MEMORY", _memory_mib(spec, config)), ("GPU", spec.gpus or 0)]
    request: dict[str, Any] = {
        "jobName": task.name,
        "jobQueue": queue_of(spec, config),
        "jobDefinition": definition_name,
        "containerOverrides": {
            "command": ["sh", "-c", _PRELUDE + SCRIPT],
            "environment": [{"name": "ATOLL_MANIFEST", "value": manifest_url}],
            "resourceRequirements": [{"type": kind, "value": str(value)} for kind, value in needs if value],
        },
        "retryStrategy": _retries(spec, config),
        "tags": _tags(task, config),
        "propagateTags": True,
    }
    limit_s = time_limit_s(spec, config)
    if limit_s is not None:
        request["timeout"] = {"attemptDurationSeconds": max(_MIN_TIMEOUT_S, limit_s + _GRACE_S)}
    numbers = elements(spec)
    # One alone is no array for AWS Batch.
    if numbers is not None and len(numbers) > 1:
        request["arrayProperties"] = {"size": len(numbers)}
    if task.depends_on:
        request["dependsOn"] = [{"jobId": job_id} for job_id in task.depends_on]
    return request


def time_limit_s(spec: TaskSpec, config: AwsBatchConfig) -> int | None:
    return spec.time_limit_s or config.default_time_limit_s


def _memory_mib(spec: TaskSpec, config: AwsBatchConfig) -> int:
    return config.default_memory_mib if spec.memory_bytes is None else max(4, -(-spec.memory_bytes // (1 << 20)))


def _retries(spec: TaskSpec, config: AwsBatchConfig) -> dict[str, Any]:
    if not spec.requeue:
        return {"attempts": 1}
    return {
        "attempts": config.requeue_attempts,
        "evaluateOnExit": [
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }


def _tags(task: Submission, config: AwsBatchConfig) -> dict[str, str]:
    """For the bill, and for people who look at the console."""
    tags = {"atoll:task": task.task_id}
    if account := task.spec.account or config.default_account:
        tags["atoll:account"] = account
    return tags
