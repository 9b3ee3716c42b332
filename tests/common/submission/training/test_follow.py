"""Trainings on a cluster in memory: what becomes of the job when the task ends so or so."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import APIRouter

from common.jobs.context import Executor
from common.jobs.queues.base import Message
from common.jobs.records import Job
from common.jobs.states import Kind, State
from common.jobs.studies import trials_of
from common.jobs.train_context import TrainContext
from common.jobs.training import TrainingExecutor
from common.plugins import BaseDefinition, Plugin
from common.plugins.record import PluginRecord
from common.registry.service import Registry
from common.registry.versions import Version
from common.submission.records import Task
from common.submission.states import TaskState
from common.submission.training.abandoned import Abandoned
from common.submission.training.follow import ClusterTrainings
from common.submission.training.wire import Account, Gone, Made, Order, Progressed, Said, line_of
from tests.common.submission.desk import Desk
from tests.common.submission.fixtures import *  # noqa: F403
from tests.jobs.kernel import QUEUE, in_thread, wait_until

PATH = "/line/train?cluster=fake"
WEIGHTS = b"weights"
STUDY = (
    b'{"op_code":0,"worker_id":"w","study_name":"s","directions":[1]}\n'
    b'{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":"2026-01-01T00:00:00+00:00","state":0,"value":null,'
    b'"values":null,"distributions":{},"params":{},"user_attrs":{},"system_attrs":{},"intermediate_values":{}}\n'
    b'{"op_code":6,"worker_id":"w","trial_id":0,"state":1,"values":[0.5],'
    b'"datetime_complete":"2026-01-01T00:00:01+00:00"}\n'
)
ACCOUNT = Account(
    (Made("weights.bin", hashlib.sha256(WEIGHTS).hexdigest(), len(WEIGHTS)),),
    {
        "metrics": {"rmse": 0.5},
        "alias": "default",
        "data_hash": "d1",
        "signature": None,
        "description": "of the cluster",
        "tags": {},
    },
    {"best_params": {"x": 3}, "trials": {"complete": 1, "pruned": 0, "failed": 0}},
    "code of the cluster",
)
MADE = {
    "task.log": b"",
    "output/training.json": ACCOUNT.to_json(),
    "output/artefacts/weights.bin": WEIGHTS,
    "output/study.jsonl": STUDY,
}


class Ask(BaseDefinition):
    """Nothing to say."""


def train(context: TrainContext, request: Ask) -> None:
    raise AssertionError("it is not trained here")


class TrainingDesk:
    """A desk whose trainings run on its cluster in memory."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.kernel = desk, desk.kernel
        plugin = Plugin(train=train, train_request=Ask)
        self.record = PluginRecord("line", router=APIRouter(prefix="/line"), plugin=plugin, module="models.sample")
        trainings = ClusterTrainings(
            desk.service, desk.system.clusters, self.kernel.store, desk.blobs, desk.system.settings, look_s=0.005
        )
        executor = TrainingExecutor(
            lambda name: self.record,
            self.kernel.database,
            desk.blobs,
            desk.clock,
            self.kernel.service,
            lambda: trainings,
        )
        executors: dict[Kind, Executor] = {Kind.SUBMISSION: desk.system.executor, Kind.TRAINING: executor}
        self.kernel.runner._executors = executors
        self.registry = Registry(self.kernel.database, desk.blobs, clock=desk.clock, poll_s=0)

    def ask(self) -> Job:
        return self.kernel.service.submit(Kind.TRAINING, PATH, b"{}", model="line", owner="key:me", max_attempts=2).job

    @contextmanager
    def attempt(self, job: Job) -> Iterator[threading.Thread]:
        """One attempt of the job on a thread; ended when the block is left."""
        message = Message("id", QUEUE, job.id, "", 1)
        thread = in_thread(lambda: self.kernel.runner.handle(message))
        yield thread
        thread.join(60)
        assert not thread.is_alive()

    def handed_over(self, job: Job) -> Task:
        """Its task, once its cluster has it."""
        wait_until(lambda: self.desk.work() or self.desk.cluster.live(), "a submission")
        return self.desk.store.get(job.id)

    def run(self, job: Job, state: TaskState = TaskState.SUCCEEDED, **ended: object) -> Job:
        """One attempt whose task ends so."""
        files = ended.pop("files", MADE)
        with self.attempt(job):
            task = self.handed_over(job)
            self.desk.cluster.finish(task.name, state, files, **ended)  # type: ignore[arg-type]
            self.bring_back()
        return self.kernel.get(job)

    def bring_back(self) -> None:
        self.desk.look()
        self.desk.work()

    def versions(self) -> list[Version]:
        return self.registry.list_versions("line")

    def logged(self, job: Job) -> list[str]:
        return [line.text for line in self.kernel.store.logs(job.id)]


@pytest.fixture
def trainings(make_desk: Callable[..., Desk]) -> TrainingDesk:
    return TrainingDesk(make_desk(jobs={"retry_base_s": 0}))


def test_what_the_cluster_made_is_published_as_the_jobs_version(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask())
    assert job.state is State.SUCCEEDED
    (version,) = trainings.versions()
    assert (version.job_id, version.author, version.data_hash) == (job.id, "key:me", "d1")
    assert (version.metrics, version.description) == ({"rmse": 0.5}, "of the cluster")
    assert version.code_version == "code of the cluster"
    assert trainings.desk.blobs.read(version.artefact("weights.bin").ref) == WEIGHTS
    assert trainings.registry.resolve("line") == version


def test_the_result_is_that_of_a_training_here(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask())
    assert trainings.kernel.store.result(job).body == (
        b'{"model":"line","version":1,"metrics":{"rmse":0.5},"best_params":{"x":3},'
        b'"trials":{"complete":1,"pruned":0,"failed":0}}'
    )


def test_the_trials_of_the_cluster_are_those_of_the_job(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask())
    (trial,) = trials_of(trainings.kernel.database, job.id)
    assert (trial["state"], trial["value"]) == ("complete", 0.5)


def test_the_task_belongs_to_the_jobs_owner_and_says_what_it_is_for(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask())
    task = trainings.desk.store.get(job.id)
    assert (task.owner, task.spec.kind, task.spec.parameters) == ("key:me", "training", {"model": "line"})
    inputs = trainings.desk.store.inputs(task.id)
    order = Order.read(trainings.desk.blobs.read(inputs["order.json"]))
    assert (order.model, order.job) == ("line", job.id)
    assert trainings.desk.blobs.read(inputs["request.json"]) == b"{}"


def test_progress_and_lines_of_the_task_are_the_jobs(trainings: TrainingDesk) -> None:
    log = line_of(Said("half way", "warning")) + line_of(Progressed(0.5, "5 of 10", {"loss": 0.1})) + b"printed"
    job = trainings.run(trainings.ask(), files={**MADE, "task.log": log})
    assert (job.fraction, job.message, job.metrics) == (0.5, "5 of 10", {"loss": 0.1})
    assert trainings.logged(job)[-2:] == ["half way", "printed"]


def test_what_it_writes_is_told_while_it_runs(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        trainings.desk.cluster.start(task.name)
        trainings.desk.cluster.of(task.name)[0].files["task.log"] = b"one\ntw"
        trainings.desk.look()
        wait_until(lambda: "one" in trainings.logged(job))
        trainings.desk.cluster.finish(task.name, files={**MADE, "task.log": b"one\ntwo\n"})
        trainings.bring_back()
    assert trainings.logged(job)[-2:] == ["one", "two"]


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (line_of(Gone("too few rows", refused=True)), "too few rows"),
        (line_of(Gone("ValueError: odd", refused=False)), "its task is failed on fake (exit code 1); ValueError: odd"),
        (b"Traceback\nMemoryError\n", "its task is failed on fake (exit code 1); the end of its log: Traceback"),
        (b"", "its task is failed on fake (exit code 1); it wrote no log"),
    ],
)
def test_a_program_that_fails_fails_the_job_with_what_it_said(trainings: TrainingDesk, log: bytes, error: str) -> None:
    job = trainings.run(trainings.ask(), TaskState.FAILED, files={"task.log": log})
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.startswith(error)
    assert trainings.versions() == []


@pytest.mark.parametrize("state", [TaskState.OUT_OF_MEMORY, TaskState.NODE_FAILED])
def test_what_the_cluster_is_to_blame_for_is_tried_again(trainings: TrainingDesk, state: TaskState) -> None:
    job = trainings.run(trainings.ask(), state, files={"task.log": b"loading\n"})
    assert job.state is State.RETRYING
    assert job.error is not None
    assert f"its task is {state.value} on fake" in job.error
    assert "loading" in job.error
    job = trainings.run(job)
    assert job.state is State.SUCCEEDED
    assert trainings.desk.store.get(job.id).attempt == 2
    assert len(trainings.versions()) == 1


def test_a_time_limit_is_not_tried_again(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask(), TaskState.TIMED_OUT)
    assert job.state is State.FAILED


def test_a_task_that_leaves_no_account_fails_the_job(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask(), files={"task.log": b""})
    assert job.state is State.FAILED
    assert "no account of a training" in str(job.error)


def test_an_artefact_that_is_another_is_not_published(trainings: TrainingDesk) -> None:
    job = trainings.run(trainings.ask(), files={**MADE, "output/artefacts/weights.bin": b"others"})
    assert job.state is State.FAILED
    assert "weights.bin is not the one that was trained" in str(job.error)
    assert trainings.versions() == []


def test_cancelling_the_job_cancels_the_task(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        trainings.kernel.service.cancel(job.id)
        wait_until(lambda: trainings.desk.get(task).cancel_asked)
    assert trainings.kernel.state(job) is State.CANCELLED
    trainings.desk.settle(rounds=2)
    assert trainings.desk.state(task) is TaskState.CANCELLED


def test_a_worker_that_has_to_leave_leaves_the_task_alone(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        trainings.kernel.runner.leave()
    assert trainings.kernel.state(job) is State.QUEUED
    assert not trainings.desk.get(task).cancel_asked


def test_another_worker_goes_on_with_the_same_task(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        trainings.desk.cluster.start(task.name)
        trainings.desk.cluster.of(task.name)[0].files["task.log"] = b"one\n"
        trainings.desk.look()
        wait_until(lambda: "one" in trainings.logged(job))
        trainings.kernel.runner.leave()
    with trainings.attempt(job):
        trainings.desk.cluster.finish(task.name, files={**MADE, "task.log": b"one\ntwo\n"})
        trainings.bring_back()
    assert trainings.kernel.state(job) is State.SUCCEEDED
    assert trainings.desk.cluster.runs == [task.name]
    assert trainings.logged(job)[-2:] == ["one", "two"]


def test_a_worker_that_died_before_it_published_is_followed_by_one_that_does(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        trainings.kernel.runner.leave()
    trainings.desk.cluster.finish(task.name, files=MADE)
    trainings.bring_back()
    with trainings.attempt(job):
        pass
    assert trainings.kernel.state(job) is State.SUCCEEDED
    assert (len(trainings.versions()), trainings.desk.cluster.runs) == (1, [task.name])


def test_a_training_cancelled_while_no_worker_has_it_leaves_no_task_behind(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        trainings.kernel.runner.leave()
    trainings.kernel.service.cancel(job.id)
    assert trainings.kernel.state(job) is State.CANCELLED
    abandoned = Abandoned(trainings.kernel.database, lambda: trainings.desk.service)
    abandoned.cancel()
    abandoned.cancel()
    trainings.desk.settle(rounds=2)
    assert trainings.desk.state(task) is TaskState.CANCELLED


def test_a_task_of_a_training_under_way_is_not_taken_for_abandoned(trainings: TrainingDesk) -> None:
    job = trainings.ask()
    with trainings.attempt(job):
        task = trainings.handed_over(job)
        Abandoned(trainings.kernel.database, lambda: trainings.desk.service).cancel()
        assert not trainings.desk.get(task).cancel_asked
        trainings.desk.cluster.finish(task.name, files=MADE)
        trainings.bring_back()
    assert trainings.kernel.state(job) is State.SUCCEEDED


def test_a_cluster_that_refuses_the_task_fails_the_job(trainings: TrainingDesk) -> None:
    from common.submission.errors import ClusterRefused

    trainings.desk.cluster.fail("submit", error=lambda: ClusterRefused("no account for you"))
    job = trainings.ask()
    with trainings.attempt(job):
        wait_until(lambda: trainings.desk.work() and trainings.kernel.state(job) is not None, "a submission")
        trainings.desk.work()
    ended = trainings.kernel.get(job)
    assert ended.state is State.FAILED
    assert "no account for you" in str(ended.error)
