"""What docs/client.md shows works, against a server that has just begun."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.markdown import page
from tests.support.servers import Server, environment

BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TRAINING = re.compile(r"\btrain\b")


def blocks(trains: bool) -> list[tuple[str, str]]:
    """Language and text of the examples that train a model, or of the others."""
    return [item for item in BLOCK.findall(page("client.md")) if bool(TRAINING.search(item[1])) == trains]


@pytest.mark.parametrize(
    "trains",
    [False, pytest.param(True, marks=pytest.mark.xfail(reason="no worker runs trainings yet", strict=False))],
    ids=["predict", "train"],
)
def test_the_examples_run(trains: bool, start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    assert blocks(trains)
    for language, text in blocks(trains):
        command = [sys.executable, "-c"] if language == "python" else ["sh", "-euc"]
        run = subprocess.run(
            [*command, text],
            env=environment(tmp_path, {"ATOLL_URL": server.url, "PATH": path}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, f"{text}\n{run.stdout}\n{run.stderr}"
