"""Tasks for tests on Slurm."""

from typing import Any

from common.clock import new_id
from common.submission import script
from common.submission.config import ClusterConfig
from common.submission.names import cluster_name
from common.submission.records import Known, Package, Submission
from common.submission.spec import TaskSpec


def submission(*, depends_on: tuple[str, ...] = (), owner: str = "ana", **spec: Any) -> Submission:
    """One that was never asked for before, of a shell script."""
    task_id = new_id()
    asked = TaskSpec.model_validate({"name": "try", "cluster": "lab", "entry_point": "main.sh", **spec})
    return Submission(task_id, cluster_name(asked.name, task_id, 1), owner, asked, depends_on)


def package(task: Submission, config: ClusterConfig, program: str) -> Package:
    """Its folder, with this shell script as its program."""
    run = script.render(task.spec, config, task_id=task.task_id, name=task.name)
    return Package({"run.sh": run.encode(), "params.json": b"{}", "program/main.sh": program.encode()})


def known(task: Submission, job_id: str | None) -> Known:
    return Known(task.task_id, task.name, job_id, task.owner, task.spec)
