"""Tasks on the machine that Atoll runs on."""

import functools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar

from common.submission import script
from common.submission.arrays import indices
from common.submission.container import is_wrapped
from common.submission.errors import ClusterDown
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Partition, Submission
from common.submission.runners.base import Runner
from common.submission.runners.local.checks import check
from common.submission.runners.local.config import LocalConfig
from common.submission.runners.local.files import open_regular, read_json, write_json
from common.submission.runners.local.spool import Spool, log_file, now_text
from common.submission.runners.local.states import observation
from common.submission.runners.local.supervise import ensure_supervisors, plain_environment
from common.submission.spec import TaskSpec

P = ParamSpec("P")
T = TypeVar("T")

_CHUNK_BYTES = 1 << 20
_RUN_MODE, _FILE_MODE = 0o700, 0o600


def _told_as_down(method: Callable[P, T]) -> Callable[P, T]:
    """A full disk, say, may be a passing trouble: it is told as that of any cluster is."""

    @functools.wraps(method)
    def tried(*given: P.args, **named: P.kwargs) -> T:
        try:
            return method(*given, **named)
        except OSError as exc:
            raise ClusterDown(f"the folder of its tasks cannot be used: {exc.strerror or exc}") from exc

    return tried


class LocalRunner(Runner):
    """Writes the folders of tasks, sees to it that supervisors run them, and reads what those write down."""

    kind: ClassVar[str] = "local"
    takes_arrays: ClassVar[bool] = True
    config: LocalConfig

    def __init__(self, config: LocalConfig) -> None:
        super().__init__(config)
        self._spool = Spool(Path(config.folder).absolute())
        self._is_made = False

    def info(self) -> ClusterInfo:
        try:
            spool = self._made()
        except ClusterDown as exc:
            return ClusterInfo("down", exc.detail)
        queued, running = spool.entries(spool.queue), spool.entries(spool.running)
        used = min(self.config.slots, sum(entry.cost for entry in running))
        partitions = [
            Partition(
                name,
                is_default=name == self.config.default_partition,
                nodes=1,
                idle_nodes=int(used < self.config.slots),
                cpus=self.config.slots,
                idle_cpus=self.config.slots - used,
                max_time_s=self.config.max_time_limit_s,
            )
            for name in self.config.partitions
        ]
        return ClusterInfo(
            "up",
            partitions=partitions,
            pending=len(queued),
            running=len(running),
            load=used / self.config.slots,
        )

    def check(self, spec: TaskSpec) -> None:
        check(spec, self.config)

    def preview(self, task: Submission) -> str:
        return script.render(task.spec, self.config, task_id=task.task_id, name=task.name)

    @_told_as_down
    def find(self, task: Submission) -> str | None:
        spool = self._made()
        if not (spool.root / task.name).is_dir():
            return None
        # Whoever wrote it may have been killed before it was queued.
        self._begin(spool, task.name)
        return task.name

    @_told_as_down
    def submit(self, task: Submission, package: Package) -> str:
        spool = self._made()
        if not (spool.root / task.name).is_dir():
            new = Path(tempfile.mkdtemp(prefix=f"{task.name}.", dir=spool.new))
            try:
                self._write(new, task, package)
                # Fails where there is one already: this folder is not empty.
                new.rename(spool.root / task.name)
            except OSError as exc:
                shutil.rmtree(new, ignore_errors=True)
                if not (spool.root / task.name).is_dir():
                    raise ClusterDown(f"the task's folder cannot be written: {exc.strerror}") from exc
        self._begin(spool, task.name)
        return task.name

    @_told_as_down
    def observe(self, known: Sequence[Known]) -> list[Observation]:
        spool = self._made()
        spool.recover()
        ensure_supervisors(spool, self.config.slots)
        return [found for task in known if (found := self._observe(spool.root / task.name, task)) is not None]

    @_told_as_down
    def cancel(self, known: Known) -> None:
        self._made().cancel(known.name)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        fd = open_regular(self._spool.root / known.name / log_file(element))
        if fd is None:
            return LogPart(b"", offset, 0)
        with os.fdopen(fd, "rb") as file:
            size = os.fstat(fd).st_size
            file.seek(offset)
            return LogPart(file.read(limit), offset, size)

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        folder = self._spool.root / known.name
        elements: list[int | None] = [None] if known.spec.array is None else [*indices(known.spec.array)[0]]
        for element in elements:
            fd = open_regular(folder / log_file(element))
            if fd is not None:
                yield log_file(element), _parts(fd)
        yield from _plain_files(folder / script.OUTPUT, script.OUTPUT)

    @_told_as_down
    def clean(self, known: Known) -> None:
        spool = self._made()
        folder = spool.root / known.name
        trash = spool.trash / f"{known.name}.{time.time_ns()}"
        with suppress(FileNotFoundError):
            folder.rename(trash)
        for old in spool.trash.iterdir():
            shutil.rmtree(old, ignore_errors=True)

    def _made(self) -> Spool:
        if not self._is_made or not self._spool.queue.is_dir():
            try:
                self._spool.make()
            except OSError as exc:
                raise ClusterDown(f"{self.config.folder} cannot be written to: {exc.strerror}") from None
            # /proc tells of folders as they are, without links.
            self._spool = Spool(self._spool.root.resolve())
            self._is_made = True
        return self._spool

    def _begin(self, spool: Spool, name: str) -> None:
        spool.ensure_queued(name)
        ensure_supervisors(spool, self.config.slots)

    def _write(self, folder: Path, task: Submission, package: Package) -> None:
        folder.chmod(0o700)
        for name, content in package.files.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
            path.chmod(_RUN_MODE if name == script.RUN else _FILE_MODE)
        write_json(folder / "task.json", self._orders(task))

    def _orders(self, task: Submission) -> dict[str, Any]:
        """What the supervisor is told."""
        spec, config = task.spec, self.config
        elements, at_once = (None, None) if spec.array is None else indices(spec.array)
        environment = plain_environment(os.environ)
        if Path(config.python).is_absolute():
            # What is installed beside that Python is found as well.
            environment["PATH"] = f"{Path(config.python).parent}{os.pathsep}{environment['PATH']}"
        return {
            "submitted_at": now_text(),
            "indices": elements,
            "at_once": at_once or 0,
            "cost": min(spec.cpus or 1, config.slots),
            "requeue": spec.requeue,
            "time_limit_s": spec.time_limit_s or config.default_time_limit_s,
            "memory_bytes": spec.memory_bytes or config.default_memory_bytes,
            "max_files": config.max_files,
            "grace_s": config.grace_s,
            "log_limit_bytes": config.log_limit_bytes,
            "container": task.name if config.containers == "podman" and is_wrapped(spec, config) else None,
            "environment": environment,
        }

    def _observe(self, folder: Path, task: Known) -> Observation | None:
        orders = read_json(folder / "task.json")
        if orders is None:
            return None
        states = self._spool.states(task.name, orders["indices"] or [None])
        return observation(task.name, orders["submitted_at"], states)


def _parts(fd: int) -> Iterator[bytes]:
    with os.fdopen(fd, "rb") as file:
        while part := file.read(_CHUNK_BYTES):
            yield part


def _plain_files(folder: Path, name: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """All plain files below a folder, following no link, not even one in the place of the folder."""
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for at, folders, files, fd in os.fwalk(".", dir_fd=top):
            folders.sort()
            for file in sorted(files):
                found = open_regular(file, dir_fd=fd)
                if found is not None:
                    yield str(Path(name) / at / file), _parts(found)
    finally:
        os.close(top)
