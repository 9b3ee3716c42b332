"""The script around `run.sh`, run by the shells that images have."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from common.submission.runners.kubernetes import boot
from common.submission.runners.kubernetes.inline import outputs, pack, program_log

SHELLS = [name for name in ("sh", "dash", "bash", "busybox") if shutil.which(name)]


def _start(shell: str, script: str, scratch: Path, variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch), "HOME": str(scratch), **variables}
    argv = [shell, *(["sh"] if shell == "busybox" else []), "-c", script]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _inline(shell: str, scratch: Path, run: str, limit: int = 1 << 20, **variables: str) -> tuple[int, bytes]:
    package = pack({"run.sh": run.encode(), "program/a b.txt": b"a text"}, 96 << 10)
    process = _start(shell, boot.inline(limit), scratch, {"ATOLL_PACKAGE": package, **variables})
    told, _ = process.communicate(timeout=30)
    return process.returncode, told


@pytest.mark.parametrize("shell", SHELLS)
def test_files_come_inline_and_outputs_leave_by_the_log(shell: str, tmp_path: Path) -> None:
    run = """
cd "$ATOLL_TASK_DIR/program" && cat 'a b.txt' && echo >&2 ' to stderr'
[ -z "${ATOLL_PACKAGE:-}" ] && echo no package left
mkdir -p ../output/sub && printf 1 >../output/sub/one && ln -s /etc/passwd ../output/link
printf 'no end of line'
exit 3
"""
    code, log = _inline(shell, tmp_path, run)
    assert code == 3
    assert program_log(log)[0] == b"a text to stderr\nno package left\nno end of line"
    assert dict(outputs(log, 1 << 20)) == {"output/sub/one": b"1"}
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_are_too_large_stay_behind_with_a_line_in_the_log(tmp_path: Path) -> None:
    run = 'mkdir "$ATOLL_TASK_DIR/output"; head -c 20000 /dev/urandom >"$ATOLL_TASK_DIR/output/noise"'
    code, log = _inline("sh", tmp_path, run, limit=4096)
    assert code == 0
    assert b"at most 4096" in log
    assert dict(outputs(log, 4096)) == {}


def test_files_that_cannot_be_unpacked_end_it_before_it_begins(tmp_path: Path) -> None:
    process = _start("sh", boot.inline(4096), tmp_path, {"ATOLL_PACKAGE": "bm90IGEgdGFy"})
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 125
    assert b"atoll: the files cannot be unpacked" in told


@pytest.mark.parametrize("shell", SHELLS)
def test_an_element_is_told_its_own_index_by_its_position(shell: str, tmp_path: Path) -> None:
    run = 'echo "element $ATOLL_ARRAY_INDEX"'
    _, log = _inline(shell, tmp_path, run, ATOLL_ARRAY="0 3 6 9", JOB_COMPLETION_INDEX="2")
    assert log == b"element 6\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_term_reaches_the_program_and_its_outputs_still_leave(shell: str, tmp_path: Path) -> None:
    run = """
mkdir "$ATOLL_TASK_DIR/output"
trap 'echo saved; echo 1 >"$ATOLL_TASK_DIR/output/checkpoint"; exit 9' TERM
echo begun
while :; do sleep 0.05; done
"""
    package = pack({"run.sh": run.encode()}, 96 << 10)
    process = _start(shell, boot.inline(1 << 20), tmp_path, {"ATOLL_PACKAGE": package})
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=30)
    assert process.returncode == 9
    assert log.startswith(b"saved\n")
    assert dict(outputs(log, 1 << 20)) == {"output/checkpoint": b"1\n"}


def _on_share(shell: str, folder: Path, scratch: Path, run: str, **variables: str) -> tuple[int, bytes]:
    folder.mkdir(exist_ok=True)
    (folder / "run.sh").write_text(run)
    scratch.mkdir(exist_ok=True)
    process = _start(shell, boot.on_share(), scratch, {"ATOLL_TASK_DIR": str(folder), **variables})
    told, _ = process.communicate(timeout=30)
    return process.returncode, told


@pytest.mark.parametrize("shell", SHELLS)
def test_on_the_share_the_log_is_kept_and_told_to_the_cluster_too(shell: str, tmp_path: Path) -> None:
    code, told = _on_share(shell, tmp_path / "task", tmp_path / "tmp", "echo out; echo err >&2; exit 4")
    assert code == 4
    assert told == b"out\nerr\n" == (tmp_path / "task" / "task.log").read_bytes()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_on_the_share_elements_have_logs_of_their_own(tmp_path: Path) -> None:
    _on_share("sh", tmp_path / "t", tmp_path / "tmp", "echo hi", ATOLL_ARRAY="5 7", JOB_COMPLETION_INDEX="1")
    assert (tmp_path / "t" / "task-7.log").read_text() == "hi\n"


def test_a_pod_that_is_begun_anew_goes_on_with_the_log(tmp_path: Path) -> None:
    for _ in range(2):
        _on_share("sh", tmp_path / "task", tmp_path / "tmp", "echo once")
    assert (tmp_path / "task" / "task.log").read_text() == "once\nonce\n"


def test_what_a_program_leaves_running_keeps_nobody_waiting_for_ever(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "run").write_text(boot.on_share())
    (tmp_path / "run.sh").write_text('sleep 60 & echo $! >"$ATOLL_TASK_DIR/pid"; exit 0')
    # To a file: a pipe would be held open by what is left running.
    with (tmp_path / "told").open("wb") as told:
        variables = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "tmp"), "ATOLL_TASK_DIR": str(tmp_path)}
        process = subprocess.Popen(["sh", str(tmp_path / "run")], env=variables, stdout=told, stderr=told)
        try:
            assert process.wait(30) == 0
        finally:
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_claim_that_is_not_the_share_is_told(tmp_path: Path) -> None:
    process = _start("sh", boot.on_share(), tmp_path, {"ATOLL_TASK_DIR": str(tmp_path / "nothing")})
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 125
    assert b"does the claim hold Atoll's share?" in told


@pytest.mark.parametrize("script", [boot.inline(4096), boot.on_share()])
def test_kubernetes_finds_nothing_to_replace_in_it(script: str) -> None:
    assert "$$" not in script
    assert re.findall(r"\$\([A-Za-z_]", script) == []
