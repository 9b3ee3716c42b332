"""`python -m common.submission.training.remote`: a training as a task on a cluster, where this package is installed.

It runs what a worker of Atoll would run, with the same context, but for where that writes: progress and lines of the
log to standard output, the study, the checkpoint, and in the end the artefacts and an account to the output folder. A
task that is put back into its queue goes on where it was.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from common.clock import SystemClock
from common.jobs.context import JobContext
from common.jobs.errors import JobCancelled, JobRefused
from common.jobs.helpers import Helpers
from common.jobs.records import Job, NewLine, Progress
from common.jobs.retry import failure_of
from common.jobs.states import Kind, State
from common.jobs.train_context import TrainContext
from common.plugins.record import PluginRecord
from common.registry.held import Held
from common.registry.versions import finite
from common.storage.blobs import Blobs
from common.storage.directory import DirectoryShare
from common.submission.training.wire import (
    ACCOUNT,
    CHECKPOINT,
    JOURNAL,
    METRICS,
    ORDER,
    REQUEST,
    Account,
    Gone,
    Made,
    Order,
    Progressed,
    Said,
    Told,
    line_of,
    named,
)

if TYPE_CHECKING:
    import optuna

    from common.jobs.service import JobService
    from common.jobs.studies import Direction

# How often what was told is written.
_TELL_S = 1.0
_STARTS = "starts"
FAILED, STOPPED = 1, 143


def main() -> int:
    """Train as the order among the inputs says. The exit code is 0, 1, or 143 if it was told to stop."""
    inputs, output = Path(os.environ["ATOLL_INPUT_DIR"]), Path(os.environ["ATOLL_OUTPUT_DIR"])
    order = Order.read((inputs / ORDER).read_bytes())
    os.environ["SERVICE_MODEL"] = order.model
    # Of the task's own: it may not be able to write anywhere else.
    os.environ.setdefault("ATOLL_STATE", str(output.parent / "state"))
    tell = partial(_tell, sys.stdout.buffer, threading.Lock())
    context = JobContext(_job(order, _count_start(output)), Telling(inputs, output, tell), SystemClock())
    signal.signal(signal.SIGTERM, _stopping(context))
    try:
        with _telling(context):
            account = train(order, context, output)
        (output / ACCOUNT).write_bytes(account.to_json())
    except JobCancelled:
        return STOPPED
    # A model's code may raise anything.
    except (Exception, SystemExit) as exc:  # noqa: BLE001
        failure = failure_of(exc)
        tell(Gone(failure.text, failure.refused))
        return FAILED
    return 0


def train(order: Order, context: JobContext, output: Path) -> Account:
    """Run the plugin's `train`, and put what it made into the output folder.

    Raises
    ------
    JobRefused
        There is no such plugin here, or it cannot be trained.
    Exception
        Whatever the plugin raises.
    """
    # Brings SQLAlchemy, and nothing of it is used.
    from common.jobs.training import OnlyToStop, read_request
    from common.serving.progress import listening

    record = ready(order.model, output.parent / "state")
    run, definition = record.plugin.train, record.plugin.train_request
    if run is None or definition is None:
        raise JobRefused(f"{order.model} cannot be trained")
    store = DirectoryShare(output.parent / "state" / "made")
    training = TrainContext(
        context,
        record,
        Helpers(context, cast("JobService", None)),
        partial(_study, output / JOURNAL),
        Blobs(store, output.parent / "state"),
        SystemClock(),
    )
    if training.code_version != order.code_version:
        context.log("the model's code on the cluster is not the one that took the job", "warning")
    with listening(OnlyToStop(context)):
        run(training, read_request(definition, context.body))
    return _account(training, store, output)


def ready(model: str, state: Path) -> PluginRecord:
    """The plugin, loaded, without a version of the registry: there is none here.

    Raises
    ------
    JobRefused
        It cannot be.
    """
    from common.plugins.discovery import discover
    from common.settings import get_settings

    record = next(found for found in discover(get_settings().plugins) if found.name == model)
    serve = record.plugin.serve_version
    if serve is not None:
        record.before_load = partial(serve, Held(None, state / "models"))
    record.load()
    if not record.is_ready():
        raise JobRefused(f"{model} is unavailable on the cluster: {record.reason}")
    return record


class Telling:
    """Where a training on a cluster writes what it tells: a `Records` without a database."""

    def __init__(self, inputs: Path, output: Path, tell: Callable[[Told], None]) -> None:
        self._request = inputs / REQUEST
        self._saved = output / CHECKPOINT
        self._tell = tell

    def request_body(self, job_id: str) -> bytes:
        return self._request.read_bytes()

    def load_checkpoint(self, job_id: str) -> bytes | None:
        """What this task saved before it was put back."""
        return self._saved.read_bytes() if self._saved.exists() else None

    def save_checkpoint(self, job_id: str, epoch: int, content: bytes) -> None:
        new = self._saved.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self._saved)

    def append_logs(self, job_id: str, epoch: int, lines: Sequence[NewLine]) -> None:
        for line in lines:
            self._tell(Said(line.text, line.level))

    def progress(self, job_id: str, epoch: int, progress: Progress) -> bool:
        self._tell(Progressed(progress.fraction, progress.message, progress.metrics))
        return False


def _account(training: TrainContext, store: DirectoryShare, output: Path) -> Account:
    made = training.publication
    if made is None:
        return Account((), None, training.searched, training.code_version)
    artefacts = []
    for name, ref in made.artefacts.items():
        file = named(output, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as target:
            for chunk in store.read(ref.share_path):
                target.write(chunk)
        artefacts.append(Made(name, ref.sha256, ref.size_bytes))
    metrics = finite(dict(made.metrics))
    # What the task shows; the version's are in the account.
    (output / METRICS).write_bytes(_dumped({k: v for k, v in metrics.items() if isinstance(v, int | float)}))
    published = {"metrics": metrics, "alias": made.alias, "data_hash": made.data_hash, **made.about}
    return Account(tuple(artefacts), published, finite(training.searched), training.code_version)


def _dumped(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


def _study(
    file: Path, study: str, writer: Job, direction: "Direction", pruner: "optuna.pruners.BasePruner"
) -> "optuna.Study":
    # Bring Optuna, which a training that searches nothing does without.
    from common.jobs.studies import study_in
    from common.submission.training.journal import FileJournal

    return study_in(FileJournal(file), study, writer, direction, pruner)


def _job(order: Order, start: int) -> Job:
    """The record of the job as far as a training looks at it; nobody else does."""
    now = SystemClock().now()
    return Job(
        id=order.job,
        kind=Kind.TRAINING,
        model=order.model,
        owner="",
        worker="cpu",
        queue="",
        state=State.RUNNING,
        epoch=start,
        attempts=start,
        max_attempts=start,
        method="POST",
        path="",
        headers={},
        idempotency_key=None,
        callback_url=None,
        deadline=None,
        traceparent=None,
        fraction=None,
        message=None,
        metrics={},
        result_status=None,
        result_type=None,
        error=None,
        version=1,
        created_at=now,
        queued_at=now,
        started_at=now,
        heartbeat_at=now,
        finished_at=None,
        expires_at=None,
        enqueued_at=now,
        due_at=now,
        updated_at=now,
    )


def _count_start(output: Path) -> int:
    """How often the task has begun, this time included: a trial that an earlier start left is nobody's any more."""
    file = output.parent / _STARTS
    start = len(file.read_bytes()) + 1 if file.exists() else 1
    with file.open("ab") as out:
        out.write(b".")
    return start


def _tell(stream: BinaryIO, lock: threading.Lock, told: Told) -> None:
    with lock:
        # What the plugin printed stands before it.
        sys.stdout.flush()
        stream.write(line_of(told))
        stream.flush()


@contextlib.contextmanager
def _telling(context: JobContext) -> Iterator[None]:
    """Write what was told about once a second, and all of it in the end."""
    over = threading.Event()

    def flush_often() -> None:
        while not over.wait(_TELL_S):
            context.flush()

    thread = threading.Thread(target=flush_often, name="tell", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        context.flush()


def _stopping(context: JobContext) -> Callable[[int, FrameType | None], None]:
    def stop(_: int, __: FrameType | None) -> None:
        context.stop()

    return stop


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not by the interpreter: it would wait for threads that the model's code has left behind.
    os._exit(code)
