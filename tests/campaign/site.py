"""The processes under test: a local host and workers, started again whenever they end, as an orchestrator would."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from common.settings import CHECKOUT
from tests.campaign import clock, commits, ledger
from tests.campaign.ledger import Loss
from tests.campaign.proxy import Proxy
from tests.support.servers import environment

_RESTART_S = 0.2
_LOOK_S = 0.05
_GOODBYE_S = 15.0


@dataclass(eq=False)
class Member:
    """One place for a process: what is started there, again and again.

    Attributes
    ----------
    clock : the file that steers the clocks of its processes.
    proxy : the way to the database, where that is a server.
    started_s : when the present process was started, by the monotonic clock.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    clock: Path
    proxy: Proxy | None = None
    process: "subprocess.Popen[bytes] | None" = None
    started_s: float = 0.0
    pids: set[int] = field(default_factory=set)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.started_s = time.monotonic()
        self.pids.add(self.process.pid)

    def family(self) -> list[psutil.Process]:
        """The process and all below it, itself first; empty if it has ended."""
        if self.process is None or self.process.poll() is not None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            found = [first, *first.children(recursive=True)]
            self.pids.update(member.pid for member in found)
            return found
        return []


class Site:
    """All members, and a thread that starts them again. Times are monotonic.

    Attributes
    ----------
    losses : processes that were killed, for the distribution of recovery times.
    ends : ends of processes that nobody here asked for, as text.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.losses: list[Loss] = []
        self.ends: list[str] = []
        self.restarts = 0
        self._expected: set[int] = set()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="site", daemon=True)

    @property
    def host(self) -> Member:
        return self.members[0]

    @property
    def workers(self) -> list[Member]:
        return self.members[1:]

    def start(self) -> None:
        for member in self.members:
            member.start()
        self._thread.start()

    def kill(self, processes: Sequence[psutil.Process], also_lost: Sequence[psutil.Process] = ()) -> int:
        """SIGKILL; returns how many were alive. `also_lost` are those that cannot go on without them."""
        with self._lock:
            self._expected.update(process.pid for process in processes)
        moment_s = time.monotonic()
        killed = 0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
        if killed:
            self.lost(moment_s, [*processes, *also_lost])
        return killed

    def lost(self, moment_s: float, processes: Sequence[psutil.Process]) -> None:
        self.losses.append(Loss(moment_s, frozenset(process.pid for process in processes)))

    def expect(self, pid: int) -> None:
        """The end of this process is the campaign's doing."""
        with self._lock:
            self._expected.add(pid)

    def stop(self) -> list[int]:
        """End all as an operator would; returns processes that are still there afterwards, and kills them."""
        self._stopping.set()
        self._thread.join(10)
        for member in self.members:
            if member.process is not None and member.process.poll() is None:
                member.process.send_signal(signal.SIGTERM)
        for member in self.members:
            if member.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    member.process.wait(40)
        # What belongs to a member and outlives it: a child that does not notice.
        until_s = time.monotonic() + _GOODBYE_S
        while self._living() and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
        left = self._living()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left

    def orphans(self) -> list[int]:
        """Processes below members that ended, which are still alive."""
        living = {process.pid for member in self.members for process in member.family()}
        return [pid for pid in self._all_pids() - living if _is_ours(pid)]

    def _living(self) -> list[int]:
        return [pid for pid in self._all_pids() if _is_ours(pid)]

    def _all_pids(self) -> set[int]:
        return {pid for member in self.members for pid in set(member.pids)}

    def _keep(self) -> None:
        seen = 0.0
        while not self._stopping.wait(_LOOK_S):
            for member in self.members:
                if member.process is not None and member.process.poll() is not None:
                    self._note_end(member)
                    time.sleep(_RESTART_S)
                    member.start()
                    self.restarts += 1
            if time.monotonic() - seen > 1:
                # Children come and go; whoever is below a member now is known when the member is gone.
                for member in self.members:
                    member.family()
                seen = time.monotonic()

    def _note_end(self, member: Member) -> None:
        assert member.process is not None
        with self._lock:
            expected = member.process.pid in self._expected
        if not expected:
            ran_s = time.monotonic() - member.started_s
            self.ends.append(f"{member.name} ended by itself with {member.process.returncode} after {ran_s:.1f} s")


def _is_ours(pid: int) -> bool:
    """Whether the process still exists and is the one we knew; numbers are given again."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and commits.FOLDER in process.environ()
    return False


def build(
    folder: Path,
    settings: Mapping[str, str],
    workers: int,
    port: int,
    proxies: Sequence[Proxy],
    clocks: Path | None,
) -> Site:
    """A host and so many workers over the same settings.

    Parameters
    ----------
    port : where the host serves.
    proxies : of each one to the database; `{port}` in DATABASE_URL is its port.
    clocks : the library that lets clocks jump.
    """
    members = []
    for number in range(workers + 1):
        name = "host" if number == 0 else f"worker-{number}"
        proxy = proxies[number] if proxies else None
        clock_file = folder / f"clock-{name}"
        given = dict(settings)
        if proxy is not None:
            given["DATABASE_URL"] = given["DATABASE_URL"].format(port=proxy.port)
        given |= {
            commits.FOLDER: str(folder / "arms"),
            ledger.FILE: str(folder / "ledger"),
            "ATOLL_PLUGIN_PATH": str(Path(__file__).parent / "plugins"),
            "SERVICE_MODEL": "campaign",
            "PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        }
        if clocks is not None:
            given |= clock.environment(clocks, clock_file)
        module = "common.host" if number == 0 else "common.jobs"
        command = [sys.executable, "-m", module, *([] if number == 0 else ["worker"])]
        members.append(Member(name, command, environment(folder, given), folder / f"{name}.log", clock_file, proxy))
    return Site(members)
