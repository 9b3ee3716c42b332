"""A training on the lab's Slurm, by SSH: as another user, with another Python, that sees no file of the server's."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.client import Client
from tests.support.servers import CHECKOUT, Server, wait_for
from tests.support.slurm_lab import SlurmLab, slurm_lab

POINTS = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7], "trials": 12, "seed": 3}
# The user of the lab may not enter the folders where the tests' own interpreter lies.
PYTHON = Path("/usr/bin/python3")


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    if not PYTHON.exists() or PYTHON.resolve().name != f"python3.{sys.version_info.minor}":
        pytest.skip(f"{PYTHON} is not the Python {sys.version_info.major}.{sys.version_info.minor} of the tests")
    with slurm_lab() as lab, lab.shared():
        yield lab


@pytest.fixture
def server(lab: SlurmLab, start_server: Callable[..., Server], tmp_path: Path) -> Server:
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    section: dict[str, Any] = lab.ssh_section(python=str(PYTHON))
    lines = [f"[{section.pop('name')}]", *(f"{name} = {json.dumps(value)}" for name, value in section.items())]
    lines.append(f'environment = {{ PYTHONPATH = "{CHECKOUT}:{packages}" }}')
    (tmp_path / "clusters.toml").write_text("\n".join(lines) + "\n")
    env = {"SERVICE_MODEL": "sample", "CLUSTERS_FILE": str(tmp_path / "clusters.toml"), "JOB_TICK_S": "1"}
    return start_server(env=env)


def test_a_training_on_slurm_comes_to_the_same_as_one_here(server: Server) -> None:
    with Client(server.url) as client:
        there = client.train("sample", POINTS, cluster="lab").wait(timeout_s=180)
        assert there.state == "succeeded", there.error
        here = client.train("sample", POINTS).wait(timeout_s=120)
        task = client.task(there.id)
        assert (task.cluster, task.state) == ("lab", "succeeded")
        assert task.data["nodes"][0] in ("n1", "n2")
        first, second = there.result(), here.result()
        assert (first.pop("version"), second.pop("version")) == (1, 2)
        assert first == second
        versions = [client.registry("sample", number) for number in (1, 2)]
        assert versions[0]["artefacts"] == versions[1]["artefacts"]
        assert versions[0]["job_id"] == there.id


def test_cancelling_the_job_ends_it_in_slurm(server: Server, lab: SlurmLab) -> None:
    with Client(server.url) as client:
        job = client.train("sample", {**POINTS, "trials": 1000}, cluster="lab")
        wait_for(lambda: "on lab" in (job.refresh().message or ""), "the job's first look at its task")
        task = client.task(job.id)
        wait_for(lambda: task.refresh().data["cluster_job_id"], "Slurm's number")
        job.cancel().wait(timeout_s=60)
        assert job.state == "cancelled"
        assert task.wait(timeout_s=120).state == "cancelled"
    told = lab.operate("squeue", "-h", "--states=all", f"--name={task.data['cluster_name']}", "-o", "%T")
    assert set(told.split()) == {"CANCELLED"}
