"""The batch script that runs Atoll on a cluster: in the lab's real Slurm, on one of its nodes, without the image."""

import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.backends import missing
from tests.support.datasets import CHECKOUT
from tests.support.servers import free_port, wait_for
from tests.support.slurm_lab import SlurmLab, slurm_lab

SCRIPT = CHECKOUT / "deployment/hpc/atoll.sbatch"
DEFINITION = CHECKOUT / "deployment/hpc/atoll.def"
SLOW = """
import asyncio
from pathlib import Path
from fastapi import APIRouter

router = APIRouter()
here = Path(__file__).parent


@router.get("/wait")
async def wait() -> str:
    (here / "begun").touch()
    while not (here / "go").exists():
        await asyncio.sleep(0.02)
    return "finished"
"""


def run(home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The script by itself, for starts that must fail."""
    return subprocess.run(
        ["bash", str(SCRIPT)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_bash_can_read_it() -> None:
    assert subprocess.run(["bash", "-n", SCRIPT], capture_output=True, text=True).stderr == ""


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        missing("shellcheck is not installed")

    assert subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True).stdout == ""


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ATOLL_PORT": "0"}, "ATOLL_PORT is a number"),
        ({"ATOLL_PORT": "7071; rm"}, "ATOLL_PORT is a number"),
        ({"ATOLL_COMMAND": "/no/such/atoll"}, "/no/such/atoll, is no program"),
        ({"ATOLL_HOME": "/proc/atoll"}, "cannot be made"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(tmp_path: Path, env: dict[str, str], said: str) -> None:
    done = run(tmp_path, **env)

    assert done.returncode == 2
    assert said in done.stderr


def test_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "apptainer").write_text("#!/bin/sh\n")
    (tmp_path / "apptainer").chmod(0o755)

    done = run(tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin", ATOLL_IMAGE="/no/atoll.sif")

    assert done.returncode == 2
    assert "there is no image /no/atoll.sif" in done.stderr


def test_the_image_is_run_with_the_folder_bound_and_the_settings_of_the_folders_file(tmp_path: Path) -> None:
    """Apptainer itself cannot run here: what it would be told is noted by a stand-in."""
    (tmp_path / "apptainer").write_text('#!/bin/sh\nprintf "%s\\n" "$*" "$ATOLL_STATE" "$WORKERS" "$HOST:$PORT"\n')
    (tmp_path / "apptainer").chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / "atoll.sif").touch()
    (home / "atoll.env").write_text("WORKERS=3\nATOLL_PORT=7443\n")

    done = run(tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin", ATOLL_HOME=str(home), ATOLL_BIND="/data", WORKERS="1")

    assert done.returncode == 0, done.stderr
    assert (home / "logs/atoll-none.log").read_text().splitlines() == [
        f"exec --bind {home},/data {home}/atoll.sif atoll serve",
        f"{home}/state",
        "3",
        "0.0.0.0:7443",
    ]


def test_the_definition_of_the_image_takes_files_that_are_there() -> None:
    """Nothing here can build it; what it is made from is looked at."""
    text = DEFINITION.read_text()
    sections = dict(re.findall(r"(?ms)^%(\w+)\n(.*?)(?=^%|\Z)", text))

    taken = [line.split()[0] for line in sections["files"].splitlines() if line.strip()]
    assert taken
    assert [path for path in taken if not (CHECKOUT / path).exists()] == []
    assert subprocess.run(["sh", "-n"], input=sections["post"], capture_output=True, text=True).stderr == ""


@dataclass
class Job:
    """Atoll as a job of the lab's Slurm."""

    number: str
    home: Path
    port: int
    lab: SlurmLab
    slow: Path

    @property
    def log(self) -> str:
        file = self.home / f"logs/atoll-{self.number}.log"
        return file.read_text() if file.exists() else ""

    def client(self) -> httpx.Client:
        """Trusts the certificate that the job made, and has the key that it made."""
        trusted = ssl.create_default_context(cafile=str(self.home / "tls.crt"))
        key = (self.home / "admin.key").read_text().strip()
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            verify=trusted,
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=60,
        )

    def state(self) -> str:
        found = re.search(r"JobState=(\w+)", self.lab.operate("scontrol", "show", "job", self.number))
        assert found
        return found[1]

    def wait_until_ready(self) -> None:
        wait_for(lambda: (self.home / "address").exists() and "Uvicorn running" in self.log, "Atoll to start")


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    with slurm_lab() as found, found.shared():
        yield found


@pytest.fixture
def job(lab: SlurmLab, tmp_path: Path) -> Iterator[Job]:
    slow = tmp_path / "plugins/slow"
    slow.mkdir(parents=True)
    (slow / "__init__.py").write_text(SLOW)
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    (home / "atoll.env").write_text(
        f"ATOLL_PORT={port}\nATOLL_COMMAND={Path(sys.executable).parent / 'atoll'}\n"
        f"SERVICE_MODEL=sample,slow\nATOLL_PLUGIN_PATH={slow.parent}\n"
    )
    number = lab.operate(
        "sbatch", "--parsable", "--time=10", f"--export=ATOLL_HOME={home}", f"--job-name=atoll-{port}",
        f"--output={tmp_path}/%j.out", str(SCRIPT),
    ).strip()  # fmt: skip
    found = Job(number, home, port, lab, slow)
    try:
        found.wait_until_ready()
        yield found
    finally:
        (slow / "go").touch()
        lab.operate("scancel", number)
        wait_for(lambda: found.state() not in ("RUNNING", "COMPLETING", "PENDING"), "the job to end")


def test_atoll_runs_as_a_job_is_found_answers_by_https_and_is_drained(job: Job) -> None:
    node = job.lab.operate("squeue", "--me", "-h", f"--name=atoll-{job.port}", "-o", "%N").strip()
    address = dict(line.split("=", 1) for line in (job.home / "address").read_text().splitlines())
    assert address["node"] == node
    assert address["job"] == job.number
    assert address["url"].endswith(f":{job.port}")

    with job.client() as client, ThreadPoolExecutor(1) as thread:
        assert client.get("/health/ready").status_code == 200
        assert client.post("/sample_model/predict", json={"requiredField": "Atoll"}).json() == {"resp1": "Hello Atoll"}
        asked = thread.submit(client.get, "/slow/wait")
        wait_for(lambda: (job.slow / "begun").exists(), "the request to begin")
        job.lab.operate("scancel", "--batch", "--signal=TERM", job.number)
        wait_for(lambda: "Shutting down" in job.log, "the server to drain")
        (job.slow / "go").touch()
        assert asked.result(30).json() == "finished"

    wait_for(lambda: job.state() != "RUNNING", "the job to end")
    assert job.state() in ("COMPLETING", "COMPLETED")
    assert "Application shutdown complete" in job.log


def test_whoever_has_no_key_gets_nothing(job: Job) -> None:
    with job.client() as client:
        del client.headers["Authorization"]
        assert client.post("/sample_model/predict", json={"requiredField": "Atoll"}).status_code == 401


def test_nobody_else_may_read_what_it_writes(job: Job) -> None:
    written = [path for path in job.home.rglob("*") if path.name != "atoll.env"]

    assert {"admin.key", "tls.key", "address", "logs", "state"} <= {path.name for path in written}
    assert [path for path in written if path.stat().st_mode & 0o077] == []
    assert (job.home / "admin.key").read_text().strip() not in job.log


def test_slurm_drains_it_before_its_time_is_up(job: Job) -> None:
    # Less than the minute before the end at which it is to be told.
    job.lab.operate("scontrol", "update", f"jobid={job.number}", "endtime=now+50")

    wait_for(lambda: job.state() == "COMPLETED", "the job to end by itself")
    assert "Application shutdown complete" in job.log
