"""What `make grpc` writes is what is there."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import CHECKOUT

FOLDER = CHECKOUT / "common" / "host" / "grpc"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(FOLDER), f"--python_out={folder}"]
    run = subprocess.run(
        [*command, f"--pyi_out={folder}", "open_inference.proto"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("name", ["open_inference_pb2.py", "open_inference_pb2.pyi"])
def test_the_messages_are_those_of_the_proto_file(made: Path, name: str) -> None:
    def content(folder: Path) -> str:
        # Another release of the compiler names itself and writes the same.
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if "Version" not in line and not line.strip().rstrip(",").isdigit())

    assert content(made) == content(FOLDER), "run `make grpc`"
