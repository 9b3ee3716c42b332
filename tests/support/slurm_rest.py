"""The lab's slurmrestd: runners that lead to it, tasks to give them, and one of its own that has no controller."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from common.clock import new_id
from common.submission import names, script
from common.submission.records import Known, Observation, Package, Submission
from common.submission.runners.slurm.rest.config import SlurmRestConfig
from common.submission.runners.slurm.rest.runner import SlurmRestRunner
from common.submission.spec import TaskSpec
from tests.support.slurm_lab import SlurmLab, wait_until

_NOBODY_LISTENS = (6998, 6999)


def config(lab: SlurmLab, **more: Any) -> SlurmRestConfig:
    section = {
        "url": lab.settings["REST_URL"],
        "user": lab.settings["REST_USER"],
        "token": f"file:{lab.settings['JWT_FILE']}",
        "default_partition": "debug",
        **more,
    }
    section = lab.rest_section(**section)
    return SlurmRestConfig.model_validate(section)


@contextlib.contextmanager
def runner(lab: SlurmLab, *, transport: httpx.BaseTransport | None = None, **more: Any) -> Iterator[SlurmRestRunner]:
    """A runner for the lab's slurmrestd."""
    found = SlurmRestRunner(config(lab, **more), transport=transport)
    yield found
    found.close()


def task(program: str | None = None, *, title: str = "rest", depends_on: Sequence[str] = (), **spec: Any) -> Submission:
    """A submission of a shell program, by a name of its own."""
    task_id = new_id()
    whole = TaskSpec(
        name=title, cluster="lab-rest", entry_point="main.sh", environment={"PROGRAM": program or ":"}, **spec
    )
    return Submission(task_id, names.cluster_name(title, task_id, 1), "me", whole, tuple(depends_on))


def package(found: SlurmRestRunner, given: Submission) -> Package:
    """Its program is what its environment says, so that a task is all in one value."""
    run = script.render(given.spec, found.config, task_id=given.task_id, name=given.name)
    return Package({
        script.RUN: run.encode(),
        script.PARAMS: script.params_json(given.spec),
        f"{script.PROGRAM}/main.sh": b'eval "$PROGRAM"\n',
    })  # fmt: skip


def submit(found: SlurmRestRunner, given: Submission) -> Known:
    return known(given, found.submit(given, package(found, given)))


def known(given: Submission, cluster_job_id: str | None) -> Known:
    return Known(given.task_id, given.name, cluster_job_id, given.owner, given.spec)


def seen(
    found: SlurmRestRunner, given: Known, is_enough: Callable[[Observation], bool] = lambda one: one.state.is_finished
) -> Observation:
    """What is told of a submission, once it is enough: by default, once it has ended."""

    def look() -> Observation | None:
        return next((one for one in found.observe([given]) if is_enough(one)), None)

    return wait_until(look, f"{given.name} has come so far", 120)


def token(lab: SlurmLab, lifespan_s: int, user: str = "hpc") -> str:
    told = lab.operate("scontrol", "token", f"username={user}", f"lifespan={lifespan_s}")
    return told.strip().removeprefix("SLURM_JWT=")


@contextlib.contextmanager
def without_controller(folder: Path) -> Iterator[str]:
    """The address of a real slurmrestd whose controller and accounting are not there; others go on with the lab's."""
    text = Path("/etc/slurm/slurm.conf").read_text()
    text = re.sub(r"(?m)^SlurmctldPort=.*", f"SlurmctldPort={_NOBODY_LISTENS[0]}", text)
    text = re.sub(r"(?m)^AccountingStoragePort=.*", f"AccountingStoragePort={_NOBODY_LISTENS[1]}", text)
    file = folder / "slurm.conf"
    file.write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = subprocess.Popen(
        [
            *("slurmrestd", "-f", str(file), "-a", "rest_auth/jwt"),
            *("-s", "openapi/v0.0.38,openapi/dbv0.0.38", f"127.0.0.1:{port}"),
        ],
        env={"PATH": os.environ["PATH"], "SLURM_JWT": "daemon", "SLURM_CONF": str(file)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # It refuses to be root, and so does what it is to read.
        user=65534,
        group=65534,
        extra_groups=[],
    )
    try:
        wait_until(lambda: _listens(port), "slurmrestd listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    time.sleep(0.1)
    return False
