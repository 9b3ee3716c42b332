"""Tasks for tests of runners: submissions with their packages, and waiting for their ends."""

import time
from collections.abc import Callable
from typing import Any

from common.clock import new_id
from common.submission import script
from common.submission.names import cluster_name
from common.submission.records import Known, Observation, Package, Submission
from common.submission.runners.base import Runner
from common.submission.spec import TaskSpec

PATIENCE_S = 60.0


def submission(runner: Runner, *, attempt: int = 1, **fields: Any) -> Submission:
    """A task of its own, on the runner's cluster."""
    task_id = new_id()
    values = {"name": "test", "cluster": runner.config.name, "entry_point": "main.py", **fields}
    return Submission(
        task_id=task_id,
        name=cluster_name(values["name"], task_id, attempt),
        owner="me",
        spec=TaskSpec.model_validate(values),
    )


def package(runner: Runner, task: Submission, program: str = "", **files: bytes) -> Package:
    """The folder of a task whose entry point is `program`."""
    text = script.render(task.spec, runner.config, task_id=task.task_id, name=task.name)
    return Package({
        script.RUN: text.encode(),
        script.PARAMS: script.params_json(task.spec),
        f"{script.PROGRAM}/{task.spec.entry_point}": program.encode(),
        **files,
    })  # fmt: skip


def known(task: Submission, cluster_job_id: str | None = None) -> Known:
    return Known(task.task_id, task.name, cluster_job_id or task.name, task.owner, task.spec)


def submit(runner: Runner, program: str, **fields: Any) -> Known:
    task = submission(runner, **fields)
    return known(task, runner.submit(task, package(runner, task, program)))


def wait_for(runner: Runner, task: Known, holds: Callable[[Observation], bool]) -> Observation:
    """What the cluster says, as soon as it is so."""
    end_s = time.monotonic() + PATIENCE_S
    seen: list[Observation] = []
    while time.monotonic() < end_s:
        seen = runner.observe([task])
        if seen and holds(seen[0]):
            return seen[0]
        time.sleep(0.02)
    raise AssertionError(f"still not so: {seen}; log: {runner.read_log(task, 0, 4000).content!r}")


def finish(runner: Runner, task: Known) -> Observation:
    return wait_for(runner, task, lambda seen: seen.state.is_finished)


def run(runner: Runner, program: str, **fields: Any) -> tuple[Known, Observation]:
    """Submit it and wait for its end."""
    task = submit(runner, program, **fields)
    return task, finish(runner, task)


def log(runner: Runner, task: Known, element: int | None = None) -> str:
    return runner.read_log(task, 0, 1 << 20, element).content.decode()


def files(runner: Runner, task: Known) -> dict[str, bytes]:
    return {path: b"".join(parts) for path, parts in runner.collect(task)}
