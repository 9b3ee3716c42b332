"""Handing tasks to a cluster, and what is done for them there."""

import io
import zipfile
from collections.abc import Callable, Iterator

import pytest

from common.jobs.states import Kind, State
from common.submission.errors import OutputTooLarge
from common.submission.records import Known
from common.submission.runners.fake import FakeRunner
from common.submission.states import TaskState
from tests.common.submission.desk import SCRIPT, Desk
from tests.common.submission.fixtures import *  # noqa: F403


def test_a_task_goes_from_received_to_succeeded_with_its_files_and_metrics(desk: Desk) -> None:
    task = desk.submit(parameters={"n_estimators": 2})
    assert task.state is TaskState.RECEIVED
    desk.work()
    assert desk.state(task) is TaskState.PENDING
    package = desk.cluster.folders[task.name]
    assert package["program/train.py"] == SCRIPT
    assert b"n_estimators" in package["params.json"]
    assert package["run.sh"].startswith(b"#!/bin/sh")
    desk.cluster.start(task.name)
    desk.look()
    assert desk.state(task) is TaskState.RUNNING
    desk.cluster.finish(task.name, files={"task.log": b"hello\n", "output/metrics.json": b'{"score": 0.5}'})
    desk.look()
    ended = desk.get(task)
    assert (ended.state, ended.exit_code, ended.files) == (TaskState.SUCCEEDED, 0, "collecting")
    desk.work()
    ended = desk.get(task)
    assert (ended.files, ended.metrics) == ("complete", {"score": 0.5})
    assert desk.files(ended) == {"task.log": b"hello\n", "output/metrics.json": b'{"score": 0.5}'}
    assert desk.cluster.cleaned == [task.name]


def test_a_program_in_an_archive_is_unpacked_with_what_was_sent_along(desk: Desk) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("src/train.py", SCRIPT)
        made.writestr("src/lib.py", "x = 1\n")
    inputs = {"wine.csv": desk.blobs.put(b"a,b\n1,2\n")}
    spec = desk.spec(entry_point="src/train.py", inputs=("wine.csv",))
    task = desk.service.submit(spec, desk.blobs.put(archive.getvalue()), inputs).task
    desk.work()
    package = desk.cluster.folders[task.name]
    assert package["program/src/train.py"] == SCRIPT
    assert package["program/src/lib.py"] == b"x = 1\n"
    assert package["inputs/wine.csv"] == b"a,b\n1,2\n"


def test_a_data_set_goes_along_to_a_cluster_that_does_not_mount_the_share(desk: Desk) -> None:
    desk.share.write("datasets/wine.csv", [b"a,b\n1,2\n"])
    task = desk.submitted(dataset="wine")
    assert desk.cluster.folders[task.name]["datasets/wine.csv"] == b"a,b\n1,2\n"


def test_a_task_whose_data_set_is_missing_fails_and_says_so(desk: Desk) -> None:
    task = desk.submit(dataset="wine")
    desk.work()
    ended = desk.get(task)
    assert ended.state is TaskState.FAILED
    assert "datasets/wine.csv" in str(ended.reason)
    assert desk.cluster.jobs == []


def test_an_archive_without_the_entry_point_fails_the_task(desk: Desk) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("other.py", SCRIPT)
    task = desk.service.submit(desk.spec(), desk.blobs.put(archive.getvalue())).task
    desk.work()
    assert (desk.state(task), desk.jobs_of(task)[0].state) == (TaskState.FAILED, State.FAILED)
    assert "is not in the archive" in str(desk.get(task).reason)


def test_what_the_cluster_refuses_fails_with_its_words(desk: Desk) -> None:
    task = desk.submit(partition="gpu")
    desk.work()
    assert (desk.state(task), desk.get(task).reason) == (TaskState.FAILED, "invalid partition gpu")


def test_a_task_waits_for_a_cluster_that_is_down_and_says_why(desk: Desk) -> None:
    desk.cluster.is_down = True
    task = desk.submit()
    desk.work()
    waiting = desk.get(task)
    assert (waiting.state, desk.jobs_of(task)[0].state) == (TaskState.SUBMITTING, State.RETRYING)
    assert "the cluster does not answer" in str(waiting.reason)
    desk.cluster.is_down = False
    desk.clock.advance(60)
    desk.work()
    assert (desk.state(task), desk.get(task).reason) == (TaskState.PENDING, None)


def test_a_cluster_that_is_down_for_hours_costs_no_task(desk: Desk) -> None:
    desk.cluster.is_down = True
    task = desk.submit()
    for _ in range(30):
        desk.work()
        desk.look()
        desk.clock.advance(700)
    desk.cluster.is_down = False
    desk.work()
    assert desk.state(task) is TaskState.PENDING


def test_a_cluster_that_is_not_configured_fails_the_task_with_the_list_of_those_that_are(desk: Desk) -> None:
    task = desk.submit(cluster="atena02")
    desk.work()
    ended = desk.get(task)
    assert ended.state is TaskState.FAILED
    assert "fake" in str(ended.reason)


def test_files_that_no_share_can_hold_are_left_out(desk: Desk) -> None:
    task = desk.running()
    desk.cluster.finish(task.name, files={"output/a:b": b"1", "output/../../x": b"2", "output/ok": b"3"})
    desk.look()
    desk.work()
    told = "not every file share can hold this name"
    left_out = f"'output/a:b': {told}\n'output/../../x': {told}\n".encode()
    assert desk.files(task) == {"output/ok": b"3", "left-out.txt": left_out}


def test_more_output_than_the_limit_is_left_out(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_output_bytes=1024)
    task = desk.running()
    desk.cluster.finish(task.name, files={"output/a": b"1" * 1000, "output/b": b"2" * 1000})
    desk.look()
    desk.work()
    left_out = (
        b"'output/b' and all that came after it: more than 1024 bytes are not kept of a task (MAX_TASK_OUTPUT_BYTES)\n"
    )
    assert desk.files(task) == {"output/a": b"1" * 1000, "left-out.txt": left_out}
    assert desk.get(task).files == "complete"


class _Bounding(FakeRunner):
    """Its cluster's section bounds what is brought back, as that of Slurm by SSH does."""

    def collect(self, known: Known) -> Iterator[tuple[str, Iterator[bytes]]]:
        yield from super().collect(known)
        raise OutputTooLarge("the task left more than 1000 bytes")


def test_more_output_than_the_cluster_brings_back_is_told_with_what_came_before(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(runner=_Bounding)
    task = desk.running()
    desk.cluster.finish(task.name, files={"task.log": b"1"})
    desk.look()
    desk.work()
    assert desk.files(task) == {"task.log": b"1", "left-out.txt": b"the task left more than 1000 bytes\n"}
    assert (desk.get(task).files, desk.cluster.cleaned) == ("complete", [task.name])


METRICS = {
    "no JSON": (b"{", {}),
    "no object": (b"[1]", {}),
    "no numbers": (b'{"a": "1", "b": true, "c": null, "d": [1]}', {}),
    "not finite": (b'{"a": NaN, "b": Infinity, "c": 1.5}', {"c": 1.5}),
    "deep": (b"[" * 100_000, {}),
    "large": (b'{"a": 1, "b": "' + b"x" * 1_100_000 + b'"}', {}),
}


@pytest.mark.parametrize(("content", "expected"), METRICS.values(), ids=list(METRICS))
def test_only_the_plain_numbers_of_a_metrics_file_are_taken(
    desk: Desk, content: bytes, expected: dict[str, float]
) -> None:
    task = desk.running()
    desk.cluster.finish(task.name, files={"output/metrics.json": content})
    desk.look()
    desk.work()
    assert (dict(desk.get(task).metrics), desk.get(task).files) == (expected, "complete")


def test_a_job_of_another_path_is_refused(desk: Desk) -> None:
    job = desk.kernel.service.submit(Kind.SUBMISSION, "/tasks/x/submit").job
    desk.work()
    assert desk.kernel.store.get(job.id).state is State.FAILED
