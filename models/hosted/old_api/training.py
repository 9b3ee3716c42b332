"""`POST /api/v1/train/{tag}/{name}`: a script that trains a model, run as a task; what it leaves becomes a version."""

import shlex
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Path, Query, Request, Response

from common.errors import Forbidden, Invalid
from common.security.authenticate import principal_of
from common.security.scopes import Scope
from common.submission import accepting
from common.submission.definitions import links
from common.submission.receiving import INPUTS, Form, received
from common.submission.spec import Register
from common.submission.task_config import LOCAL
from models.hosted import service
from models.hosted.definitions import Tag
from models.hosted.forms import is_form
from models.hosted.old_api.envelope import raw
from models.hosted.uploading import runtime_of

REQUIREMENTS, DATASET = "requirements", "dataset"

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$", description="Of what is trained.")]
Cluster = Annotated[str, Query(max_length=255, description="Where it is trained.")]


async def train(request: Request, tag: Tag, name: Name, cluster: Cluster = LOCAL) -> Response:
    """A form with `script` (`.py`), and if need be `requirements` (`.txt`), `dataset`, and `config` (JSON).

    The script finds the data set's path in `ATOLL_DATASET`, and leaves `model.onnx` or `model.skops` in
    `ATOLL_OUTPUT_DIR`. What it requires is installed into an environment of its own, unless it is there already.
    """
    # A body that is no form is told by who receives it.
    if is_form(request) and not principal_of(request).may(Scope.SUBMIT):
        raise Forbidden("to train on a cluster takes the scope `submit` beside `train`")
    runtime = runtime_of(request)
    await to_thread.run_sync(service.check_tag, tag, runtime.settings.plugins)
    given: dict[str, Any] = {"name": name, "runner_location": cluster}
    folder = runtime.settings.storage.cache_dir / "uploads"
    fields = INPUTS | {REQUIREMENTS, DATASET}
    async with received(request, folder, runtime.settings.submission, config=given, inputs=fields) as form:
        if form.config.get("command") is not None:
            raise Invalid.field("command", "is not for trainings; leave it out", where="config")
        python = await to_thread.run_sync(_python, request, str(form.config.get("runner_location")))
        form.config["command"] = ["sh", "-c", command(form, python)]
        task = await accepting.accept(request, form, register_as=Register(tag=tag, name=name))
    told = {"id": task.id, "tag": tag, "name": name, "state": task.state.value, "status": task.state.value}
    return raw(
        f"The training of {tag} was submitted",
        told | {"links": links(task.id)},
        status=202,
        headers={"Location": f"/tasks/{task.id}"},
    )


def command(form: Form, python: str) -> str:
    """One line of shell that runs the script with what it requires."""
    script = form.program.filename
    if not script.endswith(".py"):
        raise Invalid.field("script", "is a Python file, `.py`", script, where="form")
    lines = []
    if DATASET in form.by_field:
        lines.append(f'export ATOLL_DATASET="$ATOLL_INPUT_DIR"/{shlex.quote(form.by_field[DATASET])}')
    lines.append(f"python={shlex.quote(python)}")
    if REQUIREMENTS in form.by_field:
        wanted = f'"$ATOLL_INPUT_DIR"/{shlex.quote(form.by_field[REQUIREMENTS])}'
        place = '"$ATOLL_TASK_DIR/venv"'
        lines.append(
            # What is there already need not be installed, and on many clusters nothing can be.
            f'if ! "$python" -m pip install --quiet --dry-run --no-index -r {wanted} >/dev/null 2>&1; then '
            f'"$python" -m venv --system-site-packages {place} && '
            f"{place}/bin/python -m pip install --quiet --disable-pip-version-check -r {wanted} || "
            "{ echo 'the requirements cannot be installed here' >&2; exit 1; }; "
            f"python={place}/bin/python; fi"
        )
    lines.append(f'exec "$python" -u {shlex.quote(script)}')
    return "; ".join(lines)


def _python(request: Request, cluster: str) -> str:
    """What runs Python there."""
    return accepting.tasks_of(request).clusters.config(cluster).python
