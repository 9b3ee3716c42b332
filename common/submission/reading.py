"""What programs wrote and left, from wherever it is by now: the cluster, or the share once it was collected.

Secrets in a log are covered with as many asterisks, so that an offset means the same to everybody. All functions block.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.errors import Invalid, NotFound
from common.storage.share import FileInfo, FileMissing, Share, check_path
from common.submission.collect import folder_of
from common.submission.masking import mask_bytes, secret_bytes, secrets_in
from common.submission.records import LogPart, Task
from common.submission.rows import known_of

if TYPE_CHECKING:
    from common.submission.system import TaskSystem

# How far back the last lines are looked for.
_TAIL_BYTES = 4 << 20
_CHUNK = 1 << 20

# Gives at most so many bytes from an offset.
Read = Callable[[int, int], LogPart]


@dataclass(frozen=True)
class Log:
    """A piece of a task's log.

    Parameters
    ----------
    size_bytes : of the log so far; None where the cluster does not tell.
    is_complete : whether the piece reaches the end, and nothing will come any more.
    """

    content: bytes
    offset: int
    size_bytes: int | None
    is_complete: bool

    @property
    def next(self) -> int:
        return self.offset + len(self.content)


def read_log(
    system: "TaskSystem", task: Task, offset: int, limit: int, element: int | None = None, attempt: int | None = None
) -> Log:
    """At most `limit` bytes of what a task wrote, from `offset` on.

    Raises
    ------
    NotFound
        There is no such attempt.
    Invalid
        There is no such element, or it was not said which.
    ClusterDown
    """
    read, is_final = _source(system, task, element, attempt)
    return _masked(read, task, offset, limit, is_final=is_final)


def read_tail(system: "TaskSystem", task: Task, lines: int, element: int | None, attempt: int | None) -> Log:
    """The last lines, as far as they lie within the last 4 MiB."""
    read, is_final = _source(system, task, element, attempt)
    size_bytes = _size(read)
    start = max(0, size_bytes - _TAIL_BYTES)
    # From before the last lines to wherever the log ends by now.
    log = _masked(read, task, start, size_bytes - start + _CHUNK, is_final=is_final)
    found = log.content.split(b"\n")
    count = lines + 1 if log.content.endswith(b"\n") else lines
    # The first one may have begun before.
    dropped = found[:-count] if len(found) > count else found[:1] if start else []
    kept = log.content[sum(len(line) + 1 for line in dropped) :]
    return Log(kept, log.next - len(kept), log.size_bytes, log.is_complete)


def size_of(system: "TaskSystem", task: Task, element: int | None, attempt: int | None) -> int:
    """How long the log is by now, in bytes."""
    return _size(_source(system, task, element, attempt)[0])


def list_files(system: "TaskSystem", task: Task, attempt: int | None = None) -> list[FileInfo]:
    """What an attempt left, by path below its folder; nothing before it was collected."""
    folder = folder_of(task.id, _known_attempt(task, attempt))
    found = system.blobs.share.find(folder)
    return [FileInfo(info.path.removeprefix(f"{folder}/"), info.size_bytes, info.etag) for info in found]


def find_file(system: "TaskSystem", task: Task, path: str, attempt: int | None = None) -> FileInfo:
    """A file that an attempt left; its path is that on the share.

    Raises
    ------
    NotFound
        The detail says what there is.
    """
    place = check_path(f"{folder_of(task.id, _known_attempt(task, attempt))}/{check_path(path)}")
    info = system.blobs.share.stat(place)
    if info is None:
        if files_state(task, attempt) in ("none", "collecting"):
            raise NotFound("the task's files are not here yet; they come when it has finished")
        raise NotFound(f"the task left no file {path[:100]!r}; GET /tasks/{task.id}/files lists those that it left")
    return info


def files_state(task: Task, attempt: int | None = None) -> str:
    """`none`, `collecting`, `complete` or `missing`."""
    if attempt is None or attempt == task.attempt:
        return "missing" if task.files == "none" and task.state.is_finished else task.files
    kept = next((str(one["files"]) for one in task.earlier if one["attempt"] == attempt), "none")
    return "missing" if kept == "none" else kept


def read_hidden(share: Share, task: Task, path: str, start: int, end: int) -> Iterator[bytes]:
    """As `read_part`; secrets in logs are covered."""
    name = path.rpartition(f"{task.id}/")[2].partition("/")[2]
    if "/" in name or not name.endswith(".log"):
        yield from read_part(share, path, start, end)
        return
    read = _on_share(share, path)
    while start < end and (piece := _masked(read, task, start, min(_CHUNK, end - start), is_final=True).content):
        yield piece
        start += len(piece)


def read_part(share: Share, path: str, start: int, end: int | None = None) -> Iterator[bytes]:
    """Bytes of a file on the share, from `start` to before `end`; all the rest without it.

    Raises
    ------
    FileMissing
        At the first part.
    """
    mounted = share.local_path(path)
    left = (1 << 62) if end is None else end - start
    if mounted is not None:
        try:
            file = mounted.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise FileMissing(f"there is no {path}") from None
        with file:
            file.seek(start)
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
        return
    skip = start
    for chunk in share.read(path):
        if skip >= len(chunk):
            skip -= len(chunk)
            continue
        piece = chunk[skip : skip + left]
        skip = 0
        left -= len(piece)
        if piece:
            yield piece
        if left <= 0:
            return


def _source(system: "TaskSystem", task: Task, element: int | None, attempt: int | None) -> tuple[Read, bool]:
    """Where the log is, and whether nothing will come any more."""
    number = _known_attempt(task, attempt)
    if task.spec.array is not None and element is None:
        told = ", ".join(str(item.index) for item in task.elements[:20])
        raise Invalid.field(
            "element", f"the task is an array; say which element{f', of {told}' if told else ''}", where="query"
        )
    if task.spec.array is None and element is not None:
        raise Invalid.field("element", "the task is no array; leave it out", element, where="query")
    name = "task.log" if element is None else f"task-{element}.log"
    state = files_state(task, number)
    share = system.blobs.share
    if state in ("complete", "missing"):
        return _on_share(share, f"{folder_of(task.id, number)}/{name}"), True
    known = known_of(task, number)
    if known is None or known.cluster_job_id is None:
        return (lambda offset, limit: LogPart(b"", offset, 0)), False
    runner = system.clusters.get(task.spec.cluster)
    return (lambda offset, limit: runner.read_log(known, offset, limit, element)), False


def _known_attempt(task: Task, attempt: int | None) -> int:
    if attempt is None:
        return task.attempt
    if attempt != task.attempt and not any(one["attempt"] == attempt for one in task.earlier):
        raise NotFound(f"the task has no attempt {attempt}; it is at attempt {task.attempt}")
    return attempt


def _on_share(share: Share, path: str) -> Read:
    def read(offset: int, limit: int) -> LogPart:
        info = share.stat(path)
        if info is None:
            return LogPart(b"", offset, 0)
        if offset >= info.size_bytes:
            return LogPart(b"", offset, info.size_bytes)
        return LogPart(b"".join(read_part(share, path, offset, offset + limit)), offset, info.size_bytes)

    return read


def _size(read: Read) -> int:
    found = read(0, 1)
    if found.size_bytes is not None:
        return found.size_bytes
    # The cluster does not tell: read to the end.
    size_bytes = 0
    while piece := read(size_bytes, _CHUNK).content:
        size_bytes += len(piece)
    return size_bytes


def _masked(read: Read, task: Task, offset: int, limit: int, *, is_final: bool) -> Log:
    secrets = secret_bytes(secrets_in(task.spec))
    # A secret may lie across either end of the piece.
    around = max(map(len, secrets), default=1) - 1
    start = max(0, offset - around)
    wanted = offset + limit + around - start
    # Clusters may give less than asked for.
    content = bytearray()
    size_bytes: int | None = None
    while len(content) < wanted:
        part = read(start + len(content), wanted - len(content))
        size_bytes = part.size_bytes
        if not part.content:
            break
        content += part.content
    end = start + len(content)
    is_end = len(content) < wanted
    hidden = mask_bytes(bytes(content), secrets)
    if is_end and not is_final:
        # The beginning of a secret of which the rest is not written yet.
        hidden = hidden[: len(hidden) - _begun(hidden, secrets)]
    piece = hidden[offset - start : offset - start + limit]
    is_complete = is_final and offset + len(piece) >= end and is_end
    return Log(piece, offset, size_bytes if size_bytes is not None or not is_end else end, is_complete)


def _begun(content: bytes, secrets: Sequence[bytes]) -> int:
    """How many bytes at the end may be the beginning of a secret."""
    return max(
        (
            length
            for secret in secrets
            for length in range(min(len(secret) - 1, len(content)), 0, -1)
            if content.endswith(secret[:length])
        ),
        default=0,
    )
