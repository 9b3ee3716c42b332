"""Tasks as rows, and rows as tasks. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from common.storage.blobs import BlobRef
from common.submission.records import Element, Known, Task
from common.submission.spec import TaskSpec
from common.submission.states import TaskState

# What is kept of an attempt when the next one begins.
_KEPT = (
    "attempt",
    "name",
    "state",
    "cluster_job_id",
    "reason",
    "exit_code",
    "signal",
    "nodes",
    "submitted_at",
    "started_at",
    "finished_at",
    "cpu_time_s",
    "peak_memory_bytes",
    "restarts",
    "elements",
    "files",
    "run_id",
    "metrics",
)
# What the next attempt begins with.
_ANEW: dict[str, Any] = {
    "state": TaskState.RECEIVED,
    "job_id": None,
    "cluster_job_id": None,
    "reason": None,
    "exit_code": None,
    "signal": None,
    "nodes": (),
    "submitted_at": None,
    "started_at": None,
    "finished_at": None,
    "cpu_time_s": None,
    "peak_memory_bytes": None,
    "restarts": 0,
    "elements": (),
    "cancel_asked": False,
    "held": False,
    "missing_since": None,
    "files": "none",
    "run_id": None,
    "metrics": {},
    "result": {},
}
# Attempts whose story is kept; a task may be begun anew for ever by a person.
_MOST_EARLIER = 100
_TASK_FIELDS = frozenset(field.name for field in fields(Task)) - {"spec", "program"}


@lru_cache(maxsize=2048)
def _spec_of(text: bytes) -> TaskSpec:
    """Specs are frozen, and those of a thousand live tasks are read every few seconds."""
    return TaskSpec.model_validate(orjson.loads(text))


def task_of(row: sa.Row[Any]) -> Task:
    values = row._mapping
    kept = {name: values[name] for name in _TASK_FIELDS}
    kept["state"] = TaskState(kept["state"])
    kept["nodes"] = tuple(kept["nodes"])
    kept["earlier"] = tuple(kept["earlier"])
    kept["elements"] = tuple(Element(**one | {"state": TaskState(one["state"])}) for one in kept["elements"])
    program = BlobRef(values["program_sha256"], values["program_bytes"])
    return Task(spec=_spec_of(orjson.dumps(values["spec"])), program=program, **kept)


def row_of(task: Task) -> dict[str, Any]:
    """A new task as a row."""
    values = {name: getattr(task, name) for name in _TASK_FIELDS}
    extra = {"program_sha256": task.program.sha256, "program_bytes": task.program.size_bytes}
    return as_columns(values) | extra | {"cluster": task.spec.cluster, "spec": task.spec.to_row()}


def as_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a task's fields as its columns hold them."""
    made = dict(values)
    if "state" in made:
        made["state"] = made["state"].value
    if "nodes" in made:
        made["nodes"] = list(made["nodes"])
    if "elements" in made:
        made["elements"] = [_plain(asdict(one)) for one in made["elements"]]
    for name in ("metrics", "result", "marks"):
        if name in made:
            made[name] = dict(made[name])
    if "earlier" in made:
        made["earlier"] = [dict(one) for one in made["earlier"]]
    return made


def next_attempt(task: Task, name: str, retries_left: int, **ended: Any) -> dict[str, Any]:
    """The values with which a task begins anew, the attempt that ended being kept in `earlier`.

    Parameters
    ----------
    name : the new submission's own.
    ended : what is known of the attempt that ended, beyond what the task says.
    """
    story = {key: ended.get(key, getattr(task, key)) for key in _KEPT}
    earlier = (*task.earlier, _plain(as_columns(story)))[-_MOST_EARLIER:]
    return _ANEW | {"attempt": task.attempt + 1, "name": name, "retries_left": retries_left, "earlier": earlier}


def known_of(task: Task, attempt: int) -> Known | None:
    """One attempt of a task, as its runner is asked about it; None where nothing is known of that attempt."""
    if attempt == task.attempt:
        return task.known
    found = next((one for one in task.earlier if one["attempt"] == attempt), None)
    if found is None:
        return None
    return Known(task.id, found["name"], found["cluster_job_id"], task.owner, task.spec)


def with_earlier(task: Task, attempt: int, **values: Any) -> Sequence[Mapping[str, Any]]:
    """`earlier`, with values of one attempt changed."""
    return tuple({**one, **_plain(values)} if one["attempt"] == attempt else one for one in task.earlier)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON holds it."""
    return {
        key: value.isoformat()
        if isinstance(value, datetime)
        else value.value
        if isinstance(value, TaskState)
        else value
        for key, value in values.items()
    }
