"""What the benchmark of the console measures on: a database as a busy server has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.console import filled
from common.clock import SystemClock, id_time
from common.database import Database
from common.jobs.blobs import ShareBlobs
from common.jobs.definitions import JobSummary
from common.jobs.records import JobFilter
from common.jobs.states import State
from common.jobs.store import JobStore
from common.settings import JobSettings
from common.storage.directory import DirectoryShare


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    database = Database(f"sqlite:///{tmp_path / 'atoll.db'}")
    database.migrate()
    yield JobStore(database, SystemClock(), ShareBlobs(DirectoryShare(tmp_path)), JobSettings())
    database.close()


def test_jobs_are_listed_newest_first_and_more_of_them_are_older(store: JobStore) -> None:
    oldest = filled.fill(store._database, 60)
    filled.fill(store._database, 40, before=oldest)
    jobs = store.list(limit=200).jobs
    assert len(jobs) == 100
    assert [job.created_at for job in jobs] == sorted((job.created_at for job in jobs), reverse=True)
    assert all(abs((id_time(job.id) - job.created_at).total_seconds()) < 1 for job in jobs)
    assert all(JobSummary.of(job).finished for job in jobs)


def test_a_job_that_runs_is_the_newest_one_and_each_step_of_it_is_seen(store: JobStore) -> None:
    filled.fill(store._database, 3)
    job = filled.add_running(store._database)
    before = store.marks()
    assert store.list(JobFilter(states=[State.RUNNING])).jobs[0].id == store.list().jobs[0].id == job
    filled.step(store._database, job, 0.5)
    assert store.get(job).fraction == 0.5
    assert store.marks() != before
