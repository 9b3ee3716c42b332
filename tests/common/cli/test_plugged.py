"""Commands that plugins add."""

from pathlib import Path

from tests.support.plugins import write_plugin
from tests.support.servers import run_python

SOURCE = """
    from fastapi import APIRouter
    from common.plugins import Plugin

    router = APIRouter()
    plugin = Plugin(cli={"registry greet": "mine.commands:greet"})
"""
COMMANDS = """
import typer

def greet(name: str) -> None:
    \"\"\"Say hello.\"\"\"
    typer.echo(f"hello {name}")
"""


def plugged(folder: Path) -> dict[str, str]:
    path = write_plugin(folder / "plugins", "mine", SOURCE)
    (path / "mine" / "commands.py").write_text(COMMANDS, encoding="utf-8")
    return {"ATOLL_PLUGIN_PATH": str(path)}


def test_a_command_of_a_plugin_is_listed_and_runs(tmp_path: Path) -> None:
    env = plugged(tmp_path)
    listed = run_python(["-m", "common.cli", "registry", "--help"], tmp_path, env)
    assert "greet" in listed.stdout
    assert "Say hello." in listed.stdout
    ran = run_python(["-m", "common.cli", "registry", "greet", "Ann"], tmp_path, env)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "hello Ann\n", "")


def test_a_command_that_nobody_has_ends_with_2(tmp_path: Path) -> None:
    ran = run_python(["-m", "common.cli", "registry", "nothing"], tmp_path, plugged(tmp_path))
    assert ran.returncode == 2
    assert "No such command" in ran.stderr


def test_a_command_of_the_group_itself_imports_no_plugin(tmp_path: Path) -> None:
    path = write_plugin(tmp_path / "plugins", "mine", "raise SystemExit('imported')")
    ran = run_python(["-m", "common.cli", "registry", "list", "--help"], tmp_path, {"ATOLL_PLUGIN_PATH": str(path)})
    assert ran.returncode == 0
    assert "imported" not in ran.stderr
