"""The cluster of a campaign: the machine itself, or the Slurm of the lab by SSH."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tests.support.slurm_lab import SlurmLab

LOCAL, SLURM = "local", "slurm-ssh"


class Site(Protocol):
    """Where the tasks of a campaign run."""

    cluster: str
    toml: str
    runs: Path

    def live(self) -> list[str]:
        """Names of what waits or runs there, of this campaign."""


class LocalSite:
    """The machine itself, by the local runner."""

    cluster = LOCAL

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cluster"
        self.runs = folder / "runs"
        self.toml = f'[local]\nkind = "local"\nslots = 3\nfolder = "{self.folder}"\ngrace_s = 1\n'

    def live(self) -> list[str]:
        found = [path for name in ("queue", "running") for path in (self.folder / name).glob("*")]
        return sorted({path.name for path in found if not path.name.startswith(".")})


class SlurmSite:
    """The Slurm of the lab."""

    cluster = "lab"

    def __init__(self, lab: SlurmLab) -> None:
        self._lab = lab
        self.runs = lab.folder / "runs"
        section = {key: value for key, value in lab.ssh_section().items() if key != "name"}
        self.toml = "[lab]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())

    def live(self) -> list[str]:
        listed = subprocess.run(
            ["squeue", "-h", "-o", "%j", "--states=PENDING,RUNNING,CONFIGURING,SUSPENDED"],
            capture_output=True,
            text=True,
            check=True,
        )
        return [name for name in listed.stdout.split() if name.startswith("campaign-")]


@contextlib.contextmanager
def site(name: str, folder: Path) -> Iterator[Site]:
    """The cluster named."""
    if name == LOCAL:
        yield LocalSite(folder)
        return
    lab = SlurmLab()
    with lab.shared():
        yield SlurmSite(lab)
