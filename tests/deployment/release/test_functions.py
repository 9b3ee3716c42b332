"""The publishing script with STAND-INS for az and for what is asked: nothing is published."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import CHECKOUT

# Blobs and the app are files; MUTE is what a package holds that does not answer. The app takes nothing while it has an
# empty setting of Terraform's.
AZ = """#!/usr/bin/env bash
file=""
for word in "$@"; do
  case $before in --file | --src) file=$word ;; esac
  before=$word
done
case "$*" in
  "storage blob exists"*) [ -z "$UNREACHABLE" ] || exit 1; [ -f "$STATE/kept" ] && echo true || echo false ;;
  "storage blob download"*) cp "$STATE/kept" "$file" ;;
  "storage blob upload"*) cp "$file" "$STATE/kept" ;;
  "functionapp config appsettings delete"*"--setting-names AzureWebJobsStorage"*) touch "$STATE/cleared" ;;
  "functionapp deployment source config-zip"*) [ -f "$STATE/cleared" ] && cp "$file" "$STATE/running" ;;
esac
"""
ASKS = '#!/usr/bin/env bash\n! grep -q "$MUTE" "$STATE/running"\n'


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for name, script in (("az", AZ), ("asks", ASKS)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "new.zip").write_text("new")
    return tmp_path


def publish(state: Path, *, mute: str = "^$", unreachable: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(CHECKOUT / "deployment/release/functions.sh"), str(state / "new.zip")],
        env={
            "PATH": f"{state}:{os.defpath}",
            "STATE": str(state),
            "PYTHON": str(state / "asks"),
            "SETTLE_S": "0",
            "MUTE": mute,
            "UNREACHABLE": unreachable,
            "RESOURCE_GROUP": "group",
            "FUNCTION_APP": "app",
            "RELEASES_ACCOUNT": "account",
            "ATOLL_URL": "http://127.0.0.1:1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_that_answers_is_kept_as_the_one_to_go_back_to(state: Path) -> None:
    (state / "kept").write_text("old")
    assert publish(state).returncode == 0
    assert (state / "kept").read_text() == "new"


def test_a_package_that_does_not_answer_is_taken_back(state: Path) -> None:
    (state / "kept").write_text("old")
    done = publish(state, mute="new")
    assert done.returncode == 1
    assert "The old package is back" in done.stderr
    assert (state / "running").read_text() == "old"
    assert (state / "kept").read_text() == "old"


def test_a_first_package_that_fails_says_that_there_is_nothing_to_go_back_to(state: Path) -> None:
    done = publish(state, mute="new")
    assert done.returncode == 1
    assert "nothing to go back to" in done.stderr


def test_an_old_package_that_does_not_answer_either_is_told_apart(state: Path) -> None:
    (state / "kept").write_text("old")
    assert publish(state, mute=".").returncode == 3


def test_nothing_is_published_where_nobody_can_tell_whether_there_is_a_way_back(state: Path) -> None:
    assert publish(state, unreachable="yes").returncode != 0
    assert not (state / "running").exists()
