"""The SparkApplication of a task, as sparkoperator.k8s.io/v1beta2 has it. Pure.

https://github.com/kubeflow/spark-operator/blob/master/docs/api-docs.md
"""

from typing import Any

from common.submission import script
from common.submission.records import Submission
from common.submission.runners.kubernetes.checks import image_of, time_limit_of
from common.submission.runners.kubernetes.labels import labels_of
from common.submission.runners.kubernetes.manifest import (
    Manifest,
    container_security,
    escaped,
    metadata,
    mounts,
    placement,
    pod_security,
    volumes,
)
from common.submission.runners.spark.config import SparkConfig
from common.submission.spark_submit import camel_case, text
from common.submission.spec import SparkSpec, TaskSpec
from common.submission.tracking import environment

_RETRIES, _RETRY_AFTER_S = 3, 10


def application(task: Submission, config: SparkConfig) -> Manifest:
    """A SparkApplication.

    With `requeue`, the operator begins it anew when it has failed, for whatever reason: it tells none apart.
    """
    spec, spark = task.spec, spark_of(task.spec)
    body: Manifest = {
        "type": "Python" if is_python(spec) else "Scala",
        "mode": "cluster",
        "image": image_of(spec, config),
        "imagePullPolicy": config.image_pull_policy,
        "sparkVersion": spark.version or config.spark_version,
        "mainApplicationFile": application_file(task, config),
        "sparkConf": conf(spark, config),
        "restartPolicy": _restarts(spec),
        "timeToLiveSeconds": config.keep_s,
        "driver": _driver(task, config),
        "executor": _executor(task, config),
    }
    if is_python(spec):
        body["pythonVersion"] = "3"
    if spark.main_class is not None:
        body["mainClass"] = spark.main_class
    arguments = (*spark.arguments, *(script.arguments(spec.parameters) if spec.as_arguments else ()))
    if arguments:
        # They become those of a container.
        body["arguments"] = [escaped(argument) for argument in arguments]
    if config.image_pull_secrets:
        body["imagePullSecrets"] = list(config.image_pull_secrets)
    if config.claim is not None:
        body["volumes"] = volumes(config)
    if spark.min_executors is not None or spark.max_executors is not None:
        body["dynamicAllocation"] = _dynamic(spark)
    return {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": metadata(task, {**config.labels, **labels_of(task, config.name)}),
        "spec": body,
    }


def spark_of(spec: TaskSpec) -> SparkSpec:
    return spec.spark or SparkSpec()


def is_python(spec: TaskSpec) -> bool:
    spark = spark_of(spec)
    return spark.main_class is None and (spark.application_file or spec.entry_point).endswith(".py")


def application_file(task: Submission, config: SparkConfig) -> str:
    """What runs: of the image or a URL, else the entry point on the share."""
    given = spark_of(task.spec).application_file
    return given or f"local://{config.task_root}/{task.name}/{script.PROGRAM}/{task.spec.entry_point}"


def conf(spark: SparkSpec, config: SparkConfig) -> dict[str, str]:
    """The settings: the cluster's, the application's own over them, and the properties of the listener."""
    listener = {f"{config.listener_prefix}{camel_case(name)}": text(value) for name, value in spark.listener.items()}
    return {**config.conf, **spark.conf, **listener}


def _restarts(spec: TaskSpec) -> Manifest:
    if not spec.requeue:
        return {"type": "Never"}
    return {
        "type": "OnFailure",
        "onFailureRetries": _RETRIES,
        "onFailureRetryInterval": _RETRY_AFTER_S,
        "onSubmissionFailureRetries": _RETRIES,
        "onSubmissionFailureRetryInterval": _RETRY_AFTER_S,
    }


def _dynamic(spark: SparkSpec) -> Manifest:
    # There is no shuffle service on Kubernetes: Spark keeps the executors whose shuffle files are still needed.
    found: Manifest = {"enabled": True, "initialExecutors": spark.executors, "shuffleTrackingEnabled": True}
    if spark.min_executors is not None:
        found["minExecutors"] = spark.min_executors
    if spark.max_executors is not None:
        found["maxExecutors"] = spark.max_executors
    return found


def _pod(task: Submission, config: SparkConfig) -> Manifest:
    """What driver and executors have in common."""
    placed = placement(task.spec, config)
    found: Manifest = {
        "labels": labels_of(task, config.name),
        "env": [{"name": name, "value": escaped(value)} for name, value in variables(task, config).items()],
        "securityContext": container_security(),
        "podSecurityContext": pod_security(config),
        **placed,
    }
    if spark_of(task.spec).memory_overhead is not None:
        found["memoryOverhead"] = spark_of(task.spec).memory_overhead
    if config.claim is not None:
        found["volumeMounts"] = mounts(task, config)
    return found


def _driver(task: Submission, config: SparkConfig) -> Manifest:
    spark = spark_of(task.spec)
    found = {"cores": spark.driver_cores, "memory": spark.driver_memory, **_pod(task, config)}
    if config.service_account is not None:
        found["serviceAccount"] = config.service_account
    limit_s = time_limit_of(task.spec, config)
    if limit_s is not None:
        # The application has no time limit of its own; the driver's pod has.
        found["template"] = {"spec": {"activeDeadlineSeconds": limit_s}}
    return found


def _executor(task: Submission, config: SparkConfig) -> Manifest:
    spark = spark_of(task.spec)
    found: dict[str, Any] = {"instances": spark.executors, "cores": spark.executor_cores}
    found |= {"memory": spark.executor_memory, **_pod(task, config)}
    if task.spec.gpus:
        found["gpu"] = {"name": config.gpu_resource, "quantity": task.spec.gpus}
    return found


def variables(task: Submission, config: SparkConfig) -> dict[str, str]:
    """What `run.sh` would tell the program; nothing of the task's folder without a share."""
    spec = task.spec
    found = {"ATOLL_TASK_ID": task.task_id, "ATOLL_TASK_NAME": task.name, "ATOLL_CLUSTER_JOB_ID": task.name}
    if config.task_root is not None and config.share is not None:
        folder = f"{config.task_root}/{task.name}"
        found["ATOLL_TASK_DIR"] = folder
        found["ATOLL_PARAMS"] = f"{folder}/{script.PARAMS}"
        found["ATOLL_INPUT_DIR"] = f"{folder}/{script.INPUTS}"
        found["ATOLL_OUTPUT_DIR"] = f"{folder}/{script.OUTPUT}"
        if spec.dataset is not None:
            found["ATOLL_DATASET"] = f"{config.share.rstrip('/')}/datasets/{spec.dataset}.csv"
    for name, value in environment(spec, config, task.name).items():
        found[name] = value.replace("$ATOLL_OUTPUT_DIR", found.get("ATOLL_OUTPUT_DIR", "."))
    return {**found, **config.environment, **spec.environment}
