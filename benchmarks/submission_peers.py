"""What submissions to Slurm are compared with: a loop of ssh and sbatch, and submitit's loop on the login node."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import FOLDER
from benchmarks.report import NotMeasured
from tests.support.slurm_lab import SlurmLab

SUBMITIT = "submitit==1.5.4"
# Of the system: the lab's user cannot read the one that runs this.
_PYTHON = "/usr/bin/python3"
_LIMIT_S = 300

# Runs as the lab's user. `begin` keeps jobs waiting, as all others of the benchmark are.
_LOOP = """
import json, resource, sys, time
import submitit

def nothing():
    return 0

executor = submitit.SlurmExecutor(folder=sys.argv[1])
executor.update_parameters(time=5, job_name="bench-submitit", additional_parameters={"begin": "now+1day"})
first = executor.submit(nothing)
def cpu():
    return sum(resource.getrusage(who)[at] for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for at in (0, 1))
began, used = time.perf_counter(), cpu()
jobs = [executor.submit(nothing) for _ in range(int(sys.argv[2]))]
took, used = time.perf_counter() - began, cpu() - used
print(json.dumps({"seconds": took, "cpu_s": used, "jobs": [job.job_id for job in [first, *jobs]]}))
"""


@dataclass
class Score:
    """How fast one way hands jobs to Slurm.

    Attributes
    ----------
    cpu_s : user and system time of the submitting side, with its children; none of Slurm's or of sshd's.
    jobs : ids, to be cancelled.
    """

    name: str
    count: int
    seconds: float
    cpu_s: float
    jobs: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu_s / self.count * 1000


def ssh_loop(lab: SlurmLab, count: int) -> Score:
    """`ssh login sbatch < script`, one after the other, each a process of its own, as a shell script would do it."""
    options = {
        "UserKnownHostsFile": lab.settings["SSH_KNOWN_HOSTS"],
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
    }
    command = ["ssh", "-F", "none", "-i", lab.settings["SSH_KEY"], "-p", str(lab.port)]
    command += [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    command += [f"{lab.user}@{lab.settings['SSH_HOST']}", "sbatch", "--parsable", "--hold", "--job-name=bench-ssh"]
    jobs = []
    began_s, used_s = time.perf_counter(), _children_s()
    for _ in range(count):
        done = subprocess.run(command, input=b"#!/bin/sh\ntrue\n", capture_output=True, timeout=60, check=False)
        if done.returncode:
            raise NotMeasured(f"ssh and sbatch: {done.stderr.decode()[-200:]}")
        jobs.append(done.stdout.decode().strip())
    return Score("a loop of ssh and sbatch", count, time.perf_counter() - began_s, _children_s() - used_s, jobs)


def submitit_loop(lab: SlurmLab, count: int) -> Score:
    """submitit's executor on the login node itself: no SSH at all."""
    library = _library()
    script = lab.folder / "submitit_loop.py"
    script.write_text(_LOOP)
    done = subprocess.run(
        [
            *("setpriv", f"--reuid={lab.user}", f"--regid={lab.user}", "--init-groups"),
            *("env", "-i", f"PYTHONPATH={library}", f"HOME=/home/{lab.user}", f"USER={lab.user}"),
            *("PATH=/usr/local/bin:/usr/bin:/bin", _PYTHON, str(script)),
            *(str(lab.folder / "submitit"), str(count)),
        ],
        capture_output=True,
        text=True,
        cwd=lab.folder,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise NotMeasured(f"submitit: {done.stderr[-300:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Score(f"submitit ({SUBMITIT.partition('==')[2]})", count, told["seconds"], told["cpu_s"], told["jobs"])


def cancel(lab: SlurmLab, jobs: Sequence[str]) -> None:
    """End jobs that a measurement left."""
    for at in range(0, len(jobs), 200):
        lab.operate("scancel", *jobs[at : at + 200])


def _library() -> Path:
    """submitit's packages; a folder is enough, since they are pure Python."""
    folder = FOLDER / "submitit"
    if not (folder / "submitit").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), SUBMITIT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        if done.returncode:
            raise NotMeasured(f"submitit cannot be installed: {done.stderr[-300:]}")
    return folder


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
