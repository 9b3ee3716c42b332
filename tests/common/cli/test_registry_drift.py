"""`atoll registry sampling`, `snapshot`, `drift`, and `push --snapshot`, against a real server."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer

from common.cli.registry_drift import thinned
from tests.support.onnx_models import add
from tests.support.servers import Server, run_python


def csv(path: Path, rows: int, mean: float = 0) -> Path:
    values = np.random.default_rng(rows).normal(mean, 1, (rows, 4))
    np.savetxt(path, values, delimiter=",", header="a,b,c,d", comments="", fmt="%.3f")
    return path


def test_a_model_is_pushed_sampled_and_compared(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server(env={"SERVICE_MODEL": "hosted", "SAMPLING": "true"})

    def atoll(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_python(["-m", "common.cli", "registry", *arguments], tmp_path, {"ATOLL_URL": server.url})
        assert done.returncode == code, done.stderr
        return done

    file, rows = add(tmp_path / "m.onnx", 1), csv(tmp_path / "train.csv", 500)
    made = json.loads(atoll("push", str(file), "--name", "m", "--snapshot", str(rows)).stdout)
    assert made["snapshot"]["rows"] == 500
    assert "no alias 'next'; it has default" in atoll("drift", "hosted.m:next", code=1).stderr
    told = json.loads(atoll("sampling", "hosted.m", "--fraction", "1", "--drop", "email").stdout)
    assert (told["active"], told["drop"], told["unknown"]) == (True, ["email"], ["email"])
    assert "0 rows of hosted.m:1 are kept" in atoll("drift", "hosted.m", code=1).stderr
    values = np.random.default_rng(1).normal(3, 1, (200, 4)).tolist()
    assert server.post("/hosted/models/m/predict", json={"values": values}).status_code == 200
    found = json.loads(atoll("drift", "hosted.m:default").stdout)
    assert (found["verdict"], found["rows"]) == ("major", 200)
    told = json.loads(atoll("sampling", "hosted.m", "--delete").stdout)
    assert (told["active"], told["versions"]) == (False, [])
    # A second version, whose rows do not fit: it is published, and the way to send others is told.
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    failed = atoll("push", str(file), "--name", "m", "--snapshot", str(other), code=1)
    assert "atoll registry snapshot hosted.m 2 FILE" in failed.stderr
    assert json.loads(atoll("snapshot", "hosted.m", "2", str(rows)).stdout)["rows"] == 500


@pytest.mark.parametrize(
    ("content", "told"), [(b"\xff\xfe,\n1,2\n", "no CSV in UTF-8"), (None, "cannot be read: No such file")]
)
def test_a_file_that_cannot_be_read_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, told: str
) -> None:
    file = tmp_path / "rows.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(typer.Exit):
        thinned(file)
    assert told in capsys.readouterr().err


def test_of_a_large_file_a_part_is_sent(tmp_path: Path) -> None:
    sent = thinned(csv(tmp_path / "rows.csv", 300), most=50).decode().splitlines()
    assert (sent[0], len(sent), len(set(sent))) == ("a,b,c,d", 51, 51)
