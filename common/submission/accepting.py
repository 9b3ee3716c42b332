"""From a form to a task: the config is read, the cluster asked whether it could run it, and all of it recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from common.clock import new_id
from common.errors import Invalid
from common.jobs.http import max_open
from common.runtime import Runtime
from common.security import ownership
from common.security.audit import audit
from common.security.authenticate import principal_of
from common.security.principal import Principal
from common.security.scopes import Scope
from common.storage.share import FileMissing, check_path
from common.submission import tracking
from common.submission.aliases import meant
from common.submission.definitions import Preview
from common.submission.errors import NoTask
from common.submission.masking import mask_text, masked_spec, secrets_in
from common.submission.names import cluster_name
from common.submission.receiving import Form
from common.submission.records import Submission, Task
from common.submission.spec import Register, TaskSpec
from common.submission.task_config import InputRef, build_spec, read_config

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from common.storage.blobs import BlobRef
    from common.submission.runners.base import Runner
    from common.submission.system import TaskSystem

_KEY_CHARS = 256
# What comes with a form may be gigabytes, which cross to the share.
_ACCEPTS = CapacityLimiter(16)


@dataclass(frozen=True)
class Asked:
    """What a request says beside its form."""

    principal: Principal
    headers: Mapping[str, str]
    idempotency_key: str | None
    max_open: int

    @classmethod
    def by(cls, request: Request) -> "Asked":
        """
        Raises
        ------
        Invalid
            The idempotency key cannot be used.
        """
        principal = principal_of(request)
        key = request.headers.get("idempotency-key")
        if key is not None and not (0 < len(key) <= _KEY_CHARS and key.isprintable()):
            raise Invalid.field("Idempotency-Key", f"is 1 to {_KEY_CHARS} printable characters", key, where="header")
        kept = {
            name: value for name, value in request.headers.items() if not name.startswith(ownership.MARK_PREFIX)
        } | ownership.marks(principal)
        return cls(principal, kept, key, max_open(request))


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def tasks_of(request: Request) -> "TaskSystem":
    """The process's task system; the first call builds it, so not on the event loop."""
    return runtime_of(request).tasks


async def accept(request: Request, form: Form, *, register_as: Register | None = None) -> Task:
    """Record the task of a form, which belongs to the caller.

    Raises
    ------
    Invalid
        A field is wrong, or its cluster could never run it.
    NotFound, TooManyRequests, ShareFull, ShareDown, ClusterDown
        Nothing was recorded.
    """
    asked = Asked.by(request)

    def work() -> Task:
        system = tasks_of(request)
        spec, _, references = checked(system, asked.principal, form, register_as)
        # Only now is anything written.
        inputs = {name: system.blobs.put(content.value) for name, content in form.files.items()}
        inputs |= {item.path: _referred(system, asked.principal, item) for item in references}
        assert form.content is not None  # noqa: S101 - a form without a program is refused when it is read
        program = system.blobs.put(form.content.value)
        accepted = system.service.submit(
            spec,
            program,
            inputs,
            owner=asked.principal.id,
            headers=asked.headers,
            idempotency_key=asked.idempotency_key,
            max_open=asked.max_open,
            traceparent=asked.headers.get("traceparent"),
            also=recorded(asked.principal, "task.submitted"),
        )
        return accepted.task

    return await to_thread.run_sync(work, limiter=_ACCEPTS)


async def preview(request: Request, form: Form) -> Preview:
    """What would be submitted for a form; nothing is. Its secrets are hidden before the cluster's adapter sees them."""
    principal = principal_of(request)

    def work() -> Preview:
        system = tasks_of(request)
        spec, runner, _ = checked(system, principal, form, None)
        shown, task_id = masked_spec(spec), new_id()
        name = cluster_name(shown.name, task_id, 1)
        depends_on: tuple[str, ...] = ()
        if runner.takes_dependencies:
            briefs = system.store.briefs(spec.dependencies).values()
            depends_on = tuple(item.cluster_job_id for item in briefs if item.cluster_job_id)
        script = runner.preview(Submission(task_id, name, principal.id, shown, depends_on))
        hidden = mask_text(script, secrets_in(spec))
        return Preview(cluster=spec.cluster, kind=runner.kind, name=name, script=hidden, config=shown.to_row())

    return await to_thread.run_sync(work)


def checked(
    system: "TaskSystem", principal: Principal, form: Form, register_as: Register | None
) -> "tuple[TaskSpec, Runner, tuple[InputRef, ...]]":
    """The task of a form, its cluster's runner, and the inputs that are elsewhere; blocks.

    Raises
    ------
    Invalid
        Names the field, and what may be sent instead.
    """
    config = read_config(form.config)
    spec = build_spec(config, form.program, list(form.files), register_as=register_as)
    try:
        runner = system.clusters.get(spec.cluster)
    except Invalid as exc:
        raise Invalid.field("runner_location", exc.errors[0].message, spec.cluster, where="config") from None
    spec = meant(spec, runner.config)
    try:
        runner.check(spec)
        if spec.tracking is not None:
            tracking.check(spec.tracking)
    except Invalid as exc:
        # Adapters know of no form.
        exc.errors = tuple(
            item.model_copy(update={"field": item.field.replace("body.", "config.", 1)}) for item in exc.errors
        )
        raise
    for task_id in spec.dependencies:
        try:
            found = system.store.get(task_id)
        except NoTask:
            found = None
        if found is None or not ownership.sees(principal, found.owner):
            raise Invalid.field("dependencies", f"there is no task {task_id}; GET /tasks lists yours", where="config")
    if spec.dataset is not None and system.blobs.share.stat(f"datasets/{spec.dataset}.csv") is None:
        raise Invalid.field(
            "dataset_name",
            f"there is no datasets/{spec.dataset}.csv on the share; put it there, or send the file as an input",
            spec.dataset,
            where="config",
        )
    return spec, runner, config.inputs


def recorded(by: Principal, action: str) -> Any:
    """What puts a change of a task into the audit log, in the transaction that makes it."""

    def record(connection: "Connection", task: Task) -> None:
        owner = {} if task.owner == by.id else {"owner": task.owner}
        audit(action, by=by, target=task.id, connection=connection, cluster=task.spec.cluster, **owner)

    return record


def _referred(system: "TaskSystem", principal: Principal, item: InputRef) -> "BlobRef":
    """An input that is on the share already, as a blob.

    Raises
    ------
    Invalid
        It is not there, or has another digest.
    """
    from common.submission.uploads import assembled

    share, limits = system.blobs.share, system.settings.submission
    if item.upload is not None:
        ref = assembled(system.blobs, item.upload, principal)
    else:
        place = f"datasets/{item.dataset}"
        if not principal.may(Scope.PREDICT):
            raise Invalid.field("inputs.dataset", "data sets are for keys with the scope `predict`", where="config")
        info = share.stat(check_path(place))
        if info is None:
            raise Invalid.field("inputs.dataset", "there is no such file; GET /datasets lists them", where="config")
        if info.size_bytes > limits.max_input_bytes:
            raise Invalid.field("inputs.dataset", f"is larger than {limits.max_input_bytes} bytes", where="config")
        try:
            ref = system.blobs.put(share.read(place))
        except FileMissing:
            raise Invalid.field("inputs.dataset", "there is no such file any more", where="config") from None
    if item.sha256 is not None and ref.sha256 != item.sha256:
        raise Invalid.field(
            "inputs.sha256", f"of {item.path} is {ref.sha256}, not {item.sha256} as told", where="config"
        )
    return ref
