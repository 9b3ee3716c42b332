"""Handing tasks to a cluster, and what is done for them there."""

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
