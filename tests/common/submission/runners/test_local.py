"""Real processes on this machine, under real supervisors."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.errors import Invalid
from common.submission.errors import ClusterDown
from common.submission.records import Known
from common.submission.runners.local import supervise
from common.submission.runners.local.config import LocalConfig
from common.submission.runners.local.runner import LocalRunner
from common.submission.states import TaskState
from tests.common.submission.runners import tasks
from tests.common.submission.runners.tasks import PATIENCE_S, finish, log, run, submit, wait_for

MB = 1 << 20
Make = Callable[..., LocalRunner]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Runners whose tasks are ended after the test."""

    def make_one(**fields: Any) -> LocalRunner:
        values = {"name": "local", "folder": str(tmp_path / "tasks"), "slots": 2, "grace_s": 0.5, **fields}
        return LocalRunner(LocalConfig.model_validate(values))

    yield make_one
    end_all(tmp_path / "tasks")


@pytest.fixture
def runner(make: Make) -> LocalRunner:
    return make()


def supervisors(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "ppid"]):
        words = process.info["cmdline"] or []
        if str(root) in words and any("supervise" in word for word in words):
            found.append(process)
    # A child between its fork and its exec still carries its parent's command line.
    parents = {process.pid for process in found}
    return [process for process in found if process.info["ppid"] not in parents]


def end_all(root: Path) -> None:
    for entry in [*(root / ".queue").glob("*")]:
        entry.unlink(missing_ok=True)
    for process in supervisors(root):
        for child in [*process.children(recursive=True), process]:
            child.kill()


def root_of(runner: LocalRunner) -> Path:
    return Path(runner.config.folder)


def folder_of(runner: LocalRunner, task: Known) -> Path:
    return root_of(runner) / task.name


def until(holds: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "still not so"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pids_in(runner: LocalRunner, task: Known, name: str) -> list[int]:
    """The numbers that a program has written into a file of its output folder."""
    path = folder_of(runner, task) / "output" / name
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return [int(line) for line in path.read_text().split()]


SLEEPER = """\
import os, time
with open(os.environ["ATOLL_OUTPUT_DIR"] + "/pid", "w") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""


def test_a_program_runs_and_what_it_did_is_told(runner: LocalRunner) -> None:
    task, seen = run(runner, "print('hello')\nsum(i * i for i in range(10**6))")
    assert (seen.state, seen.exit_code, seen.cluster_job_id) == (TaskState.SUCCEEDED, 0, task.name)
    assert log(runner, task) == "hello\n"
    assert len(seen.nodes) == 1
    assert seen.submitted_at is not None
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert seen.submitted_at <= seen.started_at <= seen.finished_at
    assert seen.cpu_time_s is not None
    assert seen.cpu_time_s > 0
    assert seen.peak_memory_bytes is not None
    assert 1 * MB < seen.peak_memory_bytes < 1000 * MB


def test_scikit_learn_is_there_for_programs(runner: LocalRunner) -> None:
    program = "import sklearn, sys\nprint(sklearn.__version__, sys.executable)"
    task, seen = run(runner, program)
    assert seen.state is TaskState.SUCCEEDED
    assert sys.executable in log(runner, task)


def test_nothing_of_atolls_environment_reaches_a_program(runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://atoll:hunter2@db/atoll")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    program = "import json, os\nprint(json.dumps(dict(os.environ)))"
    task, _ = run(runner, program, environment={"MINE": "1"})
    variables = json.loads(log(runner, task))
    folder = str(folder_of(runner, task))
    assert variables["MINE"] == "1"
    assert (variables["HOME"], variables["TMPDIR"]) == (folder, str(Path(folder, "tmp")))
    allowed = {
        "HOME",
        "TMPDIR",
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "USER",
        "LOGNAME",
        "MINE",
        "PWD",
        "OLDPWD",
        "JAVA_HOME",
    }
    more = {"CONTAINERS_CONF", "XDG_RUNTIME_DIR", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "LC_CTYPE"}
    assert {name for name in variables if not name.startswith("ATOLL_")} - allowed - more == set()


def test_no_descriptor_of_a_supervisor_reaches_a_program(runner: LocalRunner) -> None:
    task, _ = run(runner, "import os\nprint(sorted(os.listdir('/proc/self/fd')))")
    # The fourth is that of the listing itself.
    assert log(runner, task) == "['0', '1', '2', '3']\n"


@pytest.mark.parametrize("code", [1, 3, 255])
def test_an_exit_code_is_told(runner: LocalRunner, code: int) -> None:
    _, seen = run(runner, f"raise SystemExit({code})")
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.FAILED, code, "NonZeroExitCode")


def test_a_program_that_is_ended_by_a_signal_has_failed_with_it(runner: LocalRunner) -> None:
    _, seen = run(runner, "import os\nos.abort()")
    assert (seen.state, seen.signal, seen.exit_code) == (TaskState.FAILED, signal.SIGABRT, None)


def test_no_core_is_left(runner: LocalRunner) -> None:
    task, _ = run(runner, "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))")
    assert log(runner, task) == "(0, 0)\n"


def test_a_program_over_its_memory_is_told_so(runner: LocalRunner) -> None:
    program = "import time\nkept = []\nwhile True:\n    kept.append(b'x' * (4 << 20))\n    time.sleep(0.001)"
    _, seen = run(runner, program, memory_bytes=100 * MB)
    assert (seen.state, seen.reason) == (TaskState.OUT_OF_MEMORY, "OutOfMemory")
    assert seen.peak_memory_bytes is not None
    assert seen.peak_memory_bytes > 50 * MB


def test_the_memory_of_all_its_processes_counts(runner: LocalRunner) -> None:
    program = """\
import os, time
for _ in range(4):
    if os.fork() == 0:
        kept = b"x" * (60 << 20)
        time.sleep(600)
time.sleep(600)
"""
    _, seen = run(runner, program, memory_bytes=150 * MB)
    assert seen.state is TaskState.OUT_OF_MEMORY


@pytest.mark.parametrize("children", [0, 3])
def test_memory_is_watched_where_no_control_group_can_be_made(
    runner: LocalRunner, monkeypatch: pytest.MonkeyPatch, children: int
) -> None:
    without = "from common.submission.runners.local import program\nprogram.make_group = lambda *_: None\nmain(sys"
    monkeypatch.setattr(supervise, "_START", supervise._START.replace("main(sys", without))
    program = f"""\
import os, time
for _ in range({children}):
    if os.fork() == 0:
        break
kept = []
while True:
    kept.append(b"x" * (1 << 20))
    time.sleep(0.01)
"""
    _, seen = run(runner, program, memory_bytes=150 * MB)
    assert (seen.state, seen.reason) == (TaskState.OUT_OF_MEMORY, "OutOfMemory")
    assert seen.peak_memory_bytes is not None
    assert seen.peak_memory_bytes > 150 * MB


def test_a_program_that_asks_for_far_too_much_at_once_is_out_of_memory(runner: LocalRunner) -> None:
    # It never touches what it asks for: nothing is in memory that could be counted.
    _, seen = run(runner, "bytearray(20 << 30)", memory_bytes=100 * MB)
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.OUT_OF_MEMORY, 1, "MemoryError")


def test_a_program_within_its_memory_is_left_alone(runner: LocalRunner) -> None:
    _, seen = run(runner, "kept = b'x' * (50 << 20)", memory_bytes=200 * MB)
    assert seen.state is TaskState.SUCCEEDED


def test_a_program_over_its_time_is_told_so(runner: LocalRunner) -> None:
    program = """\
import signal, time
def leave(*_):
    print("asked to end")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, leave)
print("begun")
time.sleep(600)
"""
    task, seen = run(runner, program, time_limit_s=1)
    assert (seen.state, seen.reason) == (TaskState.TIMED_OUT, "TimeLimit")
    assert log(runner, task) == "begun\nasked to end\n"


def test_a_program_that_ignores_the_request_to_end_is_killed(runner: LocalRunner) -> None:
    program = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
    _, seen = run(runner, program, time_limit_s=1)
    assert (seen.state, seen.signal) == (TaskState.TIMED_OUT, signal.SIGKILL)


def test_a_running_task_is_cancelled(runner: LocalRunner) -> None:
    task = submit(runner, SLEEPER)
    [pid] = pids_in(runner, task, "pid")
    runner.cancel(task)
    runner.cancel(task)
    seen = finish(runner, task)
    assert seen.state is TaskState.CANCELLED
    assert not is_alive(pid)
    runner.cancel(task)
    assert finish(runner, task) == seen


def test_a_waiting_task_is_cancelled_and_never_begins(make: Make) -> None:
    runner = make(slots=1)
    first = submit(runner, SLEEPER)
    pids_in(runner, first, "pid")
    second = submit(runner, "print('begun')")
    [seen] = runner.observe([second])
    assert (seen.state, seen.reason) == (TaskState.PENDING, "Resources")
    runner.cancel(second)
    assert finish(runner, second).state is TaskState.CANCELLED
    runner.cancel(first)
    finish(runner, first)
    assert not (folder_of(runner, second) / "claim").exists()


def test_children_that_a_program_leaves_are_killed(runner: LocalRunner) -> None:
    program = """\
import os, sys, time
with open(os.environ["ATOLL_OUTPUT_DIR"] + "/pids", "w") as file:
    for number in range(3):
        if os.fork() == 0:
            if number > 0:
                os.setsid()
            if number > 1:
                os.closerange(0, 3)
                os.execve(sys.executable, ["sleeper", "-c", "import time; time.sleep(600)"], {})
            time.sleep(600)
        file.flush()
    pass
path = os.environ["ATOLL_OUTPUT_DIR"] + "/children"
time.sleep(0.5)
with open(path, "w") as file:
    file.write(open(f"/proc/self/task/{os.getpid()}/children").read().replace(" ", "\\n"))
"""
    task, seen = run(runner, program)
    assert seen.state is TaskState.SUCCEEDED
    pids = pids_in(runner, task, "children")
    assert len(pids) == 3
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_killed_supervisor_takes_its_task_with_it_and_the_next_look_says_so(runner: LocalRunner) -> None:
    program = """\
import os, sys, time
child = os.fork()
if child == 0:
    os.setsid()
    time.sleep(600)
with open(os.environ["ATOLL_OUTPUT_DIR"] + "/pids", "w") as file:
    file.write(f"{os.getpid()}\\n{child}\\n")
time.sleep(600)
"""
    task = submit(runner, program)
    pids = pids_in(runner, task, "pids")
    wait_for(runner, task, lambda seen: seen.state is TaskState.RUNNING)
    [supervisor] = supervisors(root_of(runner))
    supervisor.kill()
    supervisor.wait(PATIENCE_S)
    seen = finish(runner, task)
    assert (seen.state, seen.reason) == (TaskState.NODE_FAILED, "NodeFail")
    until(lambda: not any(map(is_alive, pids)))


def test_a_task_whose_supervisor_was_killed_begins_anew_where_it_asked_for_it(runner: LocalRunner) -> None:
    program = """\
import os, time
folder = os.environ["ATOLL_OUTPUT_DIR"]
if os.path.exists(folder + "/pid"):
    print("again")
    raise SystemExit(0)
with open(folder + "/pid", "w") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""
    task = submit(runner, program, requeue=True)
    pids_in(runner, task, "pid")
    [supervisor] = supervisors(root_of(runner))
    supervisor.kill()
    supervisor.wait(PATIENCE_S)
    seen = finish(runner, task)
    assert (seen.state, seen.restarts) == (TaskState.SUCCEEDED, 1)
    assert log(runner, task) == "again\n"


def test_a_machine_that_started_anew_kills_no_process_of_that_number(runner: LocalRunner) -> None:
    task = submit(runner, SLEEPER)
    pids_in(runner, task, "pid")
    [supervisor] = supervisors(root_of(runner))
    supervisor.kill()
    supervisor.wait(PATIENCE_S)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path = folder_of(runner, task) / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot_id": "of before", "pid": bystander.pid}))
    assert finish(runner, task).state is TaskState.NODE_FAILED
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_program_whose_whole_group_is_killed_has_failed(runner: LocalRunner) -> None:
    task = submit(runner, SLEEPER)
    [pid] = pids_in(runner, task, "pid")
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    seen = finish(runner, task)
    assert (seen.state, seen.signal, seen.reason) == (TaskState.FAILED, signal.SIGKILL, "Signal")


def test_tasks_go_on_when_atoll_is_killed(make: Make, tmp_path: Path) -> None:
    code = """\
import os, signal, sys, time
from common.submission.errors import ClusterDown
from common.submission.records import Known
from common.submission.runners.local.config import LocalConfig
from common.submission.runners.local.runner import LocalRunner
from tests.common.submission.runners.tasks import submit
runner = LocalRunner(LocalConfig(name="local", folder=sys.argv[1], slots=1))
for _ in range(2):
    print(submit(runner, "import time; time.sleep(0.5); print('done')").name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    atoll = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "tasks")],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    assert atoll.returncode == -signal.SIGKILL
    names = atoll.stdout.split()
    assert len(names) == 2
    logs = [tmp_path / "tasks" / name / "task.log" for name in names]
    # Nobody looks at them meanwhile.
    until(lambda: all(path.exists() and path.read_text() == "done\n" for path in logs))


def test_two_runners_submit_one_task_once(make: Make) -> None:
    program = "import os\nopen(os.environ['ATOLL_OUTPUT_DIR'] + '/runs', 'a').write('x')"
    first, second = make(), make()
    task = tasks.submission(first)
    package = tasks.package(first, task, program)
    assert {runner.submit(task, package) for runner in (first, second) for _ in range(3)} == {task.name}
    assert first.find(task) == task.name
    finish(first, tasks.known(task))
    assert second.submit(task, package) == task.name
    assert (root_of(first) / task.name / "output" / "runs").read_text() == "x"


def test_a_task_that_was_written_and_not_queued_is_queued_when_it_is_looked_for(
    runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks.submission(runner)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "_begin", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            runner.submit(task, tasks.package(runner, task, "print('ran')"))
    assert runner.find(task) == task.name
    assert finish(runner, tasks.known(task)).state is TaskState.SUCCEEDED


def test_a_folder_that_was_half_written_is_none(runner: LocalRunner, tmp_path: Path) -> None:
    task = tasks.submission(runner)
    package = tasks.package(runner, task, "print('ran')")
    runner.info()
    half = root_of(runner) / ".new" / "half"
    half.mkdir()
    (half / "run.sh").write_text("exit 1")
    assert runner.find(task) is None
    runner.submit(task, package)
    assert finish(runner, tasks.known(task)).state is TaskState.SUCCEEDED


def test_a_log_that_is_too_long_is_cut_and_the_program_goes_on(make: Make) -> None:
    runner = make(log_limit_bytes=100_000)
    program = """\
import os, sys
line = b"x" * 99 + b"\\n"
for _ in range(1000):
    sys.stdout.buffer.write(line * 10_000)
open(os.environ["ATOLL_OUTPUT_DIR"] + "/done", "w").close()
"""
    task, seen = run(runner, program)
    assert seen.state is TaskState.SUCCEEDED
    assert tasks.files(runner, task)["output/done"] == b""
    text = log(runner, task)
    assert 100_000 <= len(text) < 101_000
    assert text.endswith("\natoll: the log is cut at 100000 bytes; what follows is left out; the program goes on\n")


def test_two_hundred_tasks_wait_for_their_turns(make: Make) -> None:
    runner = make(slots=2)
    program = 'date +%s%N >>"$ATOLL_OUTPUT_DIR/times"; date +%s%N >>"$ATOLL_OUTPUT_DIR/times"'
    all_tasks = [submit(runner, program, entry_point="main.sh") for _ in range(200)]

    def is_over() -> bool:
        return all(seen.state is TaskState.SUCCEEDED for seen in runner.observe(all_tasks))

    until(is_over)
    times = [(folder_of(runner, task) / "output" / "times").read_text().split() for task in all_tasks]
    assert {len(each) for each in times} == {2}, "each ran once"
    changes = sorted([(int(start), 1) for start, _ in times] + [(int(end), -1) for _, end in times])
    assert max(accumulate(change for _, change in changes)) <= 2
    until(lambda: supervisors(root_of(runner)) == [])


def test_who_comes_first_runs_first(make: Make) -> None:
    runner = make(slots=1)
    waiting = [submit(runner, "true", entry_point="main.sh") for _ in range(10)]
    starts = [finish(runner, task).started_at for task in waiting]
    assert starts == sorted(starts, key=str)


def test_no_more_run_at_once_than_there_are_slots(make: Make) -> None:
    runner = make(slots=2)
    running = [submit(runner, SLEEPER) for _ in range(4)]
    for task in running[:2]:
        pids_in(runner, task, "pid")
    assert [seen.state for seen in runner.observe(running)] == [TaskState.RUNNING] * 2 + [TaskState.PENDING] * 2
    info = runner.info()
    assert (info.state, info.running, info.pending, info.load) == ("up", 2, 2, 1.0)
    for task in reversed(running):
        runner.cancel(task)
    for task in running:
        finish(runner, task)


def test_an_array_runs_all_elements_with_their_numbers(runner: LocalRunner) -> None:
    program = "import os\nn = int(os.environ['ATOLL_ARRAY_INDEX'])\nprint(n)\nraise SystemExit(n == 5)"
    task, seen = run(runner, program, array="1-5:2,8")
    assert seen.state is TaskState.FAILED
    assert [(one.index, one.state, one.exit_code) for one in seen.elements] == [
        (1, TaskState.SUCCEEDED, 0),
        (3, TaskState.SUCCEEDED, 0),
        (5, TaskState.FAILED, 1),
        (8, TaskState.SUCCEEDED, 0),
    ]
    assert [log(runner, task, index) for index in (1, 3, 5, 8)] == ["1\n", "3\n", "5\n", "8\n"]
    assert sorted(tasks.files(runner, task)) == ["task-1.log", "task-3.log", "task-5.log", "task-8.log"]


def test_an_array_runs_no_more_at_once_than_it_says(make: Make) -> None:
    runner = make(slots=3)
    task = submit(
        runner, SLEEPER.replace("/pid", "/pid-' + os.environ['ATOLL_ARRAY_INDEX'] + '").replace('"', "'"), array="0-5%1"
    )
    pids_in(runner, task, "pid-0")
    other = submit(runner, "print('overtakes')")
    assert finish(runner, other).state is TaskState.SUCCEEDED
    [seen] = runner.observe([task])
    assert seen.state is TaskState.RUNNING
    assert [one.state for one in seen.elements] == [TaskState.RUNNING] + [TaskState.PENDING] * 5
    runner.cancel(task)
    assert {one.state for one in finish(runner, task).elements} == {TaskState.CANCELLED}


def test_a_task_that_needs_several_cpus_takes_as_many_slots(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = make(slots=2)
    big = submit(runner, SLEEPER, cpus=2)
    pids_in(runner, big, "pid")
    small = submit(runner, "print('ran')", cpus=1)
    [seen] = runner.observe([small])
    assert seen.state is TaskState.PENDING
    runner.cancel(big)
    assert finish(runner, small).state is TaskState.SUCCEEDED


def test_what_is_not_there_is_left_out(runner: LocalRunner) -> None:
    task = tasks.known(tasks.submission(runner))
    assert runner.observe([task]) == []
    assert runner.read_log(task, 0, 100).content == b""
    assert tasks.files(runner, task) == {}
    runner.cancel(task)
    runner.clean(task)


def test_links_lead_nowhere(runner: LocalRunner, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("hunter2")
    program = f"""\
import os
output, folder = os.environ["ATOLL_OUTPUT_DIR"], os.environ["ATOLL_TASK_DIR"]
os.symlink({str(secret)!r}, output + "/folder")
os.symlink({str(secret / "key")!r}, output + "/file")
os.mkfifo(output + "/pipe")
open(output + "/plain", "w").write("x")
os.unlink(folder + "/task.log")
os.symlink({str(secret / "key")!r}, folder + "/task.log")
"""
    task, seen = run(runner, program)
    assert seen.state is TaskState.SUCCEEDED
    assert tasks.files(runner, task) == {"output/plain": b"x"}
    assert log(runner, task) == ""


def test_a_link_in_place_of_the_output_leads_nowhere(runner: LocalRunner, tmp_path: Path) -> None:
    program = "import os\nos.rmdir(os.environ['ATOLL_OUTPUT_DIR'])\nos.symlink('/etc', os.environ['ATOLL_OUTPUT_DIR'])"
    task, seen = run(runner, program)
    assert seen.state is TaskState.SUCCEEDED
    assert tasks.files(runner, task) == {"task.log": b""}


def test_a_pipe_in_place_of_its_state_hangs_nobody(runner: LocalRunner) -> None:
    program = """\
import os, time
path = os.environ["ATOLL_TASK_DIR"] + "/state.json"
os.unlink(path)
os.mkfifo(path)
open(os.environ["ATOLL_OUTPUT_DIR"] + "/pid", "w").write(f"{os.getpid()}\\n")
time.sleep(0.5)
"""
    task = submit(runner, program)
    pids_in(runner, task, "pid")
    runner.observe([task])
    assert finish(runner, task).state is TaskState.SUCCEEDED


def test_a_log_is_read_in_parts(runner: LocalRunner) -> None:
    task, _ = run(runner, "print('0123456789')")
    part = runner.read_log(task, 3, 4)
    assert (part.content, part.offset, part.size_bytes) == (b"3456", 3, 11)
    assert runner.read_log(task, 11, 4).content == b""


def test_a_full_disk_hides_no_end(make: Make, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        runner = make(folder=str(disk / "tasks"))
        program = """\
import os, sys
try:
    with open(os.environ["ATOLL_OUTPUT_DIR"] + "/big", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
except OSError as exc:
    print(exc, flush=True)
    raise SystemExit(7)
"""
        _, seen = run(runner, program)
        assert (seen.state, seen.exit_code) == (TaskState.FAILED, 7)
    finally:
        end_all(disk / "tasks")
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_folder_that_cannot_be_written_is_down(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    info = make(folder=str(tmp_path / "file" / "tasks")).info()
    assert info.state == "down"
    assert "cannot be written to: Not a directory" in info.detail


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"partition": "gpu"}, "partition: local has cpu"),
        ({"nodes": 2}, "nodes: local is one machine"),
        ({"cpus": 100_000}, "cpus: local has "),
        ({"memory_bytes": 1 << 50}, "memory: local gives at most"),
        ({"time_limit_s": 100}, "time_limit: local gives at most 60 s"),
        ({"array": "0-9:0"}, "array: has a step of 0"),
        ({"entry_point": "a.exe"}, r"entry_point: ends in \.py or \.sh"),
        ({"spark": {}}, "spark: local has no spark-submit-that-is-not-there"),
        ({"account": "other"}, "account: local has mine"),
    ],
)
def test_what_could_never_run_is_refused(make: Make, fields: dict[str, Any], message: str) -> None:
    runner = make(max_time_limit_s=60, spark_submit="spark-submit-that-is-not-there", accounts=("mine",))
    with pytest.raises(Invalid, match=message):
        runner.check(tasks.submission(runner, **fields).spec)


def test_the_old_sample_may_name_an_account_where_there_are_none(runner: LocalRunner) -> None:
    runner.check(tasks.submission(runner, account="twinscie", partition="cpu").spec)


def test_an_image_is_not_needed_and_the_log_says_that_it_is_not_used(runner: LocalRunner) -> None:
    task, ended = run(runner, "print('trained')", image="sklearn_sample_latest")
    assert ended.state is TaskState.SUCCEEDED
    told = "atoll: local runs no containers; the image sklearn_sample_latest is not used"
    assert log(runner, task).splitlines() == [told, "trained"]


def test_a_preview_is_what_would_run(runner: LocalRunner) -> None:
    task = tasks.submission(runner)
    assert runner.preview(task).encode() == tasks.package(runner, task).files["run.sh"]


def test_a_thousand_tasks_are_looked_at_in_one_go(make: Make) -> None:
    runner = make(slots=1)
    blocker = submit(runner, SLEEPER)
    pids_in(runner, blocker, "pid")
    many = [submit(runner, "") for _ in range(1000)]
    seen = runner.observe(many)
    assert [one.name for one in seen] == [one.name for one in many]
    assert {one.state for one in seen} == {TaskState.PENDING}


def test_a_folder_that_is_a_file_is_told_as_a_cluster_that_is_down(make: Make, tmp_path: Path) -> None:
    runner = make()
    task = tasks.submission(runner)
    runner.info()
    (root_of(runner) / ".new").rmdir()
    (root_of(runner) / ".new").write_text("x")
    with pytest.raises(ClusterDown, match="folder"):
        runner.submit(task, tasks.package(runner, task, "print('ran')"))
    assert runner.find(task) is None


def test_a_task_is_not_begun_anew_for_ever(runner: LocalRunner) -> None:
    # It takes its own supervisor with it, as one does that brings the machine down.
    program = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)"
    _, seen = run(runner, program, requeue=True)
    assert (seen.state, seen.restarts) == (TaskState.NODE_FAILED, 10)


def test_others_on_the_machine_cannot_look_into_the_folders(runner: LocalRunner) -> None:
    task, _ = run(runner, "print('ran')")
    assert root_of(runner).stat().st_mode & 0o077 == 0
    assert folder_of(runner, task).stat().st_mode & 0o077 == 0
