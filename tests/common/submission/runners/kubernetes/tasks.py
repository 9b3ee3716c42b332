"""Tasks to try a runner with."""

import time
from collections.abc import Mapping
from typing import Any

from common.clock import new_id
from common.submission import script
from common.submission.config import ClusterConfig
from common.submission.names import cluster_name
from common.submission.records import Known, Observation, Package, Submission
from common.submission.runners.base import Runner
from common.submission.spec import TaskSpec

_END_S = 60.0


def spec_of(**fields: Any) -> TaskSpec:
    return TaskSpec.model_validate({"name": "a task", "cluster": "lab", "entry_point": "main.py", **fields})


def submission_of(spec: TaskSpec, owner: str = "ada") -> Submission:
    task_id = new_id()
    return Submission(task_id, cluster_name(spec.name, task_id, 1), owner, spec)


def known_of(task: Submission) -> Known:
    return Known(task.task_id, task.name, task.name, task.owner, task.spec)


def package_of(task: Submission, config: ClusterConfig, files: Mapping[str, str | bytes]) -> Package:
    """`files` by path within the program; those that begin with `datasets/` lie beside it."""
    given = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    run = script.render(task.spec, config, task_id=task.task_id, name=task.name)
    placed = {path if path.startswith("datasets/") else f"program/{path}": text for path, text in given.items()}
    return Package({"run.sh": run.encode(), "params.json": script.params_json(task.spec), **placed})


def wait(runner: Runner, known: Known, patience_s: float = _END_S) -> Observation:
    """Observe until it has finished."""
    until = time.monotonic() + patience_s
    seen: list[Observation] = []
    while time.monotonic() < until:
        seen = runner.observe([known])
        if seen and seen[0].state.is_finished:
            return seen[0]
        time.sleep(0.1)
    raise AssertionError(f"{known.name} did not finish: {seen}")


def run(runner: Runner, spec: TaskSpec, files: Mapping[str, str | bytes]) -> tuple[Known, Observation]:
    task = submission_of(spec)
    runner.check(spec)
    runner.submit(task, package_of(task, runner.config, files))
    known = known_of(task)
    return known, wait(runner, known)


def collected(runner: Runner, known: Known) -> dict[str, bytes]:
    return {path: b"".join(parts) for path, parts in runner.collect(known)}
