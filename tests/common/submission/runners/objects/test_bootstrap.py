"""What a container runs, under the shells and with the tools that images have: against files behind real HTTP."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from common.submission.records import Package
from common.submission.runners.objects.archive import Damaged, pack, unpack
from common.submission.runners.objects.bootstrap import SCRIPT
from common.submission.runners.objects.manifest import End, Slot, manifest, parse_end
from common.submission.states import TaskState

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
TOOLS = (
    "sh", "cat", "mkdir", "mktemp", "mkfifo", "tee", "rm", "mv", "sleep", "date", "wc", "uname", "setsid", "gzip",
    "tar", "env",
)  # fmt: skip


class Store(ThreadingHTTPServer):
    """Objects by path; a PUT with `If-None-Match` of what is there is refused, as S3 does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.refuse: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Store

    def _serve(self) -> None:
        objects = self.server.objects
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path in self.server.refuse:
            self._answer(403)
        elif self.command == "GET":
            self._answer(200 if self.path in objects else 404, objects.get(self.path, b""))
        elif self.headers.get("If-None-Match") == "*" and self.path in objects:
            self._answer(412)
        else:
            objects[self.path] = body
            self._answer(201)

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = _serve  # noqa: N815 - the server's own names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    server = Store()
    yield server
    server.shutdown()
    server.server_close()


def place(store: Store, run: str, *, limit_s: int | None = None, log_every_s: int = 0) -> None:
    """Put a task there whose `run.sh` is this."""
    packed = io.BytesIO()
    pack(Package({"run.sh": run.encode(), "params.json": b"{}"}), packed)
    store.objects["/package"] = packed.getvalue()
    words = ("log", "output", "end", "claim")
    urls = {word: f"{store.url}/{word}" for word in words} | {"owner": f"{store.url}/claim"}
    store.objects["/manifest"] = manifest(
        f"{store.url}/package", [Slot(7, urls)], limit_s=limit_s, log_every_s=log_every_s
    )


def start(
    store: Store, tmp_path: Path, interpreter: Sequence[str] = ("sh",), path: str | None = None, job: str = "job-1"
) -> "subprocess.Popen[bytes]":
    environment = {
        "PATH": path or os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "ATOLL_MANIFEST": f"{store.url}/manifest",
        "ATOLL_ELEMENT": "0",
        "ATOLL_CLUSTER_JOB_ID": job,
    }
    return subprocess.Popen(
        [*interpreter, "-c", SCRIPT],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def ended(store: Store) -> End:
    end = parse_end(store.objects["/end"])
    assert end is not None
    return end


def outputs(store: Store) -> dict[str, bytes]:
    with io.BytesIO(store.objects["/output"]) as packed:
        return {path: b"".join(parts) for path, parts in unpack(packed, "output")}


RUN = (
    'mkdir -p "$ATOLL_TASK_DIR/output"; echo "element $ATOLL_ARRAY_INDEX of $ATOLL_CLUSTER_JOB_ID"\n'
    'echo wrong >&2; printf made >"$ATOLL_TASK_DIR/output/made"; env >"$ATOLL_TASK_DIR/output/env"; exit 3\n'
)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize("tool", ["curl", "python3"])
def test_a_task_is_fetched_run_and_put_back(store: Store, tmp_path: Path, shell: list[str], tool: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (*TOOLS, *shell[:1]):
        (tools / name).symlink_to(str(shutil.which(name)))
    if tool == "curl":
        (tools / tool).symlink_to(str(shutil.which(tool)))
    else:
        # Python finds its library beside where it really lies.
        (tools / tool).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (tools / tool).chmod(0o755)
    place(store, RUN)
    process = start(store, tmp_path, shell, path=str(tools))
    printed, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (3, b"")
    assert printed == store.objects["/log"] == b"element 7 of job-1\nwrong\n"
    assert (ended(store).code, ended(store).how) == (3, "done")
    found = outputs(store)
    assert found["output/made"] == b"made"
    # No signed address reaches the program.
    assert b"http://" not in found["output/env"]
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_program_over_its_time_is_ended_with_all_that_it_started(store: Store, tmp_path: Path) -> None:
    place(
        store, f"(trap '' TERM; sleep 600 & echo $! >{tmp_path}/child; wait) & echo begun; exec sleep 600\n", limit_s=1
    )
    process = start(store, tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 124
    assert (ended(store).state, store.objects["/log"]) == (TaskState.TIMED_OUT, b"begun\n")
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "status")
    assert not child.exists() or "(zombie)" in child.read_text()


def test_a_container_that_is_told_to_end_puts_back_what_there_is(store: Store, tmp_path: Path) -> None:
    place(store, f"touch {tmp_path}/begun; echo here; exec sleep 600\n")
    process = start(store, tmp_path)
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert (ended(store).how, store.objects["/log"]) == ("stopped", b"here\n")


def test_a_task_that_another_job_has_claimed_is_left_alone(store: Store, tmp_path: Path) -> None:
    place(store, f"echo x >>{tmp_path}/ran\n")
    for job in ("job-1", "job-2"):
        process = start(store, tmp_path, job=job)
        _, complained = process.communicate(timeout=60)
        assert process.returncode == 0
    assert complained == b"atoll: this task is run by the job job-1; job-2 leaves it alone\n"
    # The same one again goes on, as after its host was taken away.
    start(store, tmp_path, job="job-1").communicate(timeout=60)
    assert (tmp_path / "ran").read_text() == "x\nx\n"


def test_of_many_that_start_at_once_one_runs_the_program(store: Store, tmp_path: Path) -> None:
    place(store, f"echo x >>{tmp_path}/ran\n")
    started = [start(store, tmp_path, job=f"job-{number}") for number in range(5)]
    for process in started:
        process.communicate(timeout=60)
    assert [process.returncode for process in started] == [0] * 5
    assert (tmp_path / "ran").read_text() == "x\n"


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("/manifest", "the task's files cannot be fetched (status 403)"),
        ("/package", "the task's files cannot be fetched (status 403)"),
        ("/claim", "the task cannot be claimed (status 403)"),
        ("/output", "the results cannot be put back (status 403)"),
    ],
)
def test_a_task_without_its_files_did_not_succeed(store: Store, tmp_path: Path, lost: str, said: str) -> None:
    place(store, 'mkdir "$ATOLL_TASK_DIR/output"\n')
    store.refuse.add(lost)
    process = start(store, tmp_path)
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 125
    assert said in complained.decode()


def test_an_image_without_any_tool_says_what_it_lacks(store: Store, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("mktemp", "rm"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    place(store, "true\n")
    process = start(store, tmp_path, interpreter=[str(shutil.which("sh"))], path=str(tmp_path / "bin"))
    _, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (
        125,
        b"atoll: the image has neither curl nor python3; choose one that has\n",
    )


def test_the_log_of_a_running_program_is_put_back_now_and_then(store: Store, tmp_path: Path) -> None:
    place(store, f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.1; done; echo last\n", log_every_s=1)
    process = start(store, tmp_path)
    while store.objects.get("/log") != b"first\n":
        assert process.poll() is None
        time.sleep(0.05)
    (tmp_path / "go").touch()
    process.communicate(timeout=60)
    assert store.objects["/log"] == b"first\nlast\n"


@pytest.mark.parametrize(
    "content", [b"", b"code", b"code x\n", b"code -1\n", b"code 999\n", b"\xff\x00", "code ٣\n".encode()]
)
def test_an_end_that_is_none_tells_nothing(content: bytes) -> None:
    assert parse_end(content) is None


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("code 0\nhow done\n", TaskState.SUCCEEDED),
        ("code 1\n", TaskState.FAILED),
        ("code 137\noom 1\n", TaskState.OUT_OF_MEMORY),
        ("code 137\noom 0\n", TaskState.FAILED),
        ("code 124\nhow timed-out\n", TaskState.TIMED_OUT),
        ("code 124\nhow done\n", TaskState.FAILED),
        ("code 143\nhow stopped\n", TaskState.CANCELLED),
    ],
)
def test_what_became_of_a_program_is_read_from_its_end(text: str, state: TaskState) -> None:
    end = parse_end(text.encode())
    assert end is not None
    assert end.state is state


def archive(*entries: tuple[str, bytes, bytes]) -> bytes:
    """A tar.gz of entries: name, type, content or target."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(content)
            else:
                entry.linkname = content.decode()
            made.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_only_plain_files_below_the_output_folder_come_back() -> None:
    content = archive(
        ("output/good.txt", tarfile.REGTYPE, b"good"),
        ("./output/sub/good.txt", tarfile.REGTYPE, b"too"),
        ("output/../../etc/passwd", tarfile.REGTYPE, b"bad"),
        ("/output/x", tarfile.REGTYPE, b"bad"),
        ("elsewhere/x", tarfile.REGTYPE, b"bad"),
        ("output", tarfile.REGTYPE, b"bad"),
        ("output/link", tarfile.SYMTYPE, b"/etc/passwd"),
        ("output/hard", tarfile.LNKTYPE, b"output/good.txt"),
        ("output/pipe", tarfile.FIFOTYPE, b""),
    )
    found = {path: b"".join(parts) for path, parts in unpack(io.BytesIO(content), "output")}
    assert found == {"output/good.txt": b"good", "output/sub/good.txt": b"too"}


@pytest.mark.parametrize("content", [b"", b"no archive", archive(("output/a", tarfile.REGTYPE, b"x" * 100_000))[:-200]])
def test_an_archive_that_was_cut_short_is_told(content: bytes) -> None:
    def all_of_it() -> list[bytes]:
        return [b"".join(parts) for _, parts in unpack(io.BytesIO(content), "output")]

    with pytest.raises(Damaged):
        all_of_it()


def test_a_package_is_packed_the_same_each_time() -> None:
    packed = [io.BytesIO(), io.BytesIO()]
    for target in packed:
        pack(Package({"run.sh": b"x", "a": b"y"}), target)
    assert packed[0].getvalue() == packed[1].getvalue()
