"""What is left out of checkov has to be needed, and what it reads has to be everything."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployment.check.exceptions import problems
from tests.support.servers import CHECKOUT


def found(*failed: str, unread: int = 0) -> dict[str, Any]:
    return {
        "summary": {"parsing_errors": unread},
        "results": {"failed_checks": [{"check_id": name} for name in failed]},
    }


def test_an_exception_without_which_a_check_fails_is_accepted() -> None:
    assert problems(found("CKV_AZURE_1", "CKV_AZURE_2"), {"CKV_AZURE_1"}) == []


def test_an_exception_that_nothing_needs_is_named() -> None:
    assert problems(found("CKV_AZURE_1"), {"CKV_AZURE_1", "CKV_AZURE_2"}) == ["CKV_AZURE_2 is left out, but would pass"]


@pytest.mark.parametrize("unread", [0, 2])
def test_more_or_fewer_unread_files_than_are_known_are_said(unread: int) -> None:
    assert problems(found(unread=unread), set(), unreadable=1) == [f"checkov could not read {unread} files, not 1"]


def test_the_command_fails_where_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "found.json").write_text(json.dumps(found(unread=1)))
    (tmp_path / "settings.yaml").write_text("skip-check:\n  - CKV_AZURE_1\n")
    words = [sys.executable, "-m", "deployment.check.exceptions", str(tmp_path / "found.json")]
    words.append(str(tmp_path / "settings.yaml"))
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "checkov could not read 1 files, not 0",
        "CKV_AZURE_1 is left out, but would pass",
    ]
