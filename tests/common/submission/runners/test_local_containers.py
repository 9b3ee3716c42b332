"""Containers of real engines: bubblewrap, and podman with an image of the lab."""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.errors import Invalid
from common.submission.runners.local.config import LocalConfig
from common.submission.runners.local.runner import LocalRunner
from common.submission.states import TaskState
from tests.common.submission.runners import tasks
from tests.common.submission.runners.tasks import files, finish, log, run, submission, submit, wait_for
from tests.support import lab_images
from tests.support.backends import missing

IMAGE = "python:3.11-slim"
MB = 1 << 20
Make = Callable[..., LocalRunner]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    runners = []

    def make_one(**fields: Any) -> LocalRunner:
        values = {"name": "local", "folder": str(tmp_path / "state" / "tasks"), "slots": 2, "grace_s": 0.5, **fields}
        runners.append(LocalRunner(LocalConfig.model_validate(values)))
        return runners[-1]

    yield make_one
    for process in psutil.process_iter(["cmdline"]):
        if str(tmp_path / "state" / "tasks") in (process.info["cmdline"] or []):
            process.kill()


@functools.cache
def bubblewrap_works() -> bool:
    if shutil.which("bwrap") is None:
        missing("bubblewrap is not installed")
    return subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-pid", "true"], check=False).returncode == 0


@pytest.fixture
def sandbox(make: Make, tmp_path: Path) -> LocalRunner:
    if not bubblewrap_works():
        pytest.skip("this machine lets nobody make namespaces")
    return make(containers="bubblewrap", hidden=(str(tmp_path / "state"),))


def test_a_program_in_bubblewrap_runs_as_elsewhere(sandbox: LocalRunner) -> None:
    program = "import os\nopen(os.environ['ATOLL_OUTPUT_DIR'] + '/x', 'w').write('1')\nprint('ran')"
    task, seen = run(sandbox, program)
    assert (seen.state, seen.exit_code) == (TaskState.SUCCEEDED, 0)
    assert files(sandbox, task) == {"task.log": b"ran\n", "output/x": b"1"}


def test_a_program_in_bubblewrap_writes_nowhere_else_and_sees_no_state_of_atoll(
    sandbox: LocalRunner, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / "atoll.db").write_text("secret")
    other, _ = run(sandbox, "print('mine')")
    program = f"""\
import os
print(os.listdir({str(tmp_path / "state" / "tasks")!r}) == [os.path.basename(os.environ["ATOLL_TASK_DIR"])])
print(os.listdir({str(tmp_path / "state")!r}))
for path in ("/etc/x", "/usr/x"):
    try:
        open(path, "w")
    except OSError as exc:
        print(exc.strerror)
"""
    task, seen = run(sandbox, program)
    assert seen.state is TaskState.SUCCEEDED
    assert log(sandbox, task) == "True\n['tasks']\nRead-only file system\nRead-only file system\n"
    assert log(sandbox, other) == "mine\n"


def test_a_program_in_bubblewrap_without_network_reaches_nobody(make: Make) -> None:
    if not bubblewrap_works():
        pytest.skip("this machine lets nobody make namespaces")
    runner = make(containers="bubblewrap", network=False)
    task, seen = run(runner, "print(open('/proc/net/route').read().count('\\n') - 1)")
    assert (seen.state, log(runner, task)) == (TaskState.SUCCEEDED, "0\n")


def test_a_program_in_bubblewrap_is_cancelled_with_its_children(sandbox: LocalRunner) -> None:
    program = "import os, time\nprint('begun')\nos.fork()\ntime.sleep(600)"
    task = submit(sandbox, program)
    wait_for(sandbox, task, lambda _: "begun" in log(sandbox, task))
    sandbox.cancel(task)
    assert finish(sandbox, task).state is TaskState.CANCELLED
    folder = os.fsencode(str(Path(sandbox.config.folder or "") / task.name))
    assert [pid for pid in psutil.pids() if folder in environment(pid)] == []


def test_a_program_in_bubblewrap_over_its_memory_is_told_so(sandbox: LocalRunner) -> None:
    program = "kept = []\nwhile True:\n    kept.append(b'x' * (4 << 20))"
    _, seen = run(sandbox, program, memory_bytes=100 * MB)
    assert seen.state is TaskState.OUT_OF_MEMORY


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def podman(make: Make, monkeypatch: pytest.MonkeyPatch) -> LocalRunner:
    lab_images.make(IMAGE)
    for name, value in lab_images.CONFIGURATION.items():
        monkeypatch.setenv(name, value)
    return make(containers="podman", network=False)


def containers() -> str:
    return subprocess.run(["podman", "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True).stdout


def test_a_program_runs_in_a_container_and_its_files_come_back(podman: LocalRunner) -> None:
    program = """\
import json, os, sys
open(os.environ["ATOLL_OUTPUT_DIR"] + "/x", "w").write(os.environ["MINE"])
print(os.path.exists("/run/.containerenv"), sys.version_info[:2], json.load(open(os.environ["ATOLL_PARAMS"])))
raise SystemExit(3)
"""
    fields: dict[str, Any] = {"image": IMAGE, "environment": {"MINE": "a b $HOME"}, "parameters": {"n": 2}}
    podman.check(submission(podman, **fields).spec)
    task, seen = run(podman, program, **fields)
    assert (seen.state, seen.exit_code) == (TaskState.FAILED, 3)
    assert log(podman, task) == "True (3, 11) {'n': 2}\n"
    assert files(podman, task)["output/x"] == b"a b $HOME"
    assert task.name not in containers()


def test_a_container_over_its_memory_is_told_so(podman: LocalRunner) -> None:
    program = "kept = []\nwhile True:\n    kept.append(b'x' * (4 << 20))"
    task, seen = run(podman, program, image=IMAGE, memory_bytes=100 * MB)
    assert seen.state is TaskState.OUT_OF_MEMORY
    assert task.name not in containers()


def test_a_container_is_cancelled(podman: LocalRunner) -> None:
    task = submit(podman, "import time\nprint('begun')\ntime.sleep(600)", image=IMAGE)
    wait_for(podman, task, lambda _: "begun" in log(podman, task))
    podman.cancel(task)
    assert finish(podman, task).state is TaskState.CANCELLED
    assert task.name not in containers()


def test_a_container_whose_supervisor_was_killed_is_removed(podman: LocalRunner) -> None:
    task = submit(podman, "import time\nprint('begun')\ntime.sleep(600)", image=IMAGE)
    wait_for(podman, task, lambda _: "begun" in log(podman, task))
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if podman.config.folder in words and any("supervise" in word for word in words):
            process.kill()
    assert finish(podman, task).state is TaskState.NODE_FAILED
    assert task.name not in containers()


def test_an_image_that_is_not_there_is_refused(podman: LocalRunner) -> None:
    with pytest.raises(Invalid, match="image: local has no such image"):
        podman.check(tasks.submission(podman, image="sklearn_sample_latest").spec)


def test_an_image_that_is_not_allowed_is_refused(make: Make) -> None:
    runner = make(containers="podman", allowed_images=("a", "b"))
    with pytest.raises(Invalid, match="image: local allows a, b"):
        runner.check(tasks.submission(runner, image="c").spec)
