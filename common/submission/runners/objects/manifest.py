"""What a container is told about its files, and what it tells when it ends: lines of words. Pure.

The manifest is an object of its own, so that the signed addresses in it are in no job's description but for one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from common.submission.states import TaskState

EVERY = "*"
# What `end` says of a task that was ended.
TIMED_OUT, STOPPED = "timed-out", "stopped"
TIMED_OUT_CODE = 124

_SIGNED = re.compile(r"https?://[^\s\"'<>?]*\?[^\s\"'<>]*(?:X-Amz-|[?&]sig=)[^\s\"'<>]*")


def without_signatures(text: str) -> str:
    """The text without signed addresses: services quote what they were sent."""
    return _SIGNED.sub("<signed address>", text)


@dataclass(frozen=True)
class Places:
    """The names of a task's objects below its own prefix."""

    package: str = "package.tar.gz"
    manifest: str = "manifest"
    # Of all elements: whoever has it has the whole task.
    claim: str = "claim"

    @staticmethod
    def log(index: int | None) -> str:
        return "task.log" if index is None else f"task-{index}.log"

    @staticmethod
    def output(index: int | None) -> str:
        return "output.tar.gz" if index is None else f"output-{index}.tar.gz"

    @staticmethod
    def end(index: int | None) -> str:
        return "end" if index is None else f"end-{index}"


PLACES = Places()


@dataclass(frozen=True)
class Slot:
    """One element of a task, or all of it.

    Parameters
    ----------
    index : the user's, of an array; None for a task that is none.
    urls : signed addresses, by the words that the bootstrap reads: `log`, `output`, `end`, `claim`, `owner`.
    """

    index: int | None
    urls: Mapping[str, str]


def manifest(package: str, slots: Sequence[Slot], *, limit_s: int | None, log_every_s: int) -> bytes:
    """The manifest.

    Parameters
    ----------
    package : signed address of the task's files.
    slots : in the order in which the cluster counts elements, from 0.
    limit_s : after so long the program is ended.
    log_every_s : how often the log is put back while the program runs; 0 for at the end only.
    """
    lines = [f"{EVERY} package {package}", f"{EVERY} limit {limit_s or 0}", f"{EVERY} log_every {log_every_s}"]
    for number, slot in enumerate(slots):
        if slot.index is not None:
            lines.append(f"{number} index {slot.index}")
        lines += [f"{number} {word} {url}" for word, url in slot.urls.items()]
    return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class End:
    """What a container says when its program has ended.

    Parameters
    ----------
    how : `done`, `timed-out` or `stopped` (it was told to end).
    oom_kills : processes that were killed for memory while it ran.
    """

    code: int
    how: str
    host: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    oom_kills: int = 0
    cpu_time_s: float | None = None
    peak_memory_bytes: int | None = None

    @property
    def state(self) -> TaskState:
        if self.how == TIMED_OUT:
            return TaskState.TIMED_OUT
        if self.how == STOPPED:
            return TaskState.CANCELLED
        if self.code == 0:
            return TaskState.SUCCEEDED
        return TaskState.OUT_OF_MEMORY if self.code == 137 and self.oom_kills > 0 else TaskState.FAILED


def parse_end(content: bytes) -> End | None:
    """Read an `end` object; None where it is none. A user's program may have written anything into it."""
    words = dict(line.split(" ", 1) for line in content[:10_000].decode("utf-8", "replace").splitlines() if " " in line)
    code = _whole(words.get("code"))
    if code is None or code > 255:
        return None
    cpu_us = _whole(words.get("cpu_us"))
    return End(
        code=code,
        how=words.get("how", "done"),
        host="".join(char for char in words.get("host", "")[:100] if char.isprintable()).strip(),
        started_at=_moment(words.get("began")),
        finished_at=_moment(words.get("ended")),
        oom_kills=_whole(words.get("oom")) or 0,
        cpu_time_s=None if cpu_us is None else cpu_us / 1e6,
        peak_memory_bytes=_whole(words.get("peak")),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _moment(text: str | None) -> datetime | None:
    seconds = _whole(text)
    return None if seconds is None or seconds > 1 << 34 else datetime.fromtimestamp(seconds, UTC)
