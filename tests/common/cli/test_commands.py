"""The table of commands: that it says what the commands say, and costs nothing to read."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from common.cli.app import app
from common.cli.commands import COMMANDS, Command, load
from tests.support.servers import CHECKOUT, environment, run_python

ALL = [(name, command) for section in COMMANDS.values() for name, command in section.items()]


def leaves(name: str, command: Command) -> list[str]:
    """Names of what can be run, e.g. `jobs list`."""
    found = load(name, command)
    return [f"{name} {sub}" for sub in getattr(found, "commands", {})] or [name]


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_the_table_says_the_first_sentence_of_each_commands_own_help(name: str, command: Command) -> None:
    told = str(load(name, command).help).split("\n\n")[0].replace("\n", " ")
    assert told.startswith(command.told)


@pytest.mark.parametrize("line", [line for entry in ALL for line in leaves(*entry)])
def test_every_command_has_help_in_plain_text(line: str) -> None:
    result = CliRunner().invoke(app, [*line.split(), "--help"], prog_name="atoll")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: atoll {line} ")
    assert "╭" not in result.output


@pytest.mark.parametrize("line", [line for entry in ALL for line in leaves(*entry) if line != "version"])
def test_the_help_of_every_command_has_an_example_of_it(line: str) -> None:
    result = CliRunner().invoke(app, [*line.split(), "--help"], prog_name="atoll")
    examples = result.output.partition("Examples:" if "Examples:" in result.output else "Example:")[2]
    assert f"atoll {line}" in examples


def test_the_help_of_all_imports_no_command_but_those_that_it_is_made_of(tmp_path: Path) -> None:
    code = "import sys, json\nfrom common.cli import main\ntry:\n    sys.argv = ['atoll', '--help']\n    main()\n"
    code += "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    modules = set(json.loads(run_python(["-c", code], tmp_path).stderr))
    assert {"httpx", "pydantic", "rich.console", "common.errors", "common.client", "common.cli.jobs"} & modules == set()


def test_a_mistyped_command_is_told_the_nearest_one() -> None:
    result = CliRunner().invoke(app, ["modles"])
    assert result.exit_code == 2
    assert "do you mean 'models'?" in result.output


def complete(tmp_path: Path, *words: str, **env: str) -> list[str]:
    """What bash is offered for the last of the words."""
    asked = {"_ATOLL_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    run = subprocess.run(
        [sys.executable, "-c", "from common.cli import main; main()"],
        cwd=CHECKOUT,
        env=environment(tmp_path, asked | env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stderr == ""
    return run.stdout.split()


def test_the_shell_completes_commands(tmp_path: Path) -> None:
    assert complete(tmp_path, "atoll", "s") == ["serve", "settings", "submit"]
    assert complete(tmp_path, "atoll", "jobs", "c") == ["cancel", "callback-secret"]


def test_the_shell_completes_models_of_this_machine_where_no_server_is_named(tmp_path: Path) -> None:
    assert complete(tmp_path, "atoll", "predict", "sa") == ["sample"]


def test_the_shell_is_offered_nothing_where_no_server_answers(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    assert complete(tmp_path, "atoll", "predict", "sa", ATOLL_URL=url) == []
    assert complete(tmp_path, "atoll", "jobs", "show", "1", ATOLL_URL=url) == []


def test_the_shell_has_a_script_for_completion(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--show-completion", "bash"], prog_name="atoll", env={"SHELL": "/bin/bash"})
    assert re.search(r"complete .*atoll", result.output), os.environ.get("SHELL")


def test_no_command_is_in_the_table_twice() -> None:
    assert len({name for name, _ in ALL}) == len(ALL)
    assert isinstance(app, typer.Typer)
