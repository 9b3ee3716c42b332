"""Trainings and large bodies over a share that fails, and a worker over a queue that does: before it did anything, or
after it did everything."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.clock import FakeClock, SystemClock
from common.database import Database
from common.jobs.blobs import INLINE_BYTES, ShareBlobs
from common.jobs.context import JobContext
from common.jobs.queues.table import TableQueue
from common.jobs.records import Job, Result
from common.jobs.rows import Payloads
from common.jobs.states import State
from common.storage.blobs import Blobs
from common.storage.directory import DirectoryShare
from common.storage.share import ShareDown, ShareFull
from tests.faults import Faulty
from tests.jobs.kernel import Kernel, wait_until
from tests.jobs.trainings import Trainings

SEEDS = range(6)
ATTEMPTS = 40
LARGE = b"0123456789abcdef" * (INLINE_BYTES // 8)


def failing(folder: Path, seed: int, error: Callable[[str], Exception]) -> Faulty:
    """A share half of whose writes fail; half of those do so after the file is there."""
    rng = random.Random(seed)
    return Faulty(DirectoryShare(folder / "share"), rng, names={"write"}, before=0.25, after=0.25, error=error)


def run_to_the_end(kernel: Kernel, job: Job) -> Job:
    for _ in range(ATTEMPTS):
        if kernel.state(job).is_finished:
            break
        kernel.run(job)
    return kernel.get(job)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "share").rglob("*") if path.is_file())


@pytest.mark.parametrize("error", [ShareDown, ShareFull])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_training_over_a_failing_share_publishes_one_whole_version(
    sqlite_url: str, tmp_path: Path, clock: FakeClock, seed: int, error: Callable[[str], Exception]
) -> None:
    trainings = Trainings(Database(sqlite_url), tmp_path, clock, retry_cap_s=0)
    share: Any = failing(tmp_path, seed, error)
    trainings.blobs = Blobs(share, tmp_path / "cache")
    attempts = 0

    def train(context: Any, request: Any) -> None:
        nonlocal attempts
        attempts += 1
        context.publish({"model": b"weights", "notes.txt": b"by whom"}, {})

    trainings.declare(train)
    job = trainings.kernel.service.submit(
        trainings.submit().kind, "/line/train", b"{}", model="line", owner="ada", max_attempts=ATTEMPTS
    ).job
    ended = run_to_the_end(trainings.kernel, job)
    assert (ended.state, ended.attempts) == (State.SUCCEEDED, attempts)
    [version] = trainings.versions()
    share.heal()
    assert trainings.artefact(version, "model") == b"weights"
    assert trainings.artefact(version, "notes.txt") == b"by whom"
    # Whatever was written before an error, it was the blob itself: nothing half-written is left.
    assert files(tmp_path) == sorted(artefact.sha256 for artefact in version.artefacts)
    trainings.database.close()


def test_a_training_on_a_share_that_stays_full_is_dead_and_says_so(
    sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    trainings = Trainings(Database(sqlite_url), tmp_path, clock, retry_cap_s=0)
    share: Any = Faulty(DirectoryShare(tmp_path / "share"), random.Random(0), before=1, error=ShareFull)
    trainings.blobs = Blobs(share, tmp_path / "cache")
    trainings.declare(lambda context, request: context.publish(b"weights", {}))
    job = run_to_the_end(trainings.kernel, trainings.submit())
    assert (job.state, trainings.versions()) == (State.DEAD, [])
    assert "did not happen" in (job.error or "")
    trainings.database.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_result_over_a_failing_share_is_whole_or_tried_again(
    make_kernel: Callable[..., Kernel], tmp_path: Path, seed: int
) -> None:
    kernel = make_kernel(retry_base_s=0)
    share: Any = failing(tmp_path, seed, ShareDown)
    kernel.store._payloads = kernel.store._stored = Payloads(ShareBlobs(share))
    kernel.training.work = lambda job, context: Result(body=LARGE)
    ended = run_to_the_end(kernel, kernel.submit(max_attempts=ATTEMPTS))
    assert ended.state is State.SUCCEEDED
    share.heal()
    assert kernel.store.result(ended).body == LARGE


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_over_a_failing_queue_does_every_job_once(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    database = Database(sqlite_url)
    with database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE effects (job_id TEXT)"))
    clock: Any = SystemClock()
    queue: Any = Faulty(TableQueue(database, clock), random.Random(seed), before=0.15, after=0.15)
    # What stays away for long is found by the scheduler, after times that a test does not wait for.
    queue.wait, queue.wake = queue._target.wait, queue._target.wake
    kernel = Kernel(database, tmp_path, clock, queue, lease_s=1, retry_base_s=0)

    def work(job: Job, context: JobContext) -> Result:
        effect = sa.text("INSERT INTO effects VALUES (:id)")
        context.on_commit(lambda connection: connection.execute(effect, {"id": job.id}))
        return Result(body=b"1")

    kernel.training.work = work
    made = [kernel.submit() for _ in range(12)]
    with kernel.working(concurrency=2):

        def all_done() -> bool:
            for job in made:
                # As the scheduler does for those whose message was lost.
                if kernel.state(job).is_waiting:
                    kernel.runner.enqueue(kernel.get(job))
            return all(kernel.state(job).is_finished for job in made)

        wait_until(all_done, "all jobs")
    assert {kernel.state(job) for job in made} == {State.SUCCEEDED}
    assert sorted(row[0] for row in kernel.execute("SELECT job_id FROM effects")) == sorted(job.id for job in made)
    assert queue.injected > 0
    database.close()
