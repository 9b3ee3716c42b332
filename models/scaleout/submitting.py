"""From an old submission to a run: with how many executors it begins, its record, its task on the cluster.

The same submission with the same `Idempotency-Key` is the same run; without a key each one makes a run of its own.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anyio import sleep, to_thread
from fastapi import Request
from fastapi.responses import JSONResponse, Response

from common.clock import new_id
from common.errors import AtollError, Invalid
from common.runtime import Runtime
from models.scaleout.old_submission import OldSubmission, TemplateValues
from models.scaleout.planner import plan_json, plan_of
from models.scaleout.submitted import told_of_submission

if TYPE_CHECKING:
    from common.submission.accepting import Asked
    from common.submission.records import Task
    from common.submission.spec import TaskSpec
    from common.submission.system import TaskSystem
    from models.scaleout.decide import Plan
    from models.scaleout.system import ScaleoutSystem

# What runs lies in the image; the task's own file only tells what was asked for.
_FILE = "submission.json"
_WAIT_S, _LOOK_S = 20.0, 0.2
_TEMPLATES = "scaleout/templates"
_KIND = "spark"


async def submit(request: Request, system: "ScaleoutSystem", body: OldSubmission) -> Response:
    """Record a run and submit it; 200 once the cluster has it, 424 where the cluster refused it, and why.

    Raises
    ------
    Invalid
        It could never run there; nothing was recorded.
    """
    from common.submission.accepting import Asked

    runtime: Runtime = request.app.state.runtime
    asked = Asked.by(request)
    execution_id = run_id(asked, body)

    def begin() -> "tuple[dict[str, Any], list[str], Task]":
        tasks = runtime.tasks
        values = _with_template(body, tasks)
        # With an idempotency key it may be there already: then it begins as it did.
        earlier = system.store.plan(execution_id)
        plan = initial_plan(system, body) if earlier is None else plan_of(earlier)
        spec = task_spec(body, values, plan, execution_id, _cluster(tasks, values))
        shown = _checked(tasks, spec, asked.principal.id)
        told = {**told_of_submission(body), "start_scale_out": plan.scale_out}
        if earlier is None:
            system.store.update(execution_id, told)
            system.store.keep_plan(execution_id, plan_json(plan))
        try:
            task = _submitted(asked, tasks, spec, body)
        except AtollError:
            if earlier is None:
                system.store.delete(execution_id)
            raise
        return {"_id": execution_id, "task_id": task.id, **told}, [shown], task

    entry, template, task = await to_thread.run_sync(begin)
    task = await _settled(runtime.tasks, task)
    refused = task.state.value in ("failed", "lost", "cancelled") and task.started_at is None
    response: dict[str, Any] = {
        "task_id": task.id,
        "name": task.name,
        "cluster": task.spec.cluster,
        "state": task.state.value,
        "cluster_job_id": task.cluster_job_id,
        "reason": task.reason,
    }
    answer: dict[str, Any] = {"db_entry": entry, "template_code": template, "k8s_api_response": response}
    if refused:
        answer["detail"] = f"{task.spec.cluster} refused the application: {task.reason or task.state.value}"
        return JSONResponse(answer, 424)
    return JSONResponse(answer)


def run_id(asked: "Asked", body: OldSubmission) -> str:
    """A new one, or, with an idempotency key, that of its caller's run with this key and body."""
    if asked.idempotency_key is None:
        return new_id()
    parts = (asked.principal.id, asked.idempotency_key, body.model_dump_json())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def initial_plan(system: "ScaleoutSystem", body: OldSubmission) -> "Plan":
    """With how many executors it begins."""
    from models.scaleout.decide import initial

    specs, context = body.global_specs, body.context()
    found = system.planner.whole(system.planner.history(context), context)
    return initial(
        specs.min_scale_out, specs.max_scale_out, specs.max_runtime, found.runs, found.remaining, others=found.others
    )


def task_spec(body: OldSubmission, values: TemplateValues, plan: "Plan", execution_id: str, cluster: str) -> "TaskSpec":
    """
    Raises
    ------
    Invalid
    """
    from pydantic import ValidationError

    from common.http.problems import field_errors
    from common.submission.spec import SparkSpec, TaskSpec

    specs, driver, worker = body.global_specs, body.master_specs, body.worker_specs
    if specs.system_name != "spark":
        raise Invalid.field(
            "global_specs.system_name", "only spark applications can be submitted here", specs.system_name
        )
    if values.main_application_file is None:
        raise Invalid.field(
            "spark_template_values.main_application_file",
            "is missing; send e.g. local:///opt/app.jar, or put it into a template on the share "
            f"({_TEMPLATES}/{specs.template_version or specs.algorithm_name}.json)",
        )
    wanted: dict[str, Any] = {
        "main_class": values.main_class,
        "application_file": values.main_application_file,
        "version": body.optional_specs.spark_version,
        "arguments": tuple(specs.algorithm_args),
        "conf": {**_overheads(body), **{name: _text(value) for name, value in values.spark_conf.items()}},
        "executors": plan.scale_out,
        "driver_cores": driver.cores,
        "driver_memory": driver.memory,
        "executor_cores": worker.cores,
        "executor_memory": worker.memory,
        "listener": listener_properties(body, plan, execution_id),
    }
    try:
        return TaskSpec(
            name=(values.release_name or specs.algorithm_name)[:100],
            cluster=cluster,
            entry_point=_FILE,
            image=values.image,
            spark=SparkSpec(**{name: value for name, value in wanted.items() if value is not None}),
            labels={"scaleout": execution_id},
        )
    except ValidationError as exc:
        errors = field_errors(exc.errors())
        raise Invalid(f"{errors[0].field}: {errors[0].message}", errors=errors) from None


def listener_properties(body: OldSubmission, plan: "Plan", execution_id: str) -> Mapping[str, Any]:
    """What the listener is told, as `spark.customExtraListener.<camelCaseKey>`: its config, and which run it is."""
    specs = body.global_specs
    config = body.spark_template_values.scale_out_tuner.config.model_dump(exclude_none=True)
    plain = {name: value for name, value in config.items() if isinstance(value, bool | int | float | str)}
    return {
        "is_adaptive": True,
        **plain,
        "initial_executors": plan.scale_out,
        "min_executors": specs.min_scale_out,
        "max_executors": specs.max_scale_out,
        "application_execution_id": execution_id,
        **({"max_runtime": specs.max_runtime} if specs.max_runtime is not None else {}),
    }


def _text(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _overheads(body: OldSubmission) -> Mapping[str, str]:
    """A task has one for driver and executors alike."""
    given = {"driver": body.master_specs.memory_overhead, "executor": body.worker_specs.memory_overhead}
    return {f"spark.{name}.memoryOverhead": amount for name, amount in given.items() if amount}


def _with_template(body: OldSubmission, tasks: "TaskSystem") -> TemplateValues:
    """The values that were sent, over those of the template on the share, if there is one."""
    from pydantic import ValidationError

    from common.errors import NotFound
    from common.storage.share import FileMissing, check_path

    given = body.spark_template_values
    for name in (body.global_specs.template_version, body.global_specs.algorithm_name):
        if not name or "/" in name or name.startswith("."):
            continue
        try:
            path = check_path(f"{_TEMPLATES}/{name}.json")
            if tasks.blobs.share.stat(path) is None:
                continue
            content = b"".join(tasks.blobs.share.read(path))
            template = TemplateValues.model_validate_json(content)
        except (FileMissing, NotFound):
            continue
        except ValidationError as exc:
            raise Invalid(
                f"the template {_TEMPLATES}/{name}.json on the share is wrong: {exc.errors()[0]['msg']}"
            ) from None
        return template.model_copy(
            update=given.model_dump(exclude_unset=True) | {"scale_out_tuner": given.scale_out_tuner}
        )
    return given


def _cluster(tasks: "TaskSystem", values: TemplateValues) -> str:
    names = [name for name in tasks.clusters.names if tasks.clusters.config(name).kind == _KIND]
    if values.cluster in names:
        return values.cluster or ""
    if not names:
        raise Invalid.field(
            "spark_template_values.cluster",
            "no cluster of kind spark is configured here; whoever runs Atoll adds one, e.g. by "
            "ATOLL_CLUSTER_SPARK_KIND=spark and ATOLL_CLUSTER_SPARK_KUBECONFIG=/etc/atoll/kubeconfig "
            "(docs/clusters.md has the rest)",
            values.cluster,
        )
    if values.cluster is None and len(names) == 1:
        return names[0]
    told = "is not given" if values.cluster is None else "is no cluster of Spark here"
    message = f"{told}; those of kind spark that are configured are: {', '.join(names)}"
    raise Invalid.field("spark_template_values.cluster", message, values.cluster)


def _checked(tasks: "TaskSystem", spec: "TaskSpec", owner: str) -> str:
    """What would be submitted, once the cluster's adapter found nothing wrong with it."""
    from common.submission.masking import mask_text, masked_spec, secrets_in
    from common.submission.names import cluster_name
    from common.submission.records import Submission

    runner = tasks.clusters.get(spec.cluster)
    runner.check(spec)
    shown, task_id = masked_spec(spec), new_id()
    script = runner.preview(Submission(task_id, cluster_name(shown.name, task_id, 1), owner, shown, ()))
    return mask_text(script, secrets_in(spec))


def _submitted(asked: "Asked", tasks: "TaskSystem", spec: "TaskSpec", body: OldSubmission) -> "Task":
    from common.submission.accepting import recorded

    program = tasks.blobs.put(body.model_dump_json(indent=1).encode())
    accepted = tasks.service.submit(
        spec,
        program,
        owner=asked.principal.id,
        headers=asked.headers,
        idempotency_key=asked.idempotency_key,
        max_open=asked.max_open,
        traceparent=asked.headers.get("traceparent"),
        also=recorded(asked.principal, "task.submitted"),
    )
    return accepted.task


async def _settled(tasks: "TaskSystem", task: "Task") -> "Task":
    """The task once its cluster has taken or refused it; as it is where that takes long."""
    for _ in range(int(_WAIT_S / _LOOK_S)):
        if task.state.value not in ("received", "submitting") or task.held:
            break
        await sleep(_LOOK_S)
        task = await to_thread.run_sync(tasks.store.get, task.id)
    return task
