"""The runner by SSH against a real Slurm, with a controller, an accounting and two nodes."""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.errors import Invalid
from common.submission.errors import ClusterDown, ClusterRefused, OutputTooLarge
from common.submission.records import Element, Known, Observation, Package, Submission
from common.submission.runners.slurm.ssh import loop
from common.submission.runners.slurm.ssh.config import SlurmSshConfig
from common.submission.runners.slurm.ssh.runner import SlurmSshRunner
from common.submission.states import TaskState
from tests.common.submission.runners.slurm.tasks import known, package, submission
from tests.support.slurm_lab import SlurmLab, slurm_lab, wait_until

# Others may have the cluster for themselves for a while.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    with slurm_lab() as found:
        yield found


@pytest.fixture(autouse=True)
def _beside_others(lab: SlurmLab) -> Iterator[None]:
    with lab.shared():
        yield


@pytest.fixture(scope="module")
def runner(lab: SlurmLab) -> Iterator[SlurmSshRunner]:
    found = SlurmSshRunner(SlurmSshConfig.model_validate(lab.ssh_section()))
    yield found
    found.close()


def submit(runner: SlurmSshRunner, program: str, **spec: Any) -> Known:
    task = submission(**spec)
    return known(task, runner.submit(task, package(task, runner.config, program)))


def seen(
    runner: SlurmSshRunner, one: Known, wanted: Callable[[Observation], bool] = lambda told: told.state.is_finished
) -> Observation:
    def look() -> Observation | None:
        return next((told for told in runner.observe([one]) if wanted(told)), None)

    return wait_until(look, f"{one.name} is as wanted")


def test_a_task_that_succeeds_leaves_its_log_and_files(runner: SlurmSshRunner) -> None:
    one = submit(runner, 'echo hello; mkdir "$ATOLL_OUTPUT_DIR/sub"; echo 5 >"$ATOLL_OUTPUT_DIR/sub/x y"')
    told = seen(runner, one)
    assert (told.state, told.exit_code, told.reason) == (TaskState.SUCCEEDED, 0, None)
    assert told.nodes
    assert None not in (told.submitted_at, told.started_at, told.finished_at)
    assert {path: b"".join(parts) for path, parts in runner.collect(one)} == {
        "task.log": b"hello\n",
        "output/sub/x y": b"5\n",
    }


def test_the_exit_code_is_the_programs(runner: SlurmSshRunner) -> None:
    told = seen(runner, submit(runner, "exit 3"))
    assert (told.state, told.exit_code, told.reason) == (TaskState.FAILED, 3, "NonZeroExitCode")


def test_cpu_time_and_peak_memory_are_told_once_they_are_there(runner: SlurmSshRunner) -> None:
    # Long enough for the accounting to look, and on a busy node too for what is asserted.
    busy = "while time.time() < e or time.process_time() < 1.5: pass"
    fill = f"python3 -c 'import time; x = bytearray(50_000_000); e = time.time() + 5\n{busy}'"
    told = seen(runner, submit(runner, fill, memory_bytes=200 << 20), lambda told: bool(told.peak_memory_bytes))
    assert told.state is TaskState.SUCCEEDED
    assert (told.cpu_time_s or 0) > 1
    assert (told.peak_memory_bytes or 0) > 40_000_000


def test_a_task_that_needs_too_much_memory_is_told_as_such(runner: SlurmSshRunner) -> None:
    fill = "python3 -c 'x = [bytearray(1_000_000) for _ in range(500)]; import time; time.sleep(60)'"
    told = seen(runner, submit(runner, fill, memory_bytes=32 << 20))
    assert told.state is TaskState.OUT_OF_MEMORY
    assert told.reason == "OutOfMemory"


def test_a_task_that_takes_too_long_is_told_as_such(runner: SlurmSshRunner) -> None:
    # Slurm counts in minutes, and looks every half of one.
    one = submit(runner, "exec sleep 300", time_limit_s=1)
    told = wait_until(
        lambda: next((told for told in runner.observe([one]) if told.state.is_finished), None), "time-out", 150
    )
    assert (told.state, told.reason) == (TaskState.TIMED_OUT, "TimeLimit")


def test_a_task_that_is_cancelled_is_told_as_such_and_may_be_cancelled_again(runner: SlurmSshRunner) -> None:
    one = submit(runner, "exec sleep 300")
    seen(runner, one, lambda told: told.state is TaskState.RUNNING)
    runner.cancel(one)
    runner.cancel(one)
    assert seen(runner, one).state is TaskState.CANCELLED
    runner.cancel(one)


def test_a_task_whose_number_nobody_knows_is_cancelled_by_its_name(runner: SlurmSshRunner) -> None:
    one = submit(runner, "exec sleep 300")
    runner.cancel(replace(one, cluster_job_id=None))
    assert seen(runner, one).state is TaskState.CANCELLED


def test_another_tasks_number_cancels_nothing(runner: SlurmSshRunner) -> None:
    one, other = submit(runner, "exec sleep 300"), submit(runner, "true")
    runner.cancel(replace(other, cluster_job_id=one.cluster_job_id))
    assert not runner.observe([one])[0].state.is_finished
    runner.cancel(one)


def test_cancelling_what_the_cluster_does_not_know_is_fine(runner: SlurmSshRunner) -> None:
    runner.cancel(known(submission(), "99999999"))
    runner.cancel(known(submission(), None))


def test_elements_of_an_array_are_told_one_by_one(runner: SlurmSshRunner) -> None:
    one = submit(runner, 'echo "at $ATOLL_ARRAY_INDEX"; exit "$ATOLL_ARRAY_INDEX"', array="0-2")
    told = seen(runner, one)
    assert told.state is TaskState.FAILED
    assert told.elements == (
        Element(0, TaskState.SUCCEEDED, 0, None),
        Element(1, TaskState.FAILED, 1, "NonZeroExitCode"),
        Element(2, TaskState.FAILED, 2, "NonZeroExitCode"),
    )
    assert runner.read_log(one, 0, 100, element=2).content == b"at 2\n"
    assert {path for path, _ in runner.collect(one)} == {"task-0.log", "task-1.log", "task-2.log"}


def test_an_array_is_found_by_its_name_as_one(runner: SlurmSshRunner) -> None:
    task = submission(array="0-3%1")
    number = runner.submit(task, package(task, runner.config, "exec sleep 300"))
    assert runner.find(task) == number
    runner.cancel(known(task, number))
    told = seen(runner, known(task, None))
    assert (told.cluster_job_id, told.state) == (number, TaskState.CANCELLED)


def test_a_task_waits_for_those_it_depends_on(runner: SlurmSshRunner) -> None:
    first = submit(runner, "exec sleep 300")
    assert first.cluster_job_id
    second = submit(runner, "true", depends_on=(first.cluster_job_id,))
    told = seen(runner, second, lambda told: told.reason is not None)
    assert (told.state, told.reason) == (TaskState.PENDING, "Dependency")
    runner.cancel(first)
    assert seen(runner, second).state is TaskState.CANCELLED


def test_a_name_is_submitted_once_however_often_it_is_asked(runner: SlurmSshRunner, lab: SlurmLab) -> None:
    task = submission()
    files = package(task, runner.config, "sleep 1; echo ran")
    with ThreadPoolExecutor(6) as threads:
        numbers = set(threads.map(lambda _: runner.submit(task, files), range(6)))
    assert len(numbers) == 1
    seen(runner, known(task, None))
    assert runner.submit(task, files) in numbers
    assert lab.jobs_named(task.name) == sorted(numbers)
    assert runner.read_log(known(task, None), 0, 100).content == b"ran\n"


def test_a_job_is_found_by_its_name_even_where_its_folder_is_gone(runner: SlurmSshRunner, lab: SlurmLab) -> None:
    task = submission()
    number = runner.submit(task, package(task, runner.config, "exec sleep 300"))
    runner.clean(known(task, number))
    assert runner.find(task) == number
    assert runner.submit(task, package(task, runner.config, "exec sleep 300")) == number
    runner.cancel(known(task, number))


def test_a_job_that_the_controller_has_forgotten_is_found_in_the_accounting(
    runner: SlurmSshRunner, lab: SlurmLab
) -> None:
    task = submission()
    number = runner.submit(task, package(task, runner.config, "exit 3"))
    seen(runner, known(task, number), lambda told: told.cpu_time_s is not None)
    # As if the queue knew nothing of it: whoever asks is led to a squeue that prints nothing.
    programs = lab.folder / "bin"
    programs.mkdir()
    (programs / "squeue").write_text("#!/bin/sh\nexit 0\n")
    (programs / "squeue").chmod(0o755)
    (lab.folder / task.name / "job").unlink()
    forgetful = SlurmSshRunner(SlurmSshConfig.model_validate(lab.ssh_section(slurm_bin=str(programs))))
    try:
        (told,) = forgetful.observe([known(task, number)])
        (by_name,) = forgetful.observe([known(task, None)])
        assert forgetful.find(task) == number
    finally:
        forgetful.close()
    assert told == by_name
    assert (told.state, told.exit_code) == (TaskState.FAILED, 3)
    assert told.cpu_time_s is not None


def test_what_was_never_submitted_is_not_found(runner: SlurmSshRunner) -> None:
    task = submission()
    assert runner.find(task) is None
    assert runner.observe([known(task, None)]) == []


def test_a_log_is_read_by_pieces_while_it_grows(runner: SlurmSshRunner) -> None:
    one = submit(runner, "echo first; sleep 300")
    wait_until(lambda: runner.read_log(one, 0, 100).content, "the log")
    assert runner.read_log(one, 2, 3).content == b"rst"
    part = runner.read_log(one, 6, 100)
    assert (part.content, part.offset, part.size_bytes) == (b"", 6, 6)
    runner.cancel(one)


def test_a_log_that_is_not_there_yet_is_empty(runner: SlurmSshRunner) -> None:
    part = runner.read_log(known(submission(), None), 0, 100)
    assert (part.content, part.size_bytes) == (b"", 0)


def test_links_and_what_is_no_plain_file_are_left_behind(runner: SlurmSshRunner) -> None:
    program = """\
cd "$ATOLL_OUTPUT_DIR"
echo kept >plain; ln plain twice; ln -s /etc/passwd link; ln -s /etc folder; mkfifo pipe
touch "$(printf 'line\\nbreak')" './-rf'
"""
    one = submit(runner, program)
    seen(runner, one)
    found = {path: b"".join(parts) for path, parts in runner.collect(one)}
    assert found == {
        "task.log": b"",
        "output/plain": b"kept\n",
        "output/twice": b"kept\n",
        "output/line\nbreak": b"",
        "output/-rf": b"",
    }


def test_a_large_file_comes_back_whole(runner: SlurmSshRunner) -> None:
    one = submit(runner, 'head -c 30000000 /dev/zero >"$ATOLL_OUTPUT_DIR/large"')
    seen(runner, one)
    sizes = {path: sum(len(part) for part in parts) for path, parts in runner.collect(one)}
    assert sizes == {"task.log": 0, "output/large": 30_000_000}


def test_files_need_not_be_read_to_their_end(runner: SlurmSshRunner) -> None:
    one = submit(runner, 'for i in 1 2 3; do head -c 3000000 /dev/zero >"$ATOLL_OUTPUT_DIR/$i"; done')
    seen(runner, one)
    assert len([path for path, _ in runner.collect(one)]) == 4
    left = runner.collect(one)
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert runner.find(Submission(one.task_id, one.name, one.owner, one.spec)) == one.cluster_job_id


def test_files_that_nobody_wants_any_more_may_be_forgotten_on_any_thread(runner: SlurmSshRunner) -> None:
    one = submit(runner, 'head -c 3000000 /dev/zero >"$ATOLL_OUTPUT_DIR/x"')
    seen(runner, one)
    left = [runner.collect(one)]
    next(left[0])

    async def forget() -> None:
        left.clear()
        gc.collect()

    loop.start(forget()).result(30)
    assert runner.observe([one])[0].state is TaskState.SUCCEEDED


def test_more_than_may_be_brought_back_is_refused(lab: SlurmLab, runner: SlurmSshRunner) -> None:
    one = submit(runner, 'head -c 2000 /dev/zero >"$ATOLL_OUTPUT_DIR/x"')
    seen(runner, one)
    small = SlurmSshRunner(SlurmSshConfig.model_validate(lab.ssh_section(max_output_bytes=1000)))
    try:
        with pytest.raises(OutputTooLarge, match="more than 1000 bytes"):
            list(small.collect(one))
    finally:
        small.close()


def test_what_a_task_left_is_removed_and_removing_it_again_is_fine(runner: SlurmSshRunner, lab: SlurmLab) -> None:
    one = submit(runner, "true")
    seen(runner, one)
    assert (lab.folder / one.name).is_dir()
    runner.clean(one)
    runner.clean(one)
    assert not (lab.folder / one.name).exists()
    assert list(runner.collect(one)) == []


@pytest.mark.parametrize("name", ["../../etc", "a/b", "a b", "", "-rf", "a\nb"])
def test_a_name_that_is_a_path_reaches_nothing(runner: SlurmSshRunner, name: str) -> None:
    one = replace(known(submission(), "1"), name=name)
    for act in (runner.clean, runner.cancel, lambda one: runner.read_log(one, 0, 1), lambda one: runner.observe([one])):
        with pytest.raises(ValueError, match="is no name of a submission"):
            act(one)


def test_the_folder_of_a_task_is_its_accounts_alone(runner: SlurmSshRunner, lab: SlurmLab) -> None:
    one = submit(runner, "true")
    folder = lab.folder / one.name
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "run.sh").stat().st_mode & 0o077 == 0
    assert folder.owner() == lab.user


def test_files_of_a_package_arrive_as_they_are(runner: SlurmSshRunner, lab: SlurmLab, tmp_path: Path) -> None:
    task = submission()
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(3_000_001))
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho tool\n")
    tool.chmod(0o755)
    deep = "program/" + "/".join(["a" * 60] * 5) + "/é ü '$(x)"
    files = {
        **package(task, runner.config, "./tool").files,
        "inputs/large.bin": large,
        "program/tool": tool,
        deep: b"x",
    }
    one = known(task, runner.submit(task, Package(files)))
    assert seen(runner, one).state is TaskState.SUCCEEDED
    assert (lab.folder / one.name / "inputs" / "large.bin").read_bytes() == large.read_bytes()
    assert (lab.folder / one.name / deep).read_bytes() == b"x"
    assert runner.read_log(one, 0, 100).content == b"tool\n"


def test_a_package_that_breaks_off_submits_nothing(runner: SlurmSshRunner, lab: SlurmLab, tmp_path: Path) -> None:
    task = submission()
    files = {**package(task, runner.config, "true").files, "inputs/gone": tmp_path / "gone"}
    with pytest.raises(ClusterDown, match="inputs/gone cannot be read here"):
        runner.submit(task, Package(files))
    assert runner.find(task) is None
    wait_until(lambda: not list(lab.folder.glob(f"*{task.name}*")), "nothing is left of it")


def test_what_slurm_refuses_is_refused_in_its_words(runner: SlurmSshRunner) -> None:
    with pytest.raises(ClusterRefused, match="Invalid partition"):
        submit(runner, "true", partition="nowhere")
    with pytest.raises(ClusterRefused, match="node configuration is not available"):
        submit(runner, "true", memory_bytes=1 << 49)


def test_unknown_partitions_and_too_long_times_are_refused_with_what_there_is(runner: SlurmSshRunner) -> None:
    with pytest.raises(Invalid, match="no such partition; send one of debug, short"):
        runner.check(submission(partition="gpu").spec)
    with pytest.raises(Invalid, match="the partition short allows at most 300 s"):
        runner.check(submission(partition="short", time_limit_s=301).spec)
    runner.check(submission(partition="short", time_limit_s=300).spec)


def test_an_unknown_image_is_refused_with_those_that_are_there(lab: SlurmLab) -> None:
    images = lab.folder / "images"
    images.mkdir(mode=0o755)
    for name in ("sklearn.sif", "r.sif", "readme"):
        (images / name).touch()
    section = lab.ssh_section(containers="apptainer", images=str(images))
    runner = SlurmSshRunner(SlurmSshConfig.model_validate(section))
    try:
        with pytest.raises(Invalid, match="it has r, sklearn"):
            runner.check(submission(image="pytorch").spec)
        runner.check(submission(image="sklearn").spec)
        # One that was put there a moment ago is known after a minute, not before.
        (images / "pytorch.sif").touch()
        with pytest.raises(Invalid, match="it has r, sklearn"):
            runner.check(submission(image="pytorch").spec)
    finally:
        runner.close()


def test_the_cluster_tells_how_it_is(runner: SlurmSshRunner) -> None:
    one = submit(runner, "exec sleep 300")
    seen(runner, one, lambda told: told.state is TaskState.RUNNING)
    info = runner.info()
    runner.cancel(one)
    assert info.state in ("up", "degraded")
    assert info.version == "slurm-wlm 22.05.8"
    assert [partition.name for partition in info.partitions] == ["debug", "short"]
    assert info.partitions[0].is_default
    assert (info.running or 0) >= 1
    assert 0 < (info.load or 0) <= 1


def test_many_submissions_at_once_share_one_connection(lab: SlurmLab, tmp_path: Path) -> None:
    with lab.ssh_proxy(tmp_path) as (proxy, way):
        runner = SlurmSshRunner(SlurmSshConfig.model_validate(lab.ssh_section(**way, options={"hold": ""})))
        tasks = [submission() for _ in range(100)]
        most = 0
        over = threading.Event()

        def count() -> None:
            nonlocal most
            while not over.wait(0.01):
                most = max(most, len(proxy._transports) // 2)

        counting = threading.Thread(target=count)
        counting.start()
        try:
            with ThreadPoolExecutor(20) as threads:
                numbers = list(
                    threads.map(lambda task: runner.submit(task, package(task, runner.config, "true")), tasks)
                )
            each = [known(task, number) for task, number in zip(tasks, numbers, strict=True)]
            told = runner.observe(each)
            for one in each:
                runner.cancel(one)
        finally:
            over.set()
            counting.join()
            runner.close()
    assert len(set(numbers)) == 100
    assert {one.name for one in told} == {task.name for task in tasks}
    assert most == 1
