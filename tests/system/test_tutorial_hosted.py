"""Each command of docs/tutorial-hosted.md, run as a new user would; and the requests of docs/hosted.md."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.examples import examples
from tests.support.markdown import page
from tests.support.servers import Server

# A fenced block: its language and its text.
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_HERE = "http://127.0.0.1:7071"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("tutorial"), env={"SERVICE_MODEL": "hosted"})
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shell(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Runs a command in a folder of its own, against the server; its output."""
    folder = tmp_path_factory.mktemp("home")
    tools = Path(sys.executable).parent
    env = {"PATH": f"{tools}:{os.defpath}", "HOME": str(folder), "ATOLL_URL": server.url}

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.replace(_HERE, server.url)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def told(output: str, shown: str, language: str) -> None:
    """The output is what the page shows; of JSON the page may leave members out."""
    if language == "text":
        assert output.strip() == shown.strip()
    else:
        given: dict[str, Any] = json.loads(output)
        assert {name: given[name] for name in json.loads(shown)} == json.loads(shown)


def test_each_command_of_the_tutorial_does_what_the_page_says(shell: Callable[[str], str]) -> None:
    output, commands = "", 0
    for language, text in _BLOCK.findall(page("tutorial-hosted.md")):
        if language == "python":
            quoted = text.replace("'", "'\\''")
            shell(f"printf '%s' '{quoted}' > train.py")
        elif language == "sh":
            output = shell(text)
            commands += 1
            if "uniq -c" in text:
                counts = {int(version): int(count) for count, version in re.findall(r"(\d+) \S+: (\d+)", output)}
                assert sum(counts.values()) == 100
                assert counts[1] > 60
                assert set(counts) <= {1, 2}
        else:
            told(output, text, language)
    assert commands >= 12


def test_the_request_of_the_page_on_hosted_models_gets_the_answer_shown(
    server: Server, shell: Callable[[str], str]
) -> None:
    server.client.delete("/hosted/models/iris")
    shell("[ -f better.skops ] || exit 1; atoll registry push better.skops --name iris --alias default")
    for path, body, answer in examples("hosted.md"):
        if path.endswith("/predict"):
            found = server.post(path, content=body, headers={"Content-Type": "application/json"}).json()
            shown = json.loads(answer)
            assert {name: found[name] for name in shown if name != "version"} == {
                name: shown[name] for name in shown if name != "version"
            }
