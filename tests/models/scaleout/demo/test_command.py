"""The command against a real server, as a person sees it in a terminal of 80 columns."""

import importlib.util
import json
import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from models.scaleout.traces import carried
from tests.support.servers import CHECKOUT, Server

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SVG = "{http://www.w3.org/2000/svg}"


def arguments(server: Server, *options: str) -> list[str]:
    return [sys.executable, "-m", "common.cli", "scaleout", "demo", "--url", server.url, *options]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "80", "OMP_NUM_THREADS": "1"}


def in_terminal(folder: Path, command: list[str]) -> tuple[int, str]:
    """The exit status, and all that is shown, without its colours."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        # This is how the end of a terminal is told.
        pass
    finally:
        os.close(ours)
    return process.wait(60), ESCAPES.sub("", shown.decode()).replace("\r\n", "\n")


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    return start_server(env={"SERVICE_MODEL": "scaleout", "OMP_NUM_THREADS": "1"})


def test_it_shows_and_draws_a_curve_its_interval_and_a_recommendation(server: Server, tmp_path: Path) -> None:
    status, shown = in_terminal(tmp_path, arguments(server, "--no-train", "--algorithm", "kmeans"))
    assert status == 0, shown
    assert max(map(len, shown.splitlines())) < 80
    assert f"{len(carried())} runs of Spark are known" in shown
    assert re.search(r"^ +4 .*├?[─●]*┤", shown, re.MULTILINE)
    told = re.search(r"^Take (\d) executor", shown, re.MULTILINE)
    assert told
    assert "played again: after its job" in shown
    root = ElementTree.parse(tmp_path / "scaleout-demo.svg").getroot()  # noqa: S314 - our own
    assert [band.findtext(f"{SVG}title") for band in root.iter(f"{SVG}polygon")] == ["90 % of runs", "80 % of runs"]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert f"take {told[1]}" in texts
    assert any(text and text.startswith(f"Take {told[1]} executor") for text in texts)
    # The run that was played again is gone, the others are there.
    known = server.get("/scaleout/applications?limit=500").json()["applications"]
    assert {run["execution_id"] for run in known} == {run.execution_id for run in carried()}


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed: make torch")
def test_it_trains_with_a_progress_bar_and_the_graph_model_plans_after_that(server: Server, tmp_path: Path) -> None:
    # A training on all carried runs takes longer than a test should.
    few = "from models.scaleout import traces; some = traces.carried()[::9]; traces.carried = lambda: some; "
    command = [sys.executable, "-c", f"{few}from common.cli.app import main; main()"]
    status, shown = in_terminal(tmp_path, [*command, *arguments(server, "--trials", "1")[3:]])
    assert status == 0, shown
    assert re.search(r"scaleout running .* \d+%", shown)
    assert re.search(r"scaleout succeeded .*100%", shown)
    assert "version 1 of the model serves" in shown
    assert "graph, corrected on this run" in " ".join(shown.split())


def test_a_training_that_no_worker_begins_is_taken_back_and_simpler_models_plan(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env={"SERVICE_MODEL": "scaleout", "OMP_NUM_THREADS": "1", "JOB_WORKERS": "cpu"})
    hasty = "from models.scaleout.demo import command; command._LOOKS, command._LOOK_S = 2, 0.2; "
    command = [sys.executable, "-c", f"{hasty}from common.cli.app import main; main()", *arguments(server)[3:]]
    run = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "no worker has begun it; one with PyTorch is needed" in run.stderr
    assert [point["scale_out"] for point in json.loads(run.stdout)["curve"]] == [1, 2, 3, 4]
    assert [job["state"] for job in server.get("/jobs").json()["jobs"]] == ["cancelled"]


def test_into_a_pipe_it_prints_the_answer_as_json(server: Server, tmp_path: Path) -> None:
    run = subprocess.run(
        arguments(server, "--no-train"), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    answer = json.loads(run.stdout)
    assert [point["scale_out"] for point in answer["curve"]] == [1, 2, 3, 4]
    assert (tmp_path / "scaleout-demo.svg").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--algorithm", "sort"), "there are runs of gbt, kmeans, logisticregression, mpc; none of 'sort'"),
        (("--picture", "away/x.svg"), "name a file in a folder that is there"),
        (("--picture", "."), "name a file in a folder that is there"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sent(options: tuple[str, str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "common.cli", "scaleout", "demo", "--url", "http://127.0.0.1:1", *options]
    run = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (run.returncode, "Traceback" in run.stderr) == (2, False)
    assert said in run.stderr
