"""The faults: each is begun, lasts a while, and is ended."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.campaign import clock, commits
from tests.campaign.ledger import Loss
from tests.campaign.proxy import Proxy
from tests.campaign.site import Member, Site
from tests.support.backends import AzuriteServer, PostgresServer, Stop

# A moment that does not come in this time is not waited for.
_ARM_S = 6.0


@dataclass
class Ground:
    """What faults act on."""

    site: Site
    folder: Path
    rng: random.Random
    stall_s: float
    database: PostgresServer | None = None
    queues: AzuriteServer | None = None
    queue_proxy: Proxy | None = None
    share: Path | None = None
    clocks: bool = False

    def faults(self) -> dict[str, Callable[[], None]]:
        """Those that can be done here; each returns when it is over."""
        found: dict[str, Callable[[], None]] = {
            "worker frozen": self._freeze_worker,
            "child frozen": self._freeze_child,
            "host frozen": self._freeze_host,
        }
        if self.clocks:
            found |= {"one clock jumps": self._one_clock, "all clocks jump": self._all_clocks}
        if self.share is not None:
            found["disk full"] = self._fill_share
        if self.database is not None:
            found |= {
                "database restarted": lambda: self._restart_database(Stop.FAST),
                "database crashes": lambda: self._restart_database(Stop.CRASH),
                "database unreachable for one": self._cut_one,
                "database unreachable for all": self._cut_all,
            }
        if self.queues is not None:
            found |= {
                "queue server restarted": lambda: self._restart_queues(Stop.FAST),
                "queue server loses messages": lambda: self._restart_queues(Stop.KILL),
                "queue server unreachable": self._cut_queues,
            }
        return found

    def kill(self, who: str) -> str | None:
        """SIGKILL; what was killed, None if there was nothing to kill."""
        if who == "at a commit":
            return self._kill_at_commit()
        if who == "everything":
            found = [process for member in self.site.members for process in member.family()]
            return who if self.site.kill(found) else None
        member = self.site.host if who.startswith("host") else self._busy_worker()
        family = member.family()
        if not family:
            return None
        if who == "worker's child":
            if len(family) == 1:
                who = "worker"
            else:
                child = self.rng.choice(family[1:])
                return who if self.site.kill([child, *_below(child)]) else None
        if who in ("worker", "host"):
            # Its children cannot go on without it, or have to notice that they must not.
            return who if self.site.kill(family[:1], family[1:]) else None
        return who if self.site.kill(family) else None

    def _busy_worker(self) -> Member:
        """One that has had the time to begin something, if there is one."""
        ready = [member for member in self.site.workers if time.monotonic() - member.started_s > 2]
        return self.rng.choice(ready or self.site.workers)

    def _kill_at_commit(self) -> str | None:
        moments = [m for m in commits.MOMENTS if self.queues is None or "queue_messages" not in commits.MOMENTS[m]]
        moment, when = self.rng.choice(moments), self.rng.choice(["before", "after"])
        arms = self.folder / "arms"
        families = [frozenset(process.pid for process in member.family()) for member in self.site.members]
        firsts = {
            member.process.pid: family
            for member, family in zip(self.site.members, families, strict=True)
            if member.process
        }
        file = commits.arm(arms, moment, when)
        until_s = time.monotonic() + _ARM_S
        while file.exists() and time.monotonic() < until_s:
            time.sleep(0.01)
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
            return None
        taken = next(path for path in arms.iterdir() if path.name.endswith(file.name))
        pid = int(taken.name.partition(" ")[0])
        taken.unlink()
        self.site.expect(pid)
        # The children of a process cannot go on without it.
        self.site.losses.append(Loss(time.monotonic(), firsts.get(pid) or frozenset({pid})))
        return f"at a commit: {when} {moment}"

    def _freeze_worker(self) -> None:
        """Long enough that its jobs are given to others: a zombie that wakes up."""
        self._freeze(self._busy_worker(), self.stall_s * self.rng.uniform(1.5, 3))

    def _freeze_child(self) -> None:
        member = self._busy_worker()
        family = member.family()
        if len(family) > 1:
            self._stop_for([self.rng.choice(family[1:])], self.rng.uniform(0.5, self.stall_s))

    def _freeze_host(self) -> None:
        self._freeze(self.site.host, self.stall_s * self.rng.uniform(0.5, 2))

    def _freeze(self, member: Member, seconds: float) -> None:
        self._stop_for(member.family(), seconds)

    @staticmethod
    def _stop_for(processes: list[psutil.Process], seconds: float) -> None:
        _signal(processes, signal.SIGSTOP)
        time.sleep(seconds)
        _signal(processes, signal.SIGCONT)

    def _one_clock(self) -> None:
        self._jump([self.rng.choice(self.site.members)])

    def _all_clocks(self) -> None:
        self._jump(self.site.members)

    def _jump(self, members: list[Member]) -> None:
        offset_s = self.rng.choice([-7200, -90, -20, 20, 90, 7200])
        for member in members:
            clock.set_clock(member.clock, offset_s)
        time.sleep(self.rng.uniform(4, 8))
        for member in members:
            clock.set_clock(member.clock, 0)

    def _fill_share(self) -> None:
        assert self.share is not None
        ballast = self.share / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        time.sleep(self.rng.uniform(2, 5))
        ballast.unlink()

    def _restart_database(self, how: Stop) -> None:
        assert self.database is not None
        self.database.stop(how)
        time.sleep(self.rng.uniform(0, 3))
        self.database.start()

    def _restart_queues(self, how: Stop) -> None:
        assert self.queues is not None
        self.queues.stop(how)
        time.sleep(self.rng.uniform(0, 3))
        self.queues.start()

    def _cut_one(self) -> None:
        proxy = self.rng.choice(self.site.members).proxy
        assert proxy is not None
        self._cut([proxy])

    def _cut_all(self) -> None:
        self._cut([member.proxy for member in self.site.members if member.proxy is not None])

    def _cut_queues(self) -> None:
        assert self.queue_proxy is not None
        self._cut([self.queue_proxy])

    def _cut(self, proxies: list[Proxy]) -> None:
        hang = self.rng.random() < 0.5
        for proxy in proxies:
            (proxy.hang if hang else proxy.drop)()
        time.sleep(self.stall_s * self.rng.uniform(0.5, 3))
        for proxy in proxies:
            if hang and self.rng.random() < 0.5:
                # What was under way never arrives.
                proxy.drop()
            proxy.heal()


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _below(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        found: list[psutil.Process] = process.children(recursive=True)
        return found
    return []
