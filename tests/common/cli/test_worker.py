"""`atoll serve` and `atoll worker`: one takes requests, the other runs what was queued."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from common.client import Client
from tests.support.servers import CHECKOUT, Server, environment, run_python

HELLO = {"resp1": "Hello Ada"}


def test_a_worker_with_once_runs_what_a_server_has_queued_and_ends(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "ATOLL_ROLES": "http"})
    with Client(server.url) as client:
        first, second = (client.predict("sample", {"requiredField": "Ada"}, queued=True) for _ in range(2))
        assert first.state == "queued"
        run = run_python(["-m", "common.cli", "worker", "--once"], server.log_file.parent, {"SERVICE_MODEL": "sample"})
        assert run.returncode == 0, run.stderr
        assert sorted(job.refresh().state for job in (first, second)) == ["queued", "succeeded"]
        done = next(job for job in (first, second) if job.has_succeeded)
        assert done.result() == HELLO


def test_a_worker_that_is_told_to_end_ends_well(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "common.jobs", "worker", "--queue", "prediction-cpu"],
        cwd=CHECKOUT,
        env=environment(tmp_path, {"SERVICE_MODEL": "sample"}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    told = next(line for line in worker.stderr if '"event": "worker"' in line)
    assert '"queues": ["prediction-cpu"]' in told
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert worker.returncode == 0


def test_a_worker_with_a_wrong_setting_is_told_in_one_line(tmp_path: Path) -> None:
    run = run_python(["-m", "common.cli", "worker", "--once"], tmp_path, {"JOB_CONCURRENCY": "many"})
    assert run.returncode == 1
    assert re.fullmatch(r"atoll: settings are wrong: JOB_CONCURRENCY='many'.*\n", run.stderr)


def test_a_worker_of_a_queue_that_nobody_sends_to_says_which_there_are(tmp_path: Path) -> None:
    run = run_python(
        ["-m", "common.cli", "worker", "--queue", "predictions-cpu"], tmp_path, {"SERVICE_MODEL": "sample"}
    )
    assert run.returncode == 2
    told = " ".join(run.stderr.split())
    assert "no jobs are sent to 'predictions-cpu'" in told
    assert "prediction-cpu-sample" in told


def test_serve_takes_the_models_that_it_is_given(tmp_path: Path) -> None:
    server = Server(tmp_path, "--model", "sample", "--model", "survey", env={"SERVICE_MODEL": "imputation"})
    try:
        with Client(server.url) as client:
            assert [model["name"] for model in client.models()] == ["sample", "survey"]
    finally:
        server.stop()


def test_atoll_models_lists_those_of_a_server_that_is_named(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    state = server.log_file.parent
    for arguments in (["models", "--url", server.url], ["--url", server.url, "models"]):
        run = run_python(["-m", "common.cli", *arguments], state)
        assert '"name": "sample"' in run.stdout
        assert '"name": "survey"' not in run.stdout
    run = run_python(["-m", "common.cli", "models", "--local"], state, {"ATOLL_URL": server.url})
    assert '"name": "survey"' in run.stdout
