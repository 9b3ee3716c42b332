"""The tasks of one machine as files: which wait, which run, and under whose eyes. Standard library only.

::

    <root>/<name>/          a task's folder, complete when it is there; task.json says how it is run
    <root>/.queue/<entry>   waits; an entry is one task or one element of an array, its name holds all there is to know
    <root>/.running/<entry> runs; its supervisor holds a lock on the file, which ends with the supervisor
    <root>/.slots/<number>  locked by the supervisor that has this slot
    <root>/.new, .trash     folders that are being written, and removed

What moves between them moves under one lock, and each step can be the last before the machine dies.
"""

import fcntl
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from common.submission.runners.local.files import read_json, write_json
from common.submission.runners.local.processes import boot_id, kill_leftovers, remove_container

# A machine that takes its supervisors with it time and again is not to be tried for ever.
MOST_RESTARTS = 10
FINISHED = frozenset({"succeeded", "failed", "cancelled", "timed-out", "out-of-memory", "node-failed"})


class Entry(NamedTuple):
    """One task, or one element of an array.

    Parameters
    ----------
    order : when it was queued, in nanoseconds; the smallest is the next.
    cost : how many slots it takes.
    at_once : how many elements of its array may run at once; 0 for any number.
    """

    order: int
    cost: int
    at_once: int
    name: str
    element: int | None = None

    @property
    def file(self) -> str:
        ending = "" if self.element is None else f"~{self.element}"
        return f"{self.order:020d}~{self.cost}~{self.at_once}~{self.name}{ending}"

    @classmethod
    def of(cls, file: str) -> "Entry":
        order, cost, at_once, name, *element = file.split("~")
        return cls(int(order), int(cost), int(at_once), name, int(element[0]) if element else None)


def now_text() -> str:
    return datetime.now(UTC).isoformat()


def state_file(index: int | None) -> str:
    return "state.json" if index is None else f"state-{index}.json"


def log_file(index: int | None) -> str:
    return "task.log" if index is None else f"task-{index}.log"


def _waits(state: dict[str, Any] | None) -> bool:
    return state is None or state["state"] == "pending"


class Spool:
    """The tasks below `root`; makes its folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.queue, self.running = root / ".queue", root / ".running"
        self.slots, self.new, self.trash = root / ".slots", root / ".new", root / ".trash"

    def make(self) -> None:
        """Make the folders that are missing."""
        for folder in (self.root, self.queue, self.running, self.slots, self.new, self.trash):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One at a time, among all processes. It is held for milliseconds."""
        fd = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def state(self, entry: Entry) -> dict[str, Any] | None:
        return read_json(self.root / entry.name / state_file(entry.element))

    def write_state(self, entry: Entry, state: dict[str, Any]) -> None:
        write_json(self.root / entry.name / state_file(entry.element), state)
        # Whoever looks at one file only sees that something has changed.
        with suppress(OSError):
            (self.root / ".changed").touch()

    def is_cancelled(self, name: str) -> bool:
        return (self.root / name / "cancel").exists()

    def states(self, name: str, elements: Sequence[int | None]) -> dict[int | None, dict[str, Any] | None]:
        """What is known of each element of a task (`None` for one that is no array); None for what waits.

        What was cancelled while it waited has no state of its own: nothing claims it any more.
        """
        cancelled_at = self._cancelled_at(name)
        # In this order: what leaves `running` from here on has its last state already.
        begun = {entry.element for entry in self.entries(self.running, name)}
        found = {element: read_json(self.root / name / state_file(element)) for element in elements}
        if cancelled_at is None:
            return found
        ended = {"state": "cancelled", "reason": "Cancelled", "finished_at": cancelled_at}
        return {
            element: {**(state or {}), **ended} if _waits(state) and element not in begun else state
            for element, state in found.items()
        }

    def _cancelled_at(self, name: str) -> str | None:
        try:
            moment_s = (self.root / name / "cancel").stat(follow_symlinks=False).st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(moment_s, UTC).isoformat()

    def entries(self, folder: Path, name: str = "") -> list[Entry]:
        """What waits (`queue`) or runs (`running`), the oldest first; with a name, of this task only."""
        try:
            files = os.listdir(folder)  # noqa: PTH208 - names only
        except FileNotFoundError:
            return []
        found = map(Entry.of, sorted(file for file in files if name in file))
        return [entry for entry in found if name in ("", entry.name)]

    def ensure_queued(self, name: str) -> None:
        """Queue what of a task is neither waiting, running nor finished. Done twice, it does nothing."""
        task = read_json(self.root / name / "task.json")
        if task is None:
            return
        indices: list[int | None] = task["indices"] or [None]
        with self.lock():
            if self.is_cancelled(name):
                return
            there = {entry.element for folder in (self.queue, self.running) for entry in self.entries(folder, name)}
            order = time.time_ns()
            for number, index in enumerate(indices):
                entry = Entry(order + number, task["cost"], task["at_once"], name, index)
                if index not in there and self.state(entry) is None:
                    (self.queue / entry.file).touch()

    def claimable(self, slots: int, most: int) -> int:
        """How many of those that wait could begin now; no more than `most` are counted."""
        with self.lock():
            return len(list(itertools.islice(self._fitting(slots), most)))

    def claim(self, slots: int, slot_fd: int) -> tuple[Entry, int] | None:
        """Take what is next, with the descriptor that holds it.

        Where there is nothing, the slot is given up under the same lock: whoever queues something later sees it free.
        """
        with self.lock():
            entry = next(self._fitting(slots), None)
            if entry is None:
                os.close(slot_fd)
                return None
            (self.queue / entry.file).rename(self.running / entry.file)
            fd = os.open(self.running / entry.file, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return entry, fd

    def release(self, entry: Entry, fd: int) -> None:
        """Say that it has ended; its state tells how."""
        with self.lock():
            (self.running / entry.file).unlink(missing_ok=True)
            os.close(fd)

    def cancel(self, name: str) -> None:
        """Have it stopped: what waits never begins, what runs is ended by its supervisor."""
        folder = self.root / name
        if not folder.is_dir():
            return
        with self.lock():
            with suppress(FileExistsError):
                os.close(os.open(folder / "cancel", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            for entry in self.entries(self.queue, name):
                (self.queue / entry.file).unlink(missing_ok=True)

    def recover(self) -> None:
        """End what is left of tasks whose supervisor is gone, and say so, or put them back where they asked for it."""
        if not self.entries(self.running):
            return
        with self.lock():
            for entry in self.entries(self.running):
                path = self.running / entry.file
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._recover(entry, path)
                except OSError:
                    # It has a supervisor, or what became of it cannot be written now: the next look tries again.
                    continue
                finally:
                    os.close(fd)

    def _recover(self, entry: Entry, path: Path) -> None:
        folder = self.root / entry.name
        state = self.state(entry)
        if state is None and folder.is_dir() and not self.is_cancelled(entry.name):
            # Nothing of it has begun: the program waits for this file.
            path.rename(self.queue / entry.file)
            return
        if state is None or state["state"] in FINISHED:
            path.unlink()
            return
        task = read_json(folder / "task.json") or {}
        if state.get("boot_id") == boot_id():
            kill_leftovers(folder, entry.element, state.get("pid"), state.get("pid_start"))
            remove_container(task.get("container"), entry.element)
        restarts = int(state.get("restarts", 0))
        if self.is_cancelled(entry.name):
            self.write_state(entry, {**state, "state": "cancelled", "finished_at": now_text()})
            path.unlink()
        elif task.get("requeue") and restarts < MOST_RESTARTS:
            self.write_state(entry, {"state": "pending", "reason": "NodeFail", "restarts": restarts + 1})
            path.rename(self.queue / entry.file)
        else:
            ended = {"state": "node-failed", "reason": "NodeFail", "finished_at": now_text()}
            self.write_state(entry, {**state, **ended})
            path.unlink()

    def _fitting(self, slots: int) -> Iterator[Entry]:
        """Those that could begin, together, in order; nobody overtakes one that waits for slots."""
        running = self.entries(self.running)
        free = slots - sum(entry.cost for entry in running)
        names = [entry.name for entry in running]
        full: set[str] = set()
        for entry in self.entries(self.queue):
            if entry.name in full:
                continue
            if not (self.root / entry.name).is_dir() or self.is_cancelled(entry.name):
                (self.queue / entry.file).unlink(missing_ok=True)
            elif entry.at_once and names.count(entry.name) >= entry.at_once:
                full.add(entry.name)
            else:
                cost = min(entry.cost, slots)
                if cost > free:
                    return
                free -= cost
                names.append(entry.name)
                yield entry
