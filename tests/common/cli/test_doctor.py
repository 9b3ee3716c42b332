"""`atoll doctor` as a person and a program run it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from common.cli.app import app
from common.doctor import CHECKS
from common.settings import CHECKOUT
from tests.support.servers import run_python

FILES = ("host.json", "requirements.txt", ".funcignore")


def doctor(state: Path, *options: str, **env: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what was told as JSON, and standard error."""
    run = run_python(["-m", "common.cli", "doctor", *options], state, env)
    return run.returncode, json.loads(run.stdout) if run.stdout.startswith("{") else {}, run.stderr


def checkout(folder: Path) -> Path:
    """A deployment's folder with what the doctor reads."""
    folder.mkdir()
    for name in FILES:
        shutil.copy(CHECKOUT / name, folder / name)
    return folder


def test_a_checkout_that_is_well_ends_with_0_and_nothing_is_made(tmp_path: Path) -> None:
    folder, state = checkout(tmp_path / "checkout"), tmp_path / "state"
    code, told, err = doctor(state, "--quick", "--folder", str(folder))
    assert (code, err) == (0, "")
    assert told["plan"] == "flex"
    assert [item for item in told["findings"] if item["level"] == "error"] == []
    assert {item["check"] for item in told["findings"]} == set(CHECKS) - {"import", "models"}
    assert not state.exists()


def test_a_wrong_host_file_ends_with_1_and_says_what_to_do(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout")
    host = json.loads((folder / "host.json").read_text())
    host["extensions"]["queues"]["messageEncoding"] = "none"
    (folder / "host.json").write_text(json.dumps(host))
    code, told, _ = doctor(tmp_path, "--only", "host", "--folder", str(folder))
    assert (code, told["level"]) == (1, "error")
    (found,) = told["findings"]
    assert found["todo"] == 'set "messageEncoding": "base64"'


def test_a_warning_ends_with_1_only_when_it_is_to(tmp_path: Path) -> None:
    options = ("--only", "settings")
    assert doctor(tmp_path, *options, ATOLL_COLOUR="blue")[0] == 0
    assert doctor(tmp_path, *options, "--strict", ATOLL_COLOUR="blue")[0] == 1


def test_settings_that_cannot_be_used_are_a_finding(tmp_path: Path) -> None:
    code, told, err = doctor(tmp_path, "--only", "database", PORT="many")
    assert (code, err) == (1, "")
    assert [(item["check"], item["level"]) for item in told["findings"]] == [("settings", "error")]
    assert "PORT" in told["findings"][0]["what"]


def test_local_settings_that_cannot_be_read_are_refused_with_2(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout")
    (folder / "local.settings.json").write_text('{"Values": {"PORT": 7071}}')
    code, _, err = doctor(tmp_path, "--only", "settings", "--local-settings", "--folder", str(folder))
    assert code == 2
    assert "PORT: variables are texts" in " ".join(err.replace("│", " ").split())


def test_local_settings_count_as_under_core_tools(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout")
    shutil.copy(CHECKOUT / "local.settings.example.json", folder / "local.settings.json")
    options = ("--only", "settings", "--local-settings", "--folder", str(folder))
    code, told, _ = doctor(tmp_path, *options)
    assert code == 0
    # The example opens all to everybody, which is for a laptop.
    opened = "ANONYMOUS_SCOPES gives everybody admin, submit"
    assert opened in [item["what"] for item in told["findings"] if item["level"] == "warning"]
    # What is set already counts before the file.
    assert "ANONYMOUS_SCOPES gives" not in json.dumps(doctor(tmp_path, *options, ANONYMOUS_SCOPES="predict")[1])


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--only", "hosts", "redis"), ("--plan", "huge", "premium"), ("--folder", "/nowhere/at/all", "no folder")],
)
def test_what_is_misspelled_is_wrong_usage_and_says_what_there_is(option: str, value: str, told: str) -> None:
    result = CliRunner().invoke(app, ["doctor", option, value])
    assert result.exit_code == 2
    assert told in result.output
