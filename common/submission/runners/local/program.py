"""One program of a task, from its start to the end of the last process that it left. Standard library only."""

import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.submission.runners.local.cgroups import MemoryGroup, make_group
from common.submission.runners.local.log import Log
from common.submission.runners.local.processes import (
    adopt_orphans,
    boot_id,
    descendants,
    die_with_parent,
    memory_bytes,
    remove_container,
    signal_all,
    start_time,
)
from common.submission.runners.local.spool import Entry, Spool, log_file, now_text

_TICK_S = 0.2
_READ_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
# What a program says when it is given no more memory.
_WANT = (b"MemoryError", b"Cannot allocate memory", b"std::bad_alloc", b"OutOfMemoryError", b"out of memory")
_KILLED, _NEARLY = 128 + signal.SIGKILL, 0.9
# Beyond its limit a program is ended by who looks on; far beyond, it is given nothing any more.
_SPARE_BYTES = 1 << 30


class Program:
    """Runs `run.sh` of one entry, and keeps its state file."""

    def __init__(self, spool: Spool, entry: Entry, task: dict[str, Any]) -> None:
        self._spool, self._entry, self._task = spool, entry, task
        self._folder = spool.root / entry.name
        self._limit: int | None = task["memory_bytes"]
        self.pid = -1
        self._started_s = 0.0
        self._peak_bytes = 0
        self._cpu_s = 0.0
        self._why: tuple[str, str] | None = None
        self._kill_at: float | None = None
        self._ended: int | None = None
        self._group: MemoryGroup | None = None

    def run(self) -> None:
        """Blocks until nothing of it is left; its state file then says how it ended."""
        adopt_orphans(True)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        before = self._spool.state(self._entry) or {}
        log = Log(self._folder / log_file(self._entry.element), self._task["log_limit_bytes"])
        state: dict[str, Any] = {
            "restarts": before.get("restarts", 0),
            "node": socket.gethostname(),
            "started_at": now_text(),
        }
        try:
            if self._limit is not None and self._task["container"] is None:
                self._group = make_group(self._entry.file.replace("~", "-"), self._limit)
            output = self._start(state)
            self._follow(output, wake, log)
            self._end_leftovers(output, log)
            ended = self._outcome(log)
        except OSError as exc:
            self._end_leftovers(None, log)
            ended = {"state": "failed", "reason": f"cannot be started: {exc.strerror}"}
        finally:
            # What else this process starts is not the program's.
            adopt_orphans(False)
            signal.set_wakeup_fd(-1)
            os.close(wake)
            os.close(woken)
            log.close()
            if self._group is not None:
                self._group.remove()
        ended |= {"finished_at": now_text(), "cpu_time_s": round(self._cpu_s, 3), "peak_memory_bytes": self._peak_bytes}
        self._spool.write_state(self._entry, {**state, **ended})

    def _start(self, state: dict[str, Any]) -> int:
        """Start the program; the descriptor to read what it writes from."""
        output, theirs = os.pipe2(os.O_CLOEXEC)
        go, went = os.pipe2(os.O_CLOEXEC)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):
            import fcntl

            fcntl.fcntl(output, _F_SETPIPE_SZ, _PIPE_BYTES)
        self.pid = os.fork()
        if self.pid == 0:
            self._become_program(nothing, theirs, go)
        for fd in (theirs, go, nothing):
            os.close(fd)
        state |= {"state": "running", "pid": self.pid, "pid_start": start_time(self.pid), "boot_id": boot_id()}
        self._spool.write_state(self._entry, state)
        # It has waited for this: whatever has begun is on record.
        os.write(went, b"g")
        os.close(went)
        os.set_blocking(output, False)
        self._started_s = time.monotonic()
        return output

    def _become_program(self, nothing: int, output: int, go: int) -> None:
        try:
            os.setsid()
            die_with_parent()
            # Its parent may have died before it could ask to die with it: then there is nobody who says go.
            if os.read(go, 1) != b"g":
                os._exit(1)
            for ours, theirs in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(ours, theirs)
            self._limit_myself()
            for number in (
                signal.SIGPIPE,
                signal.SIGXFSZ,
                signal.SIGCHLD,
                signal.SIGTERM,
                signal.SIGINT,
                signal.SIGHUP,
            ):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(self._folder)
            os.execve("/bin/sh", ["sh", str(self._folder / "run.sh")], self._environment())  # noqa: S606 - no shell needed
        except BaseException as exc:  # noqa: BLE001 - nothing may return from here
            os.write(2, f"atoll: the program cannot be started: {exc}\n".encode())
        finally:
            os._exit(125)

    def _limit_myself(self) -> None:
        if self._group is not None:
            self._group.join()
        # If the machine itself runs out of memory, a task goes before Atoll does.
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
        with suppress(OSError):
            os.nice(5)
        limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: self._task["max_files"]}
        if self._limit is not None and self._task["container"] is None:
            limits[resource.RLIMIT_DATA] = self._limit + max(self._limit, _SPARE_BYTES)
        for kind, most in limits.items():
            _, hard = resource.getrlimit(kind)
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (value, value))

    def _environment(self) -> dict[str, str]:
        own = {"ATOLL_TASK_DIR": str(self._folder), "ATOLL_CLUSTER_JOB_ID": self._entry.name}
        if self._entry.element is not None:
            own["ATOLL_ARRAY_INDEX"] = str(self._entry.element)
        temporary = self._folder / "tmp"
        temporary.mkdir(mode=0o700, exist_ok=True)
        return {**self._task["environment"], "HOME": str(self._folder), "TMPDIR": str(temporary), **own}

    def _follow(self, output: int, wake: int, log: Log) -> None:
        """Until the program itself has ended."""
        poll = select.poll()
        poll.register(output, select.POLLIN)
        poll.register(wake, select.POLLIN)
        next_look_s = 0.0
        while self._ended is None:
            for fd, _ in poll.poll(_TICK_S * 1000):
                if fd == output and not self._read(output, log):
                    poll.unregister(output)
                elif fd == wake:
                    with suppress(BlockingIOError):
                        os.read(wake, _READ_BYTES)
            self._reap()
            now_s = time.monotonic()
            if now_s >= next_look_s and self._ended is None:
                next_look_s = now_s + _TICK_S
                self._look(now_s)

    def _look(self, now_s: float) -> None:
        """Decide whether it has to end."""
        alive = descendants(os.getpid())
        used = memory_bytes(alive, self._limit)
        self._peak_bytes = max(self._peak_bytes, used)
        limit_s = self._task["time_limit_s"]
        # The kernel ends one process only; the others would wait for it.
        is_over = self._group is not None and self._group.was_exceeded
        if is_over or (self._limit is not None and used > self._limit):
            self._why = self._why or ("out-of-memory", "OutOfMemory")
            signal_all(alive, signal.SIGKILL)
        elif self._kill_at is not None:
            if now_s >= self._kill_at:
                signal_all(alive, signal.SIGKILL)
        elif self._spool.is_cancelled(self._entry.name):
            self._ask_to_end(alive, now_s, ("cancelled", "Cancelled"))
        elif limit_s is not None and now_s - self._started_s >= limit_s:
            self._ask_to_end(alive, now_s, ("timed-out", "TimeLimit"))

    def _ask_to_end(self, alive: list[int], now_s: float, why: tuple[str, str]) -> None:
        self._why, self._kill_at = why, now_s + self._task["grace_s"]
        signal_all(alive, signal.SIGTERM)

    def _end_leftovers(self, output: int | None, log: Log) -> None:
        """Kill what the program has left, and read what was still on its way."""
        while alive := descendants(os.getpid()):
            signal_all(alive, signal.SIGKILL)
            if output is not None:
                self._read(output, log)
            time.sleep(0.01)
            self._reap()
        self._reap()
        if output is not None:
            while self._read(output, log):
                pass
            os.close(output)

    def _read(self, output: int, log: Log) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(output, _READ_BYTES)
        except BlockingIOError:
            return False
        log.write(data)
        return bool(data)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._cpu_s += usage.ru_utime + usage.ru_stime
            kilo = 1 if sys.platform == "darwin" else 1024
            self._peak_bytes = max(self._peak_bytes, usage.ru_maxrss * kilo)
            if pid == self.pid:
                self._ended = status

    def _outcome(self, log: Log) -> dict[str, Any]:
        exhausted = remove_container(self._task["container"], self._entry.element)
        code = os.waitstatus_to_exitcode(self._ended or 0)
        told = {"exit_code": code} if code >= 0 else {"signal": -code}
        if self._why is not None:
            return {"state": self._why[0], "reason": self._why[1], **told}
        if code == 0:
            return {"state": "succeeded", **told}
        # Engines do not always tell: their container is then killed with all of its memory in use.
        is_full = self._limit is not None and self._peak_bytes > _NEARLY * self._limit
        exhausted = exhausted or (self._task["container"] is not None and code == _KILLED and is_full)
        if exhausted or (self._group is not None and self._group.was_exceeded):
            return {"state": "out-of-memory", "reason": "OutOfMemory", **told}
        if self._limit is not None and any(word in log.end for word in _WANT):
            return {"state": "out-of-memory", "reason": "MemoryError", **told}
        return {"state": "failed", "reason": "NonZeroExitCode" if code > 0 else "Signal", **told}
