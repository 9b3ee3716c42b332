"""What docs/cli.md shows works, and it names every command."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from common.cli.commands import COMMANDS, load
from common.cli.remote import FAILED, JOB_FAILED, UNREACHABLE, USAGE
from tests.support.markdown import page
from tests.support.servers import Server, environment

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_examples_run(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    blocks = BLOCK.findall(page("cli.md"))
    assert len(blocks) > 5
    for text in blocks:
        run = subprocess.run(
            ["sh", "-euc", text],
            env=environment(tmp_path, {"ATOLL_URL": server.url, "PATH": path}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert run.returncode == 0, f"{text}\n{run.stdout}\n{run.stderr}"


def test_every_command_is_listed_with_the_commands_under_it() -> None:
    rows = dict(re.findall(r"^\| `atoll ([a-z]+)` \| (.*) \|$", page("cli.md"), re.MULTILINE))
    commands = {name: command for section in COMMANDS.values() for name, command in section.items()}
    assert sorted(rows) == sorted(commands)
    left_out = [
        f"{name} {sub}"
        for name, command in commands.items()
        for sub in getattr(load(name, command), "commands", {})
        if f"`{sub}`" not in rows[name]
    ]
    assert left_out == []


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = page("cli.md").partition("| exit code | when |")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d) \|", table, re.MULTILINE)] == [
        0,
        FAILED,
        USAGE,
        UNREACHABLE,
        JOB_FAILED,
    ]
