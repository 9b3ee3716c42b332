"""Taking turns: threads and processes exclude each other, and nobody keeps a turn beyond its life."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from common.locks import Turns
from common.settings import CHECKOUT

HOLD = """
import sys
from common.locks import Turns
with Turns(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> "subprocess.Popen[str]":
    """A process that has its turn until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def taken(turns: Turns) -> threading.Event:
    """Set once a thread of this process has had its turn."""
    had = threading.Event()

    def take() -> None:
        with turns:
            had.set()

    threading.Thread(target=take, daemon=True).start()
    return had


@pytest.mark.parametrize("path", [None, ":memory:", "a.db"])
def test_threads_take_turns(path: str | None, tmp_path: Path) -> None:
    turns = Turns(str(tmp_path / path) if path == "a.db" else path)
    with turns:
        had = taken(turns)
        assert not had.wait(0.05)
    assert had.wait(60)
    turns.close()


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_process_waits_until_another_one_is_done_or_dead(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.db"
    with holder(path) as process:
        had = taken(Turns(str(path)))
        assert not had.wait(0.05)
        if end == "kill":
            process.kill()
        elif process.stdin is not None:
            process.stdin.close()
        assert had.wait(60)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork there")
def test_a_turn_is_not_passed_on_to_a_forked_process(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    turns = Turns(path)
    # From a process without threads, as those are that Atoll forks from.
    code = f"""
import os, sys
from common.locks import Turns
turns = Turns({path!r})
turns.__enter__()
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""
    forked = subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, stdin=subprocess.PIPE)
    forked.wait(60)
    assert taken(turns).wait(60)
    assert forked.stdin is not None
    forked.stdin.close()


def test_where_no_file_can_be_made_threads_still_take_turns(tmp_path: Path) -> None:
    turns = Turns(str(tmp_path / "absent" / "a.db"))
    with turns:
        had = taken(turns)
        assert not had.wait(0.05)
    assert had.wait(60)
