import pytest

from common.submission.runners.slurm.states import Ending, Reading, base_state, exit_pair, read, wait_status
from common.submission.states import TaskState

NOTHING = Ending(None, None)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("PENDING", TaskState.PENDING),
        ("CONFIGURING", TaskState.PENDING),
        ("REQUEUED", TaskState.PENDING),
        ("REQUEUE_HOLD", TaskState.PENDING),
        ("SPECIAL_EXIT", TaskState.PENDING),
        ("RESV_DEL_HOLD", TaskState.PENDING),
        ("RUNNING", TaskState.RUNNING),
        ("SUSPENDED", TaskState.RUNNING),
        ("STOPPED", TaskState.RUNNING),
        ("COMPLETING", TaskState.RUNNING),
        ("STAGE_OUT", TaskState.RUNNING),
        ("SIGNALING", TaskState.RUNNING),
        ("RESIZING", TaskState.RUNNING),
        ("COMPLETED", TaskState.SUCCEEDED),
        ("FAILED", TaskState.FAILED),
        ("DEADLINE", TaskState.FAILED),
        ("CANCELLED by 1001", TaskState.CANCELLED),
        ("CANCELLED+", TaskState.CANCELLED),
        ("REVOKED", TaskState.CANCELLED),
        ("TIMEOUT", TaskState.TIMED_OUT),
        ("OUT_OF_MEMORY", TaskState.OUT_OF_MEMORY),
        ("NODE_FAIL", TaskState.NODE_FAILED),
        ("BOOT_FAIL", TaskState.NODE_FAILED),
        ("PREEMPTED", TaskState.NODE_FAILED),
        ("OOM", TaskState.OUT_OF_MEMORY),
        (["COMPLETED"], TaskState.SUCCEEDED),
        (["COMPLETED", "COMPLETING"], TaskState.RUNNING),
        (["PENDING", "REQUEUED"], TaskState.PENDING),
        (["RUNNING", "CONFIGURING"], TaskState.PENDING),
    ],
)
def test_every_state_of_slurm_has_a_place_among_atolls(told: str | list[str], state: TaskState) -> None:
    found = read(told, None, NOTHING)
    assert found is not None
    assert found.state is state


def test_a_state_that_nobody_knows_is_passed_over() -> None:
    assert read("TELEPORTED", None, NOTHING) is None
    assert read("", None, NOTHING) is None


def test_a_waiting_job_says_why_it_waits() -> None:
    assert read("PENDING", "Priority", NOTHING) == Reading(TaskState.PENDING, "Priority", None, None)


def test_a_running_job_gives_no_reason() -> None:
    assert read("RUNNING", "None", wait_status(0)) == Reading(TaskState.RUNNING, None, None, None)


def test_a_suspended_job_runs_on_and_says_so() -> None:
    assert read("SUSPENDED", "None", NOTHING) == Reading(TaskState.RUNNING, "Suspended", None, None)


def test_a_failed_program_leaves_its_exit_code() -> None:
    assert read("FAILED", "NonZeroExitCode", wait_status(3 << 8)) == Reading(
        TaskState.FAILED, "NonZeroExitCode", 3, None
    )


def test_what_went_wrong_is_named_even_where_slurm_names_nothing() -> None:
    found = read("TIMEOUT", "None", exit_pair("0:0"))
    assert found == Reading(TaskState.TIMED_OUT, "TimeLimit", None, None)


def test_a_program_that_was_never_begun_has_no_exit_code() -> None:
    assert read("FAILED", "JobLaunchFailure", wait_status(4021)) == Reading(
        TaskState.FAILED, "JobLaunchFailure", None, None
    )


def test_an_end_for_memory_is_no_signal() -> None:
    found = read("OUT_OF_MEMORY", "OutOfMemory", exit_pair("0:125"))
    assert found == Reading(TaskState.OUT_OF_MEMORY, "OutOfMemory", None, None)


def test_a_cancelled_job_has_no_exit_code_of_its_own() -> None:
    assert read("CANCELLED by 0", "None", exit_pair("0:15")) == Reading(TaskState.CANCELLED, "Cancelled", None, 15)


@pytest.mark.parametrize(
    ("raw", "ending"),
    [(0, Ending(0, None)), (768, Ending(3, None)), (9, Ending(None, 9)), (255 << 8, Ending(255, None))],
)
def test_a_wait_status_is_a_code_or_a_signal(raw: int, ending: Ending) -> None:
    assert wait_status(raw) == ending


@pytest.mark.parametrize(
    ("text", "ending"),
    [("3:0", Ending(3, None)), ("0:9", Ending(None, 9)), ("0:0", Ending(0, None)), ("", NOTHING), ("x:y", NOTHING)],
)
def test_an_exit_pair_is_a_code_or_a_signal(text: str, ending: Ending) -> None:
    assert exit_pair(text) == ending


def test_of_several_flags_the_one_that_is_news_counts() -> None:
    assert base_state(["NODE_FAIL", "REQUEUED"]) == "REQUEUED"
