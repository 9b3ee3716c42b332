"""What docs/client.md shows works, against a server that has just begun."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.markdown import page
from tests.support.servers import Server, environment

BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_examples_run(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    blocks = BLOCK.findall(page("client.md"))
    assert len(blocks) > 5
    for language, text in blocks:
        command = [sys.executable, "-c"] if language == "python" else ["sh", "-euc"]
        run = subprocess.run(
            [*command, text],
            env=environment(tmp_path, {"ATOLL_URL": server.url, "PATH": path}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, f"{text}\n{run.stdout}\n{run.stderr}"
