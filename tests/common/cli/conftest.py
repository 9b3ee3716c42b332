"""The command line in a process of its own, against a real server."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.common.client.job_server import gate, job_server
from tests.support.servers import CHECKOUT, Server, environment, run_cli

__all__ = ["gate", "job_server"]

Atoll = Callable[..., subprocess.CompletedProcess[str]]
Terminal = Callable[..., str]


@pytest.fixture
def atoll(job_server: Server, tmp_path: Path) -> Atoll:
    """Runs the command line against the server, its output in a pipe."""

    def run(*arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return run_cli(tmp_path, *arguments, env={"ATOLL_URL": job_server.url, **env}, stdin=stdin)

    return run


@pytest.fixture
def terminal(job_server: Server, tmp_path: Path) -> Terminal:
    """Runs the command line as in a terminal, and gives what stands there."""

    def run(*arguments: str) -> str:
        main, side = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "common.cli", *arguments],
            cwd=CHECKOUT,
            env=environment(tmp_path, {"ATOLL_URL": job_server.url, "TERM": "xterm", "COLUMNS": "160"}),
            stdin=subprocess.DEVNULL,
            stdout=side,
            stderr=side,
        )
        os.close(side)
        shown = b""
        while True:
            # The end of a terminal is an error on Linux, and nothing more to read elsewhere.
            part = b""
            with contextlib.suppress(OSError):
                part = os.read(main, 4096)
            if not part:
                break
            shown += part
        os.close(main)
        assert process.wait(60) == 0, shown.decode()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())

    return run
