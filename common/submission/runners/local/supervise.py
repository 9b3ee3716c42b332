"""What looks after tasks while they run: a small process for each slot, which Atoll starts and need not outlive.

Standard library only, so that it starts at once and stays small.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from common.submission.runners.local.files import read_json
from common.submission.runners.local.program import Program
from common.submission.runners.local.spool import Spool, now_text

_CHECKOUT = Path(__file__).resolve().parents[4]
_MODULE = "common.submission.runners.local.supervise"
_START = f"""\
import sys
sys.path.insert(0, sys.argv.pop(1))
from {_MODULE} import main
main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""
# Nothing else of Atoll's environment, which holds its secrets, reaches a task.
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "JAVA_HOME",
    "CONTAINERS_CONF", "XDG_RUNTIME_DIR",
)  # fmt: skip


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment tasks may see."""
    return {name: environ[name] for name in _PASSED_ON if name in environ} | {"PATH": environ.get("PATH", os.defpath)}


def ensure_supervisors(spool: Spool, slots: int) -> None:
    """Start as many supervisors as there are tasks that could begin now, and slots for them."""
    free = [slot for slot in range(slots) if _is_free(spool, slot)]
    if free:
        for slot in free[: spool.claimable(slots, len(free))]:
            _start(spool, slot, slots)


def main(root: str, slot: int, slots: int) -> None:
    """Run what waits, one after the other, until nothing does."""
    spool = Spool(Path(root))
    slot_fd = _take(spool, slot)
    if slot_fd is None:
        return
    while True:
        spool.recover()
        claimed = spool.claim(slots, slot_fd)
        if claimed is None:
            return
        entry, fd = claimed
        ensure_supervisors(spool, slots)
        task = read_json(spool.root / entry.name / "task.json")
        if task is None:
            ended = {"state": "failed", "reason": "its folder is damaged", "finished_at": now_text()}
            with suppress(OSError):
                spool.write_state(entry, ended)
        else:
            Program(spool, entry, task).run()
        spool.release(entry, fd)


def _take(spool: Spool, slot: int) -> int | None:
    """Lock a slot; None if it is taken."""
    fd = os.open(spool.slots / str(slot), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _is_free(spool: Spool, slot: int) -> bool:
    fd = _take(spool, slot)
    if fd is not None:
        os.close(fd)
    return fd is not None


def _start(spool: Spool, slot: int, slots: int) -> None:
    """Start a supervisor that is nobody's child: the shell between ends at once."""
    words = [sys.executable, "-I", "-S", "-c", _START, str(_CHECKOUT), str(spool.root), str(slot), str(slots)]
    log = os.open(spool.root / ".supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        subprocess.run(  # noqa: S603 - all of it is ours
            ["/bin/sh", "-c", '"$@" &', "sh", *words],
            cwd="/",
            env=plain_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(log)
