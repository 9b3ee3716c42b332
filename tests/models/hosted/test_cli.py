"""`atoll registry push`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.onnx_models import add, heavy
from tests.support.servers import Server, free_port, run_python

ONLY = {"SERVICE_MODEL": "hosted", "UPLOAD_PART_BYTES": "4096"}
Push = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    return start_server(env=ONLY)


@pytest.fixture
def push(server: Server, tmp_path: Path) -> Push:
    def run(*arguments: str, url: str = server.url) -> subprocess.CompletedProcess[str]:
        return run_python(["-m", "common.cli", "registry", "push", *arguments], tmp_path, {"ATOLL_URL": url})

    return run


def test_a_model_is_pushed_in_parts_and_answers(server: Server, push: Push, tmp_path: Path) -> None:
    file = heavy(tmp_path / "heavy.onnx", 20_000)
    done = push(
        str(file),
        "--name",
        "big",
        "--metric",
        "rmse=0.5",
        "--metric",
        "r2=0.9",
        "--description",
        "mine",
        "--alias",
        "new",
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["ref"], made["aliases"], made["size_bytes"]) == ("big:1", ["default", "new"], file.stat().st_size)
    told = server.get("/hosted/models/big").json()
    assert (told["file"], told["description"], told["metrics"]) == ("heavy.onnx", "mine", {"rmse": 0.5, "r2": 0.9})
    answer = server.post("/hosted/models/big/predict", json={"values": [1, 2, 3, 4]})
    assert answer.json()["values"] == [[2, 3, 4, 5]]


def test_what_goes_wrong_is_told_in_one_line(push: Push, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"x" * 100)
    model = add(tmp_path / "m.onnx", 1)
    for arguments, code, told in (
        ([str(broken), "--name", "m"], 1, "422"),
        ([str(model), "--name", "M"], 1, "tag"),
        ([str(model), "--name", "housing"], 1, "choose another tag"),
        ([str(tmp_path / "nothing.onnx"), "--name", "m"], 1, "cannot be read"),
        ([str(tmp_path / "m.joblib"), "--name", "m"], 1, "atoll registry convert"),
        ([str(model), "--name", "m", "--metric", "rmse"], 2, "NAME=NUMBER"),
        ([str(model)], 2, "--name"),
    ):
        done = push(*arguments)
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert code == 2 or done.stderr.count("\n") == 1


def test_without_a_server_it_ends_with_3(push: Push, tmp_path: Path) -> None:
    done = push(str(add(tmp_path / "m.onnx", 1)), "--name", "m", url=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 3
