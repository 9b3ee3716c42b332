"""What is applied is what was approved; with a STAND-IN for terraform, which makes the plan that CHANGES says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.backends import missing
from tests.support.servers import CHECKOUT

TERRAFORM = """#!/usr/bin/env bash
echo "$*" >> "$STATE/told"
case $1 in
  plan)
    for word in "$@"; do case $word in -out=*) echo plan > "${word#-out=}" ;; esac; done
    [ -z "$BROKEN" ] || exit 1
    [ -n "$CHANGES" ] && exit 2 || exit 0
    ;;
  show)
    [ "$2" = -json ] || { echo "plan: $CHANGES"; exit 0; }
    echo "{\\"resource_changes\\": [${CHANGES}]}"
    ;;
esac
"""
CREATE = '{"address": "a.b", "change": {"actions": ["create"], "after": {"name": "one"}}}'
OTHER = CREATE.replace("one", "two")
NOTHING = '{"address": "a.c", "change": {"actions": ["no-op"], "after": {"name": "three"}}}'


@pytest.fixture
def state(tmp_path: Path) -> Path:
    if shutil.which("jq") is None:
        missing("jq is not installed, which reads plans")
    (tmp_path / "terraform").write_text(TERRAFORM)
    (tmp_path / "terraform").chmod(0o755)
    return tmp_path


def terraform(state: Path, *words: str, changes: str = CREATE, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(CHECKOUT / "deployment/release/terraform.sh"), *words],
        env={
            "PATH": f"{state}:{os.defpath}:/usr/bin:/bin",
            "STATE": str(state),
            "CHANGES": changes,
            "BROKEN": "",
            "TF_STATE_RESOURCE_GROUP": "group",
            "TF_STATE_ACCOUNT": "account",
            "GITHUB_OUTPUT": str(state / "output"),
            "GITHUB_STEP_SUMMARY": str(state / "summary"),
            **more,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def approved(state: Path, changes: str = CREATE) -> str:
    done = terraform(state, "plan", changes=changes)
    assert done.returncode == 0, done.stderr
    found = re.search(r"^digest=(\w+)$", (state / "output").read_text(), re.MULTILINE)
    assert found
    return found.group(1)


def applied(state: Path) -> bool:
    return any(line.startswith("apply") for line in (state / "told").read_text().splitlines())


def test_a_plan_is_shown_with_the_digest_that_stands_for_it(state: Path) -> None:
    digest = approved(state)
    assert f"Digest `{digest}`" in (state / "summary").read_text()
    assert "changes=true" in (state / "output").read_text()
    assert not applied(state)


def test_what_was_approved_is_applied(state: Path) -> None:
    done = terraform(state, "apply", APPROVED=approved(state))
    assert done.returncode == 0, done.stderr
    assert applied(state)


def test_a_plan_that_has_become_another_one_is_refused(state: Path) -> None:
    done = terraform(state, "apply", changes=OTHER, APPROVED=approved(state))
    assert done.returncode == 1
    assert "Start anew" in done.stderr
    assert not applied(state)


def test_what_does_not_change_is_no_part_of_what_is_approved(state: Path) -> None:
    assert approved(state, CREATE) == approved(state, f"{CREATE}, {NOTHING}")


def test_a_plan_that_fails_approves_nothing(state: Path) -> None:
    assert terraform(state, "plan", BROKEN="1").returncode == 1
    assert not (state / "output").exists()


@pytest.mark.parametrize("words", [(), ("destroy",), ("apply",)])
def test_what_it_cannot_follow_is_refused_before_terraform_runs(state: Path, words: tuple[str, ...]) -> None:
    assert terraform(state, *words).returncode == 2
    assert not (state / "told").exists()


def test_variables_are_given_by_a_file_that_is_gone_afterwards(state: Path) -> None:
    assert terraform(state, "plan", TERRAFORM_VARIABLES='name = "x"').returncode == 0
    (file,) = set(re.findall(r"-var-file=(\S+)", (state / "told").read_text()))
    assert not Path(file).exists()
