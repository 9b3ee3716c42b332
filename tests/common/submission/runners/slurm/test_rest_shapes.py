"""Bodies of v0.0.38 are cut from answers of slurmrestd 22.05; those of v0.0.40 are written by its OpenAPI document."""

from datetime import UTC, datetime
from typing import Any

import pytest

from common.submission.records import Observation
from common.submission.runners.slurm.rest import shapes
from common.submission.runners.slurm.rows import observations
from common.submission.states import TaskState

NAME = "wine-000000000000000000000000000-1"
WANTED: dict[str, tuple[str, str | None]] = {NAME: ("hpc", None)}
SUBMITTED, STARTED, ENDED = 1795300720, 1795300736, 1795300741


def old_job(**more: Any) -> dict[str, Any]:
    return {
        "array_job_id": 0,
        "array_task_id": None,
        "array_task_string": "",
        "array_max_tasks": 0,
        "job_id": 17,
        "name": NAME,
        "job_state": "COMPLETED",
        "state_reason": "None",
        "exit_code": 0,
        "submit_time": SUBMITTED,
        "start_time": STARTED,
        "end_time": ENDED,
        "nodes": "n[1-2]",
        "restart_cnt": 0,
        "user_name": "hpc",
        **more,
    }


def new_number(value: int | None) -> dict[str, Any]:
    return {"set": value is not None, "infinite": False, "number": value or 0}


def new_exit_code(code: int | None, signal: int | None = None) -> dict[str, Any]:
    return {
        "status": ["SIGNALED" if signal else "SUCCESS" if code == 0 else "ERROR"],
        "return_code": new_number(code),
        "signal": {"id": new_number(signal), "name": "NONE" if signal is None else f"SIG{signal}"},
    }


def new_job(**more: Any) -> dict[str, Any]:
    return {
        "array_job_id": new_number(0),
        "array_task_id": new_number(None),
        "array_task_string": "",
        "array_max_tasks": new_number(0),
        "job_id": 17,
        "name": NAME,
        "job_state": ["COMPLETED"],
        "state_reason": "None",
        "exit_code": new_exit_code(0),
        "submit_time": new_number(SUBMITTED),
        "start_time": new_number(STARTED),
        "end_time": new_number(ENDED),
        "nodes": "n[1-2]",
        "restart_cnt": 0,
        "user_name": "hpc",
        **more,
    }


def seen(*jobs: dict[str, Any], array: str | None = None, accounted: dict[str, Any] | None = None) -> list[Observation]:
    wanted: dict[str, tuple[str, str | None]] = {NAME: ("hpc", array)}
    figures = shapes.accounted_rows({"jobs": [accounted]}, wanted) if accounted else []
    return observations(shapes.job_rows({"jobs": list(jobs)}, wanted), figures, wanted)


@pytest.mark.parametrize("job", [old_job(), new_job()], ids=["v0.0.38", "v0.0.40"])
def test_a_job_that_succeeded_is_told_with_its_nodes_and_times(job: dict[str, Any]) -> None:
    [one] = seen(job)

    assert (one.cluster_job_id, one.state, one.exit_code) == ("17", TaskState.SUCCEEDED, 0)
    assert one.nodes == ("n1", "n2")
    assert one.submitted_at == datetime.fromtimestamp(SUBMITTED, UTC)
    assert one.started_at == datetime.fromtimestamp(STARTED, UTC)
    assert one.finished_at == datetime.fromtimestamp(ENDED, UTC)


@pytest.mark.parametrize(
    "job",
    [
        old_job(job_state="FAILED", state_reason="NonZeroExitCode", exit_code=768),
        # v0.0.39 tells the status of wait(2) as a number that may be unset.
        new_job(job_state="FAILED", state_reason="NonZeroExitCode", exit_code=new_number(768)),
        new_job(job_state=["FAILED"], state_reason="NonZeroExitCode", exit_code=new_exit_code(3)),
    ],
    ids=["v0.0.38", "v0.0.39", "v0.0.40"],
)
def test_the_exit_code_of_a_job_that_failed_is_the_programs_own(job: dict[str, Any]) -> None:
    [one] = seen(job)

    assert (one.state, one.exit_code, one.signal, one.reason) == (TaskState.FAILED, 3, None, "NonZeroExitCode")


@pytest.mark.parametrize(
    "job",
    [
        old_job(job_state="CANCELLED", exit_code=15),
        new_job(job_state=["CANCELLED"], exit_code=new_exit_code(None, 15)),
    ],
    ids=["v0.0.38", "v0.0.40"],
)
def test_the_signal_that_ended_a_job_is_told(job: dict[str, Any]) -> None:
    [one] = seen(job)

    assert (one.state, one.exit_code, one.signal) == (TaskState.CANCELLED, None, 15)


@pytest.mark.parametrize(
    "job",
    [
        old_job(job_state="OUT_OF_MEMORY", state_reason="OutOfMemory", exit_code=253),
        new_job(job_state=["OUT_OF_MEMORY"], state_reason="OutOfMemory", exit_code=new_exit_code(None, 125)),
    ],
    ids=["v0.0.38", "v0.0.40"],
)
def test_slurms_own_number_for_out_of_memory_is_told_as_no_signal(job: dict[str, Any]) -> None:
    [one] = seen(job)

    assert (one.state, one.exit_code, one.signal) == (TaskState.OUT_OF_MEMORY, None, None)


def test_a_state_of_several_words_is_read_with_its_flags() -> None:
    [one] = seen(new_job(job_state=["COMPLETED", "COMPLETING"]))

    assert one.state is TaskState.RUNNING


def test_a_number_that_is_not_set_is_none() -> None:
    assert shapes.number({"set": False, "infinite": False, "number": 0}) is None


def test_a_number_that_is_infinite_is_none() -> None:
    assert shapes.number({"set": True, "infinite": True, "number": 0}) is None


@pytest.mark.parametrize(
    "jobs",
    [
        [
            old_job(job_id=20, array_job_id=19, array_task_id=0, job_state="RUNNING"),
            old_job(job_id=19, array_job_id=19, array_task_string="3,6,9%1", job_state="PENDING", nodes=""),
        ],
        [
            new_job(
                job_id=20, array_job_id=new_number(19), array_task_id=new_number(0), job_state=["RUNNING"], nodes="n1"
            ),
            new_job(
                job_id=19,
                array_job_id=new_number(19),
                array_task_string="3,6,9%1",
                job_state=["PENDING"],
                nodes="",
            ),
        ],
    ],
    ids=["v0.0.38", "v0.0.40"],
)
def test_elements_that_wait_are_told_one_by_one_with_those_that_run(jobs: list[dict[str, Any]]) -> None:
    [one] = seen(*jobs, array="0-9:3%1")

    assert (one.cluster_job_id, one.state) == ("19", TaskState.RUNNING)
    assert [(element.index, element.state) for element in one.elements] == [
        (0, TaskState.RUNNING),
        (3, TaskState.PENDING),
        (6, TaskState.PENDING),
        (9, TaskState.PENDING),
    ]


def test_a_list_of_elements_that_slurm_cuts_short_is_completed_by_what_was_submitted() -> None:
    cut = old_job(job_id=19, array_job_id=19, array_task_string="1-3,5,...", job_state="PENDING")
    begun = old_job(job_id=20, array_job_id=19, array_task_id=0, job_state="RUNNING")

    [one] = seen(cut, begun, array="0-99")

    assert len(one.elements) == 100
    assert sum(element.state is TaskState.PENDING for element in one.elements) == 99


def test_a_job_of_another_user_with_such_a_name_is_not_ours() -> None:
    assert seen(old_job(user_name="mallory")) == []


def test_two_jobs_of_one_name_are_both_told() -> None:
    assert [one.cluster_job_id for one in seen(old_job(job_id=17), old_job(job_id=9))] == ["9", "17"]


def accounted(**more: Any) -> dict[str, Any]:
    """A job as slurmdbd tells it by v0.0.38."""
    return {
        "job_id": 17,
        "name": NAME,
        "user": "hpc",
        "nodes": "n1",
        "array": {"job_id": 0, "task": None, "task_id": None},
        "state": {"current": "COMPLETED", "reason": "None"},
        "exit_code": {"status": "SUCCESS", "return_code": 0},
        "time": {"submission": SUBMITTED, "start": STARTED, "end": ENDED, "total": {"seconds": 0, "microseconds": 0}},
        "steps": [
            {
                "time": {"total": {"seconds": 1, "microseconds": 500_000}},
                "tres": {
                    "requested": {"max": [{"type": "cpu", "count": 100}, {"type": "mem", "count": 152_981_504}]},
                    "consumed": {"max": [{"type": "energy", "count": 0}]},
                },
            },
            {"time": {"total": {"seconds": 0, "microseconds": 250_000}}, "tres": {"requested": {"max": []}}},
        ],
        **more,
    }


def test_what_a_job_used_is_told_from_the_accounting() -> None:
    [one] = seen(old_job(), accounted=accounted())

    assert (one.cpu_time_s, one.peak_memory_bytes) == (1.75, 152_981_504)


def test_figures_of_an_earlier_run_of_a_requeued_job_are_not_those_of_the_last() -> None:
    earlier = accounted(time={"submission": SUBMITTED, "start": STARTED - 100, "end": STARTED - 50})

    [one] = seen(old_job(), accounted=earlier)

    assert (one.cpu_time_s, one.peak_memory_bytes) == (None, None)


@pytest.mark.parametrize(
    "job",
    [
        accounted(
            state={"current": "OUT_OF_MEMORY", "reason": "None"},
            exit_code={"status": "SIGNALED", "return_code": None, "signal": {"signal_id": 125, "name": "?"}},
        ),
        accounted(
            array={"job_id": 0, "task": "", "task_id": new_number(None)},
            state={"current": ["OUT_OF_MEMORY"], "reason": "None"},
            exit_code=new_exit_code(None, 125),
        ),
    ],
    ids=["v0.0.38", "v0.0.40"],
)
def test_a_job_that_the_controller_has_forgotten_is_told_by_the_accounting(job: dict[str, Any]) -> None:
    [one] = seen(accounted=job)

    assert (one.cluster_job_id, one.state) == ("17", TaskState.OUT_OF_MEMORY)


def test_the_0_that_the_accounting_tells_of_a_job_that_failed_is_not_believed() -> None:
    # v0.0.38 tells SUCCESS and 0 where sacct tells 3:0.
    [one] = seen(accounted=accounted(state={"current": "FAILED", "reason": "None"}))

    assert (one.state, one.exit_code) == (TaskState.FAILED, None)


def test_elements_that_were_cancelled_before_they_began_are_told_by_the_accounting() -> None:
    job = accounted(
        array={"job_id": 19, "task": "3,6", "task_id": None}, state={"current": "CANCELLED", "reason": "None"}
    )

    [one] = seen(accounted=job, array="0-9:3")

    assert [element.index for element in one.elements] == [3, 6]


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("0-9:3", [0, 3, 6, 9]),
        ("5", [5]),
        ("1,3-4%2", [1, 3, 4]),
        ("1,...", [1]),
        ("", []),
    ],
)
def test_the_indices_of_an_array_are_those_that_slurm_would_run(text: str, indices: list[int]) -> None:
    assert list(shapes.indices(text)) == indices


@pytest.mark.parametrize("key", ["error_number", "error_code", "errno"])
def test_the_number_of_an_error_is_found_under_each_of_its_names(key: str) -> None:
    assert shapes.errors({"errors": [{key: 2000, "error": "no"}]}) == [(2000, "no")]


@pytest.mark.parametrize("body", [None, [], "text", {"errors": None}, {"errors": ["text"]}, {"errors": {}}], ids=repr)
def test_errors_of_an_odd_shape_are_none(body: Any) -> None:
    assert shapes.errors(body) == []


@pytest.mark.parametrize("jobs", [None, {}, "text", [None, 5, [], {"name": NAME}]], ids=repr)
def test_jobs_of_an_odd_shape_are_none(jobs: Any) -> None:
    assert shapes.job_rows({"jobs": jobs}, WANTED) == []
    assert shapes.accounted_rows({"jobs": jobs}, WANTED) == []


def test_the_partitions_of_v38_have_their_limits_and_free_nodes() -> None:
    told = {"partitions": [
        {"name": "debug", "state": "UP", "flags": ["default"], "max_time_limit": 60, "total_nodes": 2, "total_cpus": 4}
    ]}  # fmt: skip
    nodes = {"nodes": [
        {"name": "n1", "partitions": ["debug"], "state": "idle", "state_flags": [], "idle_cpus": 2},
        {"name": "n2", "partitions": ["debug"], "state": "idle", "state_flags": ["DRAIN"], "idle_cpus": 2},
    ]}  # fmt: skip

    [one] = shapes.partitions(told, nodes)

    assert (one.name, one.state, one.is_default, one.max_time_s) == ("debug", "up", True, 3600)
    assert (one.nodes, one.idle_nodes, one.cpus, one.idle_cpus) == (2, 1, 4, 2)


def test_the_partitions_of_v40_have_their_limits_and_free_nodes() -> None:
    told = {"partitions": [{
        "name": "debug", "partition": {"state": ["UP"]}, "maximums": {"time": new_number(60)},
        "nodes": {"total": 2}, "cpus": {"total": 4},
    }]}  # fmt: skip
    nodes = {"nodes": [
        {"name": "n1", "partitions": ["debug"], "state": ["IDLE"], "cpus": 2, "alloc_idle_cpus": 2},
        {"name": "n2", "partitions": ["debug"], "state": ["IDLE", "DRAIN"], "cpus": 2, "alloc_idle_cpus": 2},
    ]}  # fmt: skip

    [one] = shapes.partitions(told, nodes)

    assert (one.name, one.state, one.max_time_s) == ("debug", "up", 3600)
    assert (one.nodes, one.idle_nodes, one.cpus, one.idle_cpus) == (2, 1, 4, 2)


def test_a_partition_without_a_limit_has_none() -> None:
    told = {"partitions": [{"name": "long", "maximums": {"time": {"set": False, "infinite": True, "number": 0}}}]}

    assert shapes.partitions(told, {})[0].max_time_s is None


@pytest.mark.parametrize(
    ("ping", "answers"),
    [
        ({"hostname": "c1", "ping": "UP", "mode": "primary"}, True),
        ({"hostname": "c1", "pinged": "UP", "mode": "primary"}, True),
        ({"hostname": "c1", "responding": True}, True),
        ({"hostname": "c1", "ping": "DOWN"}, False),
    ],
    ids=["v0.0.38", "v0.0.40", "v0.0.42", "down"],
)
def test_whether_a_controller_answers_is_read_in_each_shape(ping: dict[str, Any], answers: bool) -> None:
    assert shapes.controllers({"pings": [ping]}) == [("c1", answers)]


@pytest.mark.parametrize(
    "body",
    [{"job_id": 5, "errors": []}, {"result": {"job_id": 5}}, {"job_id": new_number(5)}],
    ids=["v0.0.38", "v0.0.40", "number"],
)
def test_the_number_of_a_new_job_is_read_in_each_shape(body: dict[str, Any]) -> None:
    assert shapes.job_id(body) == "5"


@pytest.mark.parametrize("key", ["Slurm", "slurm"])
def test_slurms_version_is_read_in_each_shape(key: str) -> None:
    assert shapes.release({"meta": {key: {"release": "22.05.8"}}}) == "22.05.8"
