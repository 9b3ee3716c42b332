"""`atoll scaleout import`, against a real server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.scaleout.cli_import import portions
from models.scaleout.importing.eventlog import of_lines
from tests.models.scaleout.importing import events
from tests.models.scaleout.importing.test_mongo import APPLICATION, JOB
from tests.support.servers import CHECKOUT, Server

LOGS = Path(__file__).parent / "importing" / "data"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    return start_server(env={"SERVICE_MODEL": "scaleout"})


def run(*arguments: str | Path, url: str = NOWHERE, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "common.cli", "scaleout", "import", "--url", url, *map(str, arguments)]
    own = {**os.environ, "PYTHONPATH": str(CHECKOUT), **env}
    done = subprocess.run(command, capture_output=True, text=True, env=own, check=False)
    assert "Traceback" not in done.stderr
    return done


def known(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/scaleout/applications").json()["applications"]
    return found


def test_a_folder_of_logs_comes_in_once_however_often_it_is_imported(server: Server) -> None:
    first, again = run(LOGS, url=server.url), run(LOGS, url=server.url)
    assert (first.returncode, again.returncode) == (0, 0)
    assert json.loads(first.stdout) == json.loads(again.stdout) == {"imported": 1, "jobs": 14, "refused": {}}
    assert [one["jobs"] for one in known(server)] == [14]


def test_what_mongodb_exported_comes_in_with_its_jobs(server: Server, tmp_path: Path) -> None:
    for name, document in (("application_execution.json", APPLICATION), ("job_execution.json", JOB)):
        (tmp_path / name).write_text(json.dumps(document))
    assert run(tmp_path, url=server.url).returncode == 0
    (one,) = known(server)
    assert (one["algorithm"], one["jobs"], one["target_s"]) == ("gbt", 1, 600.0)


def test_of_a_folder_what_cannot_be_read_is_named_and_the_rest_comes_in(server: Server, tmp_path: Path) -> None:
    (tmp_path / "app-1").write_bytes(b"\n".join(events.small_run()))
    (tmp_path / "notes.txt").write_text("hello")
    # A log's name, but no log.
    (tmp_path / "eventlog_v2_app-2" / "events_1_app-2").mkdir(parents=True)
    done = run(tmp_path, url=server.url)
    assert (done.returncode, len(known(server))) == (0, 1)
    assert set(json.loads(done.stdout)["refused"]) == {"notes.txt", "eventlog_v2_app-2"}
    assert "left out: notes.txt is no event log of Spark" in done.stderr


def test_a_key_without_the_scope_is_refused(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "scaleout", "ANONYMOUS_SCOPES": "predict"})
    done = run(LOGS, url=server.url)
    assert done.returncode == 1
    assert "train" in done.stderr


@pytest.mark.parametrize("name", ["absent", "empty", "empty.json", "notes.txt", "folder"])
def test_where_there_are_no_runs_nothing_is_sent_and_the_command_fails(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for file, content in (("empty", ""), ("empty.json", ""), ("notes.txt", "hello")):
        (tmp_path / file).write_text(content)
    done = run(tmp_path / name)
    assert (done.returncode, done.stdout) == (1, "")
    assert name in done.stderr


def test_a_server_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    done = run(LOGS)
    assert done.returncode == 3
    assert "is it running" in done.stderr


def test_a_run_with_very_many_jobs_is_sent_in_pieces() -> None:
    small = of_lines(events.small_run(), "log").application()
    long = replace(small, execution_id="long", jobs=[replace(small.jobs[0], job_id=number) for number in range(8000)])
    sent = list(portions([small, long, replace(small, execution_id="last")]))
    assert max(sum(1 + len(job["stages"]) for run in one for job in run["jobs"]) for one in sent) <= 10_000
    ids = [job["job_id"] for one in sent for run in one if run["execution_id"] == "long" for job in run["jobs"]]
    assert ids == list(range(8000))
    assert [run["execution_id"] for run in sent[0]] == ["app-1", "long"]
    assert sent[-1][-1]["execution_id"] == "last"
    assert all(run["context"]["algorithm"] for one in sent for run in one)


def test_the_same_run_twice_is_not_sent_in_one_request() -> None:
    small = of_lines(events.small_run(), "log").application()
    assert [len(one) for one in portions([small, small])] == [1, 1]
