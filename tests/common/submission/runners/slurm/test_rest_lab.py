"""The runner against a real slurmrestd 22.05, with a controller, an accounting and two nodes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.slurm.rest.runner import SlurmRestRunner
from common.submission.states import TaskState
from tests.support import slurm_rest as rest
from tests.support.slurm_lab import SlurmLab, slurm_lab, wait_until


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    with slurm_lab() as found, found.shared():
        yield found


@pytest.fixture
def runner(lab: SlurmLab) -> Iterator[SlurmRestRunner]:
    with rest.runner(lab) as found:
        yield found


def test_a_task_that_succeeds_leaves_its_log_and_files(runner: SlurmRestRunner) -> None:
    known = rest.submit(runner, rest.task('echo hello; id -un; echo "$HOME"; echo 5 >"$ATOLL_OUTPUT_DIR/x"'))

    one = rest.seen(runner, known)

    assert (one.state, one.exit_code) == (TaskState.SUCCEEDED, 0)
    assert one.submitted_at is not None
    assert one.started_at is not None
    assert one.finished_at is not None
    assert one.nodes
    assert runner.read_log(known, 0, 100).content == b"hello\nhpc\n/home/hpc\n"
    assert runner.read_log(known, 6, 3).content == b"hpc"
    assert {path: b"".join(parts) for path, parts in runner.collect(known)} == {
        "task.log": b"hello\nhpc\n/home/hpc\n",
        "output/x": b"5\n",
    }


def test_the_exit_code_is_the_programs(runner: SlurmRestRunner) -> None:
    one = rest.seen(runner, rest.submit(runner, rest.task("exit 3")))

    assert (one.state, one.exit_code, one.reason) == (TaskState.FAILED, 3, "NonZeroExitCode")


def test_a_task_that_is_submitted_again_is_the_same(runner: SlurmRestRunner, lab: SlurmLab) -> None:
    task = rest.task("sleep 1; echo ran")
    first = rest.submit(runner, task)

    assert rest.submit(runner, task) == first
    assert runner.find(task) == first.cluster_job_id
    rest.seen(runner, first)
    assert runner.find(task) == first.cluster_job_id
    assert lab.jobs_named(task.name) == [first.cluster_job_id]
    assert runner.read_log(first, 0, 100).content == b"ran\n"


def test_what_was_never_submitted_is_not_found(runner: SlurmRestRunner) -> None:
    assert runner.find(rest.task()) is None


def test_a_task_that_is_cancelled_is_told_as_such_and_may_be_cancelled_again(runner: SlurmRestRunner) -> None:
    known = rest.submit(runner, rest.task("sleep 300"))
    rest.seen(runner, known, lambda one: one.state is TaskState.RUNNING)

    runner.cancel(known)
    runner.cancel(known)
    one = rest.seen(runner, known)
    runner.cancel(known)

    assert one.state is TaskState.CANCELLED


def test_cancelling_what_the_cluster_does_not_know_is_fine(runner: SlurmRestRunner) -> None:
    runner.cancel(rest.known(rest.task(), "99999999"))
    runner.cancel(rest.known(rest.task(), None))


def test_a_task_over_its_memory_is_told_as_such(runner: SlurmRestRunner) -> None:
    task = rest.task("python3 -c 'bytes(400_000_000).replace(bytes(1), b\"x\")'", memory_bytes=100 << 20)

    assert rest.seen(runner, rest.submit(runner, task)).state is TaskState.OUT_OF_MEMORY


def test_a_task_over_its_time_is_told_as_such(runner: SlurmRestRunner, lab: SlurmLab) -> None:
    known = rest.submit(runner, rest.task("sleep 300", time_limit_s=60))
    rest.seen(runner, known, lambda one: one.state is TaskState.RUNNING)
    # Slurm's limits are whole minutes; its operator may move a job's end.
    lab.operate("scontrol", "update", f"jobid={known.cluster_job_id}", "endtime=now+1")

    one = rest.seen(runner, known)

    assert (one.state, one.reason) == (TaskState.TIMED_OUT, "TimeLimit")


def test_what_a_task_used_is_told_once_the_accounting_has_it(runner: SlurmRestRunner) -> None:
    program = "python3 -S -c 'import time; x = b\"1\" * 60_000_000; sum(range(5_000_000)); time.sleep(3)'"
    known = rest.submit(runner, rest.task(program))

    one = rest.seen(runner, known, lambda one: one.state.is_finished and one.cpu_time_s is not None)

    assert (one.cpu_time_s or 0) > 0
    assert (one.peak_memory_bytes or 0) > 50_000_000


def test_the_elements_of_an_array_are_told_one_by_one(runner: SlurmRestRunner) -> None:
    known = rest.submit(runner, rest.task("echo $ATOLL_ARRAY_INDEX; exit $ATOLL_ARRAY_INDEX", array="0-4:2%1"))

    first = rest.seen(runner, known, lambda one: bool(one.elements))
    one = rest.seen(runner, known)

    assert [element.index for element in first.elements] == [0, 2, 4]
    assert [(element.index, element.exit_code) for element in one.elements] == [(0, 0), (2, 2), (4, 4)]
    assert one.state is TaskState.FAILED
    assert runner.read_log(known, 0, 100, 4).content == b"4\n"
    assert sorted(path for path, _ in runner.collect(known)) == ["task-0.log", "task-2.log", "task-4.log"]


def test_an_array_is_cancelled_with_the_elements_that_wait(runner: SlurmRestRunner) -> None:
    known = rest.submit(runner, rest.task("sleep 300", array="0-9%1"))
    rest.seen(runner, known, lambda one: one.state is TaskState.RUNNING)

    runner.cancel(known)
    one = rest.seen(runner, known)

    assert len(one.elements) == 10
    assert {element.state for element in one.elements} == {TaskState.CANCELLED}


def test_a_task_waits_for_what_it_depends_on(runner: SlurmRestRunner) -> None:
    first = rest.submit(runner, rest.task("sleep 3"))
    assert first.cluster_job_id
    second = rest.submit(runner, rest.task("true", depends_on=[first.cluster_job_id]))

    waiting = rest.seen(runner, second, lambda one: one.reason == "Dependency")

    assert waiting.state is TaskState.PENDING
    assert rest.seen(runner, second).state is TaskState.SUCCEEDED


def test_a_task_whose_dependency_failed_is_cancelled(runner: SlurmRestRunner) -> None:
    first = rest.submit(runner, rest.task("sleep 1; exit 1"))
    assert first.cluster_job_id

    second = rest.submit(runner, rest.task("true", depends_on=[first.cluster_job_id]))

    assert rest.seen(runner, second).state is TaskState.CANCELLED


def test_a_partition_that_slurm_does_not_know_is_refused_in_its_words(runner: SlurmRestRunner) -> None:
    with pytest.raises(ClusterRefused, match="Invalid partition name"):
        rest.submit(runner, rest.task(partition="nope"))


def test_a_partition_that_slurm_told_not_to_have_is_refused_before(runner: SlurmRestRunner) -> None:
    runner.info()

    with pytest.raises(Exception, match="send one of debug, short"):
        runner.check(rest.task(partition="nope").spec)
    with pytest.raises(Exception, match="at most 300 s"):
        runner.check(rest.task(partition="short", time_limit_s=301).spec)


def test_how_the_cluster_is_is_told(runner: SlurmRestRunner) -> None:
    info = runner.info()

    assert (info.state, info.version) == ("up", "22.05.8")
    assert [(one.name, one.is_default, one.nodes) for one in info.partitions] == [
        ("debug", True, 2),
        ("short", False, 2),
    ]
    assert None not in (info.pending, info.running, info.load)


def test_all_are_told_in_one_call(lab: SlurmLab) -> None:
    counted = Counting()
    with rest.runner(lab, transport=counted) as runner:
        known = [rest.submit(runner, rest.task("sleep 60")) for _ in range(5)]
        counted.paths.clear()

        told = runner.observe(known)
        paths = list(counted.paths)
        for one in known:
            runner.cancel(one)

    assert {one.name for one in told} == {one.name for one in known}
    assert paths == ["/slurm/v0.0.38/jobs"]


def test_what_the_controller_has_forgotten_is_told_by_the_accounting(lab: SlurmLab) -> None:
    forgetful = Counting()
    with rest.runner(lab, transport=forgetful) as runner:
        task = rest.task("true")
        known = rest.submit(runner, task)
        rest.seen(runner, known, lambda one: one.cpu_time_s is not None)
        forgetful.forget = True

        one = rest.seen(runner, known)

        assert (one.cluster_job_id, one.state) == (known.cluster_job_id, TaskState.SUCCEEDED)
        # A crash before its number was noted: its claim, and its name, lead to it.
        assert runner.find(task) == known.cluster_job_id
        assert rest.seen(runner, rest.known(task, None)).cluster_job_id == known.cluster_job_id


def test_what_nobody_knows_is_not_told(runner: SlurmRestRunner) -> None:
    assert runner.observe([rest.known(rest.task(), "99999999"), rest.known(rest.task(), None)]) == []


# -- tokens ---------------------------------------------------------------------------------------------------------


def test_a_bad_token_is_told_as_down_so_that_tasks_wait(lab: SlurmLab, tmp_path: Path) -> None:
    good = Path(lab.settings["JWT_FILE"]).read_text()
    file = tmp_path / "token"
    file.write_text(good[:-3] + "abc")
    task = rest.task()

    with rest.runner(lab, token=f"file:{file}") as runner:
        assert "scontrol token" in runner.info().detail
        with pytest.raises(ClusterDown, match="scontrol token"):
            rest.submit(runner, task)
        with pytest.raises(ClusterDown, match="scontrol token"):
            runner.observe([rest.known(task, "5")])
        # Renewed in place: it goes on, with what was placed before.
        file.write_text(good)
        assert rest.seen(runner, rest.submit(runner, task)).state is TaskState.SUCCEEDED


def test_a_token_that_expires_is_told_as_down_with_how_to_make_a_new_one(lab: SlurmLab, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(rest.token(lab, 1))

    with rest.runner(lab, token=f"file:{file}") as runner:
        wait_until(lambda: runner.info().state == "down", "the token expires")

        assert "has expired" in runner.info().detail
        assert "scontrol token username=hpc" in runner.info().detail


def test_a_token_that_slurm_finds_expired_is_told_as_down_too(lab: SlurmLab, tmp_path: Path) -> None:
    """Where the clocks of the two machines differ, only Slurm knows."""
    file = tmp_path / "token"
    file.write_text(rest.token(lab, 1))
    with rest.runner(lab, token=f"file:{file}") as runner:
        wait_until(lambda: "has expired" in runner.info().detail, "the token expires")
        head, claims, signature = file.read_text().split(".")
        # No longer of a shape that tells its end to us.
        file.write_text(f"{head}.{claims}.{signature}.")
        with pytest.raises(ClusterDown, match="scontrol token"):
            runner.observe([rest.known(rest.task(), "5")])


def test_a_token_of_root_runs_each_owners_tasks_as_their_own_user(lab: SlurmLab, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(rest.token(lab, 600, "root"))

    with rest.runner(lab, token=f"file:{file}", user="root", users={"me": "hpc"}) as runner:
        known = rest.submit(runner, rest.task("id -un"))
        one = rest.seen(runner, known)

        assert one.state is TaskState.SUCCEEDED
        assert runner.read_log(known, 0, 100).content == b"hpc\n"


# -- what is down ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def headless(lab: SlurmLab) -> Iterator[str]:
    """The address of a slurmrestd that has no controller."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with rest.without_controller(folder) as url:
            yield url


def test_a_controller_that_is_down_is_told_within_the_time_limit(lab: SlurmLab, headless: str) -> None:
    task = rest.task()
    with rest.runner(lab, url=headless, timeout_s=1, api_version="v0.0.38") as runner:
        assert runner.info().state == "down"
        for ask in (
            lambda: rest.submit(runner, task),
            lambda: runner.observe([rest.known(task, "5")]),
            lambda: runner.cancel(rest.known(task, "5")),
            lambda: runner.find(task),
        ):
            with pytest.raises(ClusterDown, match="did not answer within 1 s"):
                ask()


def test_a_controller_that_slurmrestd_gives_up_on_is_down(lab: SlurmLab, headless: str) -> None:
    with rest.runner(lab, url=headless) as runner, pytest.raises(ClusterDown, match="controller does not answer"):
        runner.observe([rest.known(rest.task(), "5")])


def test_an_accounting_that_is_down_does_not_keep_the_others_from_being_told(lab: SlurmLab) -> None:
    broken = Counting()
    with rest.runner(lab, transport=broken) as runner:
        known = rest.submit(runner, rest.task("exit 3"))
        broken.no_accounting = True

        one = rest.seen(runner, known)

        assert (one.state, one.exit_code, one.cpu_time_s) == (TaskState.FAILED, 3, None)


def test_no_task_is_lost_because_the_accounting_is_down(lab: SlurmLab) -> None:
    broken = Counting()
    with rest.runner(lab, transport=broken) as runner:
        known = rest.submit(runner, rest.task("true"))
        rest.seen(runner, known)
        broken.forget = broken.no_accounting = True

        with pytest.raises(ClusterDown):
            runner.observe([known])


def test_a_version_that_is_not_served_is_told(lab: SlurmLab) -> None:
    with rest.runner(lab, api_version="v0.0.40") as runner:
        assert "Unable find requested URL" in runner.info().detail


class Counting(httpx.BaseTransport):
    """Carries requests to the real slurmrestd and notes them; what it answers can be withheld."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()
        self.paths: list[str] = []
        self.forget = False
        self.no_accounting = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if self.no_accounting and request.url.path.startswith("/slurmdb/"):
            return httpx.Response(200, json={"errors": [{"error_number": 7000, "error": "no database"}], "jobs": []})
        if self.forget and request.url.path.endswith("/jobs") and request.url.path.startswith("/slurm/"):
            return httpx.Response(200, json={"errors": [], "jobs": []})
        return self._real.handle_request(request)

    def close(self) -> None:
        self._real.close()
