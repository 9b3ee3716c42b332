"""The runner for a cluster run by Slurm that is reached by SSH."""

import asyncio
import concurrent.futures
import contextlib
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

from common.clock import Clock, SystemClock, id_time
from common.errors import Invalid
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.names import task_of
from common.submission.records import ClusterInfo, Known, LogPart, Observation, Package, Submission
from common.submission.runners.base import Runner
from common.submission.runners.slurm.batch import batch_script
from common.submission.runners.slurm.checks import check_spec
from common.submission.runners.slurm.parse import accounting_rows, queue_rows
from common.submission.runners.slurm.rows import observations
from common.submission.runners.slurm.ssh import loop, remote
from common.submission.runners.slurm.ssh.answers import failure, job_id
from common.submission.runners.slurm.ssh.config import Identity, SlurmSshConfig
from common.submission.runners.slurm.ssh.connection import Answer, Connection
from common.submission.runners.slurm.ssh.facts import Facts, read_facts
from common.submission.runners.slurm.ssh.packing import Source, packed, unpacked
from common.submission.spec import TaskSpec

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
# A cluster's clock may differ, and a day more costs nothing.
_ACCOUNTED_BEFORE = timedelta(days=1)
# Of names that tell no time.
_LONG_AGO = timedelta(days=60)
_FACTS_KEPT_S = 60.0
# Only while nothing is known yet, and only once.
_FIRST_FACTS_S = 2.0


class SlurmSshRunner(Runner):
    """Slurm by SSH: one connection for each identity, one remote command for each thing that is to be done.

    The task's folder, looking for the name and `sbatch` are one command, under a lock on the folder: a connection that
    is cut anywhere in it leaves at most one job, which the next try finds.
    """

    kind: ClassVar[str] = "slurm-ssh"
    takes_dependencies: ClassVar[bool] = True
    takes_arrays: ClassVar[bool] = True
    config: SlurmSshConfig

    def __init__(self, config: SlurmSshConfig, *, clock: Clock | None = None) -> None:
        super().__init__(config)
        self._clock = clock or SystemClock()
        self._connections: dict[Identity, Connection] = {}
        self._lock = threading.Lock()
        self._facts: tuple[float, Facts] | None = None
        self._asking: concurrent.futures.Future[None] | None = None
        self._first_told = threading.Event()

    # -- the cluster ------------------------------------------------------------------------------------------------

    def info(self) -> ClusterInfo:
        try:
            return loop.wait_for(self._ask_facts()).info
        except (ClusterDown, ClusterRefused) as exc:
            return ClusterInfo("down", detail=exc.detail)

    def check(self, spec: TaskSpec) -> None:
        facts, fresh = self._known_facts()
        try:
            self._check(spec, facts)
        except Invalid:
            if fresh or facts is None:
                raise
            # What is refused may have come to be since then.
            try:
                facts = loop.wait_for(self._ask_facts())
            except (ClusterDown, ClusterRefused):
                facts = None
            if facts is None:
                raise
            self._check(spec, facts)

    def _check(self, spec: TaskSpec, facts: Facts | None) -> None:
        check_spec(spec, self.config, facts.info.partitions if facts else None, facts.images if facts else None)

    # -- one task ---------------------------------------------------------------------------------------------------

    def preview(self, task: Submission) -> str:
        return batch_script(task, self.config, self.config.task_folder(task.name))

    def find(self, task: Submission) -> str | None:
        arguments = (_safe(task.name), self._since(task.name), self.config.folder)
        answer = self._run(self._connection_of(task.owner), remote.FIND, *arguments)
        return job_id(self.config.name, answer)

    def submit(self, task: Submission, package: Package) -> str:
        script = self.preview(task).encode()
        arguments = (_safe(task.name), self._since(task.name), self.config.folder)
        connection = self._connection_of(task.owner)
        line, head = remote.command(remote.SUBMIT, *self._limits(), *arguments)

        async def send() -> Answer:
            parts = packed(package, (remote.BATCH, script))
            # Twice: once until the files are there, and once again until Slurm has answered.
            return await connection.run(line, parts, head=head, limit_s=2 * self.config.timeout_s)

        found = job_id(self.config.name, loop.wait_for(send()))
        if found is None:
            raise ClusterDown(f"{self.config.name}: sbatch told no number of a job")
        return found

    def cancel(self, known: Known) -> None:
        number = known.cluster_job_id or ""
        if number and not number.isdigit():
            raise ClusterRefused(f"{self.config.name}: {number[:40]!r} is no number of a Slurm job")
        answer = self._run(self._connection_of(known.owner), remote.CANCEL, _safe(known.name), number)
        if answer.exit_code != 0:
            raise failure(self.config.name, answer)

    def read_log(self, known: Known, offset: int, limit: int, element: int | None = None) -> LogPart:
        log = "task.log" if element is None else f"task-{int(element)}.log"
        line, head = remote.command(remote.LOG, f"{self._folder(known)}/{log}", max(0, offset), max(0, limit))
        connection = self._connection_of(known.owner)
        answer = loop.wait_for(connection.run(line, head=head, limit_s=self.config.timeout_s))
        if answer.exit_code != 0:
            raise failure(self.config.name, answer)
        size, _, content = answer.stdout.partition(b"\n")
        # It may have grown between the two.
        return LogPart(content, offset, max(int(size), offset + len(content)) if content else int(size))

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        connection = self._connection_of(known.owner)
        line, head = remote.command(remote.COLLECT, self._folder(known))
        opened = connection.stream(line, head=head)
        process = loop.wait_for(opened.__aenter__())
        try:
            yield from unpacked(
                Source(lambda size: loop.wait_for(connection.read(process, size))), self.config.max_output_bytes
            )
            answer = loop.wait_for(connection.ended(process))
            if answer.exit_code != 0:
                raise failure(self.config.name, answer)
        finally:
            # Not waited for: whoever let go of this half-read may have left it to the garbage collector, which runs on
            # any thread, the loop's own among them.
            loop.start(opened.__aexit__(None, None, None))

    def clean(self, known: Known) -> None:
        line, head = remote.command(remote.CLEAN, self.config.folder, _safe(known.name))
        connection = self._connection_of(known.owner)
        answer = loop.wait_for(connection.run(line, head=head, limit_s=self.config.stall_s))
        if answer.exit_code != 0:
            raise failure(self.config.name, answer)

    # -- all tasks --------------------------------------------------------------------------------------------------

    def observe(self, known: Sequence[Known]) -> list[Observation]:
        if not known:
            return []
        by_identity: dict[Identity, list[Known]] = {}
        for one in known:
            by_identity.setdefault(self._identity_of(one.owner), []).append(one)

        async def ask() -> list[Answer | BaseException]:
            calls = [self._observe_as(identity, some) for identity, some in by_identity.items()]
            return await asyncio.gather(*calls, return_exceptions=True)

        told: list[Observation] = []
        for some, answer in zip(by_identity.values(), loop.wait_for(ask()), strict=True):
            if isinstance(answer, BaseException):
                raise answer
            told += self._read(answer, some)
        return told

    async def _observe_as(self, identity: Identity, known: Sequence[Known]) -> Answer:
        hours = max(_hours_since(one.name, self._clock) for one in known)
        line, head = remote.command(remote.OBSERVE, *self._limits(), f"now-{hours}hours")
        asked = "".join(
            f"{one.cluster_job_id or '-'} {_safe(one.name)} {int(one.spec.array is not None)}\n" for one in known
        )
        return await self._connection(identity).run(line, head=head + asked.encode(), limit_s=self.config.timeout_s)

    def _read(self, answer: Answer, known: Sequence[Known]) -> list[Observation]:
        if answer.exit_code not in (0, remote.UNACCOUNTED):
            raise failure(self.config.name, answer)
        queue, _, accounting = answer.stdout.decode(errors="replace").partition(remote.MARK)
        queued = list(queue_rows(queue))
        names = {one.name for one in known}
        if answer.exit_code == remote.UNACCOUNTED and not names <= {row.name for row in queued}:
            # Some have left the queue: without the accounting they would seem lost.
            raise failure(self.config.name, answer)
        return observations(queued, accounting_rows(accounting), names)

    def close(self) -> None:
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}

        async def drop() -> None:
            for connection in connections:
                connection.drop()

        if connections:
            loop.wait_for(drop())

    # -- who asks ---------------------------------------------------------------------------------------------------

    def _identity_of(self, owner: str) -> Identity:
        identity = self.config.identity_of(owner)
        if identity is None:
            raise ClusterRefused(f"{self.config.name} has no account for {owner[:80]}; its operators can add one")
        return identity

    def _connection(self, identity: Identity) -> Connection:
        with self._lock:
            return self._connections.setdefault(identity, Connection(self.config, identity))

    def _connection_of(self, owner: str) -> Connection:
        return self._connection(self._identity_of(owner))

    def _run(self, connection: Connection, script: str, *arguments: str) -> Answer:
        """One of Slurm's scripts, within the cluster's time-out."""
        line, head = remote.command(script, *self._limits(), *arguments)
        return loop.wait_for(connection.run(line, head=head, limit_s=self.config.timeout_s))

    def _limits(self) -> tuple[int, str]:
        """The first two arguments of the scripts that use Slurm's programs."""
        return max(1, round(self.config.timeout_s)), self.config.slurm_bin or ""

    def _since(self, name: str) -> str:
        return f"now-{_hours_since(name, self._clock)}hours"

    def _folder(self, known: Known) -> str:
        return self.config.task_folder(_safe(known.name))

    # -- what the cluster told --------------------------------------------------------------------------------------

    async def _ask_facts(self) -> Facts:
        config = self.config
        line, head = remote.command(remote.INFO, *self._limits(), config.images or "")
        connection = self._connection(Identity(config.user, config.key, config.passphrase))
        answer = await connection.run(line, head=head, limit_s=config.timeout_s)
        if answer.exit_code != 0:
            raise failure(config.name, answer)
        text = answer.stdout.decode(errors="replace")
        facts = read_facts(text, config.containers, has_images=config.images is not None)
        self._facts = self._clock.monotonic_s(), facts
        return facts

    def _known_facts(self) -> tuple[Facts | None, bool]:
        """What the cluster told last, and whether that was within the last minute; else it is asked again meanwhile."""
        kept = self._facts
        if kept is not None and self._clock.monotonic_s() - kept[0] < _FACTS_KEPT_S:
            return kept[1], True
        with self._lock:
            if self._asking is None:
                self._asking = loop.start(self._refresh())
        if kept is None:
            self._first_told.wait(_FIRST_FACTS_S)
            kept = self._facts
            return (kept[1], True) if kept is not None else (None, False)
        return kept[1], False

    async def _refresh(self) -> None:
        try:
            with contextlib.suppress(ClusterDown, ClusterRefused):
                await self._ask_facts()
        finally:
            self._first_told.set()
            with self._lock:
                self._asking = None


def _safe(name: str) -> str:
    """A submission's name, before it becomes part of a path."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no name of a submission")
    return name


def _hours_since(name: str, clock: Clock) -> int:
    """How far back the accounting is searched: to the day before the task was made."""
    found = task_of(name)
    made = id_time(found[0]) if found else clock.now() - _LONG_AGO
    return max(1, -(-(clock.now() - made + _ACCOUNTED_BEFORE) // timedelta(hours=1)))
