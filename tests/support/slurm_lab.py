"""A real Slurm on this machine, from ../shared/lab: one for everybody, so tests hold a lock while they use it.

`shared` lets many use it at once, each with names of their own; `exclusive` keeps all others away, for tests that stop
a part of it. Where ../shared or root is missing, tests skip and say so.
"""

import contextlib
import fcntl
import functools
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.campaign.proxy import Proxy
from tests.support.datasets import CHECKOUT
from tests.support.servers import free_port

LAB = CHECKOUT.parent / "shared" / "lab" / "slurm"
NODES = ("n1", "n2")
_LOCKS = Path("/tmp")  # noqa: S108 - one for all processes and users of the machine
_UP_S = 600
_WAIT_S = 60.0

T = TypeVar("T")


def wait_until(look: Callable[[], T | None], what: str, limit_s: float = _WAIT_S) -> T:
    """What `look` gives, as soon as it gives anything."""
    until = time.monotonic() + limit_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"waited {limit_s:g} s in vain for: {what}")
        time.sleep(0.1)


class SlurmLab:
    """The running cluster.

    Attributes
    ----------
    settings : `LAB_SLURM_…` of its env.sh, without that prefix.
    folder : for this process's tasks; the account may write there, and it is removed at the end.
    """

    def __init__(self) -> None:
        _bring_up()
        text = subprocess.run([LAB / "env.sh"], check=True, capture_output=True, text=True).stdout
        self.settings: dict[str, str] = dict(re.findall(r"export LAB_SLURM_(\w+)=(.*)", text))
        self.state = Path(self.settings["SSH_KEY"]).parents[1]
        self.user = self.settings["SSH_USER"]
        self.port = int(self.settings["SSH_PORT"])
        self.folder = Path("/home") / self.user / f"atoll-tests-{uuid.uuid4().hex[:12]}"
        self.folder.mkdir(mode=0o700)
        shutil.chown(self.folder, self.user, self.user)

    def ssh_section(self, **more: Any) -> dict[str, Any]:
        """A section of `clusters.toml` that leads to it by SSH."""
        return {
            "name": "lab",
            "kind": "slurm-ssh",
            "host": self.settings["SSH_HOST"],
            "port": self.port,
            "user": self.user,
            "key": f"file:{self.settings['SSH_KEY']}",
            "known_hosts": self.settings["SSH_KNOWN_HOSTS"],
            "folder": str(self.folder),
            **more,
        }

    def rest_section(self, **more: Any) -> dict[str, Any]:
        """What leads to it by REST: the fields that do not depend on the runner's own names."""
        return {"name": "lab-rest", "kind": "slurm-rest", "folder": str(self.folder), **more}

    # -- who may use it ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def shared(self) -> Iterator["SlurmLab"]:
        """Use it beside others."""
        with _locked(exclusive=False):
            yield self

    @contextlib.contextmanager
    def exclusive(self) -> Iterator["SlurmLab"]:
        """Use it alone; whatever was stopped runs again afterwards."""
        with _locked(exclusive=True):
            try:
                yield self
            finally:
                self.heal()

    # -- as its operator --------------------------------------------------------------------------------------------

    def stop_controller(self) -> None:
        pid = self._pid("slurmctld")
        self._signal("slurmctld", signal.SIGTERM)
        wait_until(lambda: not _alive(pid), "the controller ends")

    def start_controller(self) -> None:
        if not _alive(self._pid("slurmctld")):
            subprocess.run(["setpriv", "--reuid=slurm", "--regid=slurm", "--init-groups", "slurmctld"], check=True)
        wait_until(self._controller_answers, "the controller answers")

    def freeze_controller(self) -> None:
        """It keeps its connections and answers nobody."""
        self._signal("slurmctld", signal.SIGSTOP)

    def thaw_controller(self) -> None:
        self._signal("slurmctld", signal.SIGCONT)

    def fail_node(self, name: str) -> None:
        """The node's daemon dies, and the controller takes the node for dead."""
        self._signal(f"slurmd.{name}", signal.SIGKILL)
        self.operate("scontrol", "update", f"nodename={name}", "state=down", "reason=test")

    def drain_node(self, name: str) -> None:
        """The node takes no more jobs."""
        self.operate("scontrol", "update", f"nodename={name}", "state=drain", "reason=test")

    def heal(self) -> None:
        """Everything runs, and every node takes jobs."""
        self.thaw_controller()
        self.start_controller()
        for name in NODES:
            if not _alive(self._pid(f"slurmd.{name}")):
                subprocess.run(["slurmd", "-N", name], check=True)
        wait_until(self._nodes_resumed, "all nodes are up")

    def operate(self, *command: str) -> str:
        """One of Slurm's programs, as root."""
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def jobs_named(self, name: str) -> list[str]:
        """The numbers of all jobs of this name that the controller knows, arrays as one."""
        told = self.operate("squeue", "-h", "--states=all", f"--name={name}", "-o", "%F")
        return sorted(set(told.split()), key=int)

    def cancel_named(self, name: str) -> None:
        self.operate("scancel", f"--name={name}")

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def ssh_proxy(self, folder: Path) -> Iterator[tuple[Proxy, dict[str, Any]]]:
        """A proxy before the login node that can cut connections, and what of a section leads through it."""
        proxy = Proxy(self.port)
        proxy.start()
        try:
            known = Path(self.settings["SSH_KNOWN_HOSTS"]).read_text().replace(f":{self.port} ", f":{proxy.port} ")
            file = folder / f"known_hosts_{proxy.port}"
            file.write_text(known)
            yield proxy, {"port": proxy.port, "known_hosts": str(file)}
        finally:
            proxy.close()

    @contextlib.contextmanager
    def another_sshd(self, folder: Path, *lines: str) -> Iterator[dict[str, Any]]:
        """A second login node, with more lines of configuration before the first one's, and what leads to it."""
        port = free_port()
        kept = re.sub(r"(?m)^(Port|PidFile) .*$", "", (self.state / "ssh" / "sshd_config").read_text())
        config = folder / "sshd_config"
        config.write_text("\n".join([*lines, f"Port {port}", f"PidFile {folder}/sshd.pid", kept]))
        known = folder / "known_hosts_sshd"
        known.write_text(Path(self.settings["SSH_KNOWN_HOSTS"]).read_text().replace(f":{self.port} ", f":{port} "))
        with subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", config, "-E", folder / "sshd.log"]) as server:
            try:
                wait_until((folder / "sshd.pid").exists, "the second sshd listens")
                yield {"port": port, "known_hosts": str(known)}
            finally:
                server.terminate()

    def _controller_answers(self) -> bool:
        return subprocess.run(["scontrol", "ping"], capture_output=True, timeout=60).returncode == 0

    def _nodes_resumed(self) -> bool:
        states = dict(line.split() for line in self.operate("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
        for name, state in states.items():
            if re.match(r"(down|drain|fail)", state):
                # A node that has just come back refuses to be resumed once more.
                subprocess.run(["scontrol", "update", f"nodename={name}", "state=resume"], capture_output=True)
        return all(re.fullmatch(r"idle|mixed|allocated|completing", state) for state in states.values())

    def _signal(self, daemon: str, number: signal.Signals) -> None:
        pid = self._pid(daemon)
        if _alive(pid):
            os.kill(pid, number)

    def _pid(self, name: str) -> int:
        try:
            return int((self.state / "run" / f"{name}.pid").read_text())
        except FileNotFoundError:
            # It removes its file as it ends.
            return 0


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@contextlib.contextmanager
def _locked(*, exclusive: bool) -> Iterator[None]:
    """Whoever waits to be alone holds the gate meanwhile, so that those who share do not keep him waiting for ever."""
    with (_LOCKS / "atoll-slurm-lab.gate").open("a") as gate, (_LOCKS / "atoll-slurm-lab.lock").open("a") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        finally:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@functools.cache
def _bring_up() -> None:
    """Once a process; the script itself does nothing where all runs."""
    if not LAB.is_dir():
        pytest.skip("the lab's Slurm is not in ../shared/lab/slurm")
    if os.getuid() != 0:
        pytest.skip("the lab's Slurm needs root: its daemons run as several users")
    # Not while a test has stopped a part of it, and once at a time.
    with _locked(exclusive=False), (_LOCKS / "atoll-slurm-lab.up").open("a") as up:
        fcntl.flock(up, fcntl.LOCK_EX)
        # Daemons stay where they are started, longer than a checkout may.
        done = subprocess.run([LAB / "slurm_up.sh"], cwd="/", capture_output=True, text=True, timeout=_UP_S)
    if done.returncode != 0:
        pytest.fail(f"the lab's Slurm does not start: {done.stdout[-1000:]}{done.stderr[-1000:]}")


@contextlib.contextmanager
def slurm_lab() -> Iterator[SlurmLab]:
    """The lab's Slurm, brought up where it is not running; it is left running."""
    lab = SlurmLab()
    try:
        yield lab
    finally:
        lab.close()
