"""The commands that ask a server, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.client import Client
from tests.common.cli.conftest import Atoll, Terminal
from tests.support.servers import CHECKOUT, Server, environment, free_port

BODY = '{"requiredField": "Ada"}'
HELLO = {"resp1": "Hello Ada"}


@pytest.fixture
def client(job_server: Server) -> Iterator[Client]:
    with Client(job_server.url) as client:
        yield client


def answer(run: subprocess.CompletedProcess[str]) -> Any:
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_prediction_is_printed_as_json(atoll: Atoll) -> None:
    run = atoll("predict", "sample", "--json", BODY)
    assert (answer(run), run.stderr) == (HELLO, "")


def test_the_body_comes_from_a_file_or_standard_input(atoll: Atoll, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(BODY, encoding="utf-8")
    assert answer(atoll("predict", "sample", "--json", f"@{tmp_path / 'body.json'}")) == HELLO
    assert answer(atoll("predict", "sample", "--json", "-", stdin=BODY)) == HELLO


def test_a_queued_prediction_prints_its_job(atoll: Atoll, client: Client) -> None:
    job = answer(atoll("predict", "sample", "--json", BODY, "--queue"))
    assert client.job(job["id"]).result() == HELLO


def test_a_queued_prediction_that_is_waited_for_prints_its_answer_alone(atoll: Atoll) -> None:
    run = atoll("predict", "sample", "--json", BODY, "--queue", "--wait")
    assert answer(run) == HELLO
    assert run.stderr.startswith("job ")


def test_a_training_is_waited_for(atoll: Atoll) -> None:
    job = answer(atoll("train", "slow", "--json", "{}", "--wait", "-c", "parallel_trials=2"))
    assert (job["state"], job["path"]) == ("succeeded", "/slow_model/predict?parallel_trials=2")


def test_a_training_that_is_waited_for_tells_its_version_and_its_best_values(atoll: Atoll) -> None:
    body = '{"x": [0, 1, 2], "y": [1, 3, 5], "trials": 2}'
    result = answer(atoll("train", "sample", "--json", body, "--wait"))["result"]
    assert result["version"] >= 1
    assert result["best_params"]


def test_the_same_key_is_the_same_job(atoll: Atoll) -> None:
    ask = ("train", "slow", "--idempotency-key", "cli-twin")
    assert answer(atoll(*ask))["id"] == answer(atoll(*ask))["id"]


def test_what_the_server_refuses_ends_with_1_and_a_sentence(atoll: Atoll) -> None:
    for arguments in (
        ["predict", "sample", "--json", "{}"],
        ["jobs", "show", "nosuch"],
        ["registry", "alias", "nosuch", "default", "1"],
    ):
        run = atoll(*arguments)
        assert (run.returncode, run.stdout) == (1, ""), arguments
        assert run.stderr.startswith("atoll: "), arguments


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "sample"],
        ["predict", "sample", "--json", "{"],
        ["predict", "sample", "--json", "@/no/such/file"],
        ["train", "slow", "-c", "novalue"],
        ["--url", "localhost", "jobs", "list"],
        ["jobs", "list", "--limit", "0"],
        ["jobs", "list", "--since", "yesterday"],
        ["jobs", "list", "--until", "99999999999w"],
        ["registry", "alias", "sample", "default", "newest"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_wrong_usage_ends_with_2(atoll: Atoll, arguments: list[str]) -> None:
    run = atoll(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr


def test_no_server_ends_with_3_and_names_the_address(atoll: Atoll) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for run in (atoll("--url", url, "jobs", "list"), atoll("jobs", "list", "--url", url)):
        assert run.returncode == 3
        assert f"no answer from {url}" in run.stderr


def test_a_job_that_comes_to_nothing_ends_with_4(atoll: Atoll) -> None:
    body = '{"refuse": true}'
    waited = atoll("predict", "slow", "--json", body, "--wait")
    assert (waited.returncode, waited.stdout) == (4, "")
    assert "failed: answered 409: it will not" in waited.stderr
    assert atoll("train", "slow", "--json", body, "--wait").returncode == 4
    job_id = waited.stderr.split()[1]
    watched = atoll("jobs", "watch", job_id)
    assert (watched.returncode, json.loads(watched.stdout)["state"]) == (4, "failed")
    assert answer(atoll("jobs", "show", job_id))["attempts"][0]["error"] == "answered 409: it will not"
    assert atoll("jobs", "retry", job_id, "--wait").returncode == 4


def test_a_running_job_is_cancelled(atoll: Atoll, client: Client, gate: Path) -> None:
    job = client.predict("slow", {"until": str(gate)}, queued=True)
    assert answer(atoll("jobs", "cancel", job.id, "--wait"))["state"] == "cancelled"
    assert atoll("jobs", "watch", job.id).returncode == 4


def test_jobs_are_listed_by_filter_and_number(atoll: Atoll, client: Client) -> None:
    made = [client.predict("sample", {"requiredField": "Ada"}, queued=True).wait().id for _ in range(3)]
    found = answer(atoll("jobs", "list", "--model", "sample", "--state", "succeeded", "--limit", "2"))
    assert [job["id"] for job in found] == made[:0:-1]
    assert answer(atoll("jobs", "list", "--kind", "submission")) == []
    either = answer(atoll("jobs", "list", "--state", "dead", "--state", "succeeded", "--since", "1h", "--limit", "1"))
    assert [job["id"] for job in either] == made[:1:-1]
    assert answer(atoll("jobs", "list", "--until", "2001-02-03")) == []
    assert answer(atoll("jobs", "list", "--owner", "nobody")) == []


def test_lines_of_a_log_are_json_each(atoll: Atoll, client: Client) -> None:
    job = client.predict("sample", {"requiredField": "Ada"}, queued=True)
    run = atoll("jobs", "logs", "-f", job.id)
    assert run.returncode == 0
    assert all("text" in json.loads(line) for line in run.stdout.splitlines())
    assert job.refresh().is_finished


def test_versions_are_listed_and_an_alias_chooses_one(
    atoll: Atoll, terminal: Callable[..., str], client: Client
) -> None:
    number = str(client.predict("/slow_model/publish", {}))
    assert "slow" in [model["model"] for model in answer(atoll("registry", "list"))]
    assert answer(atoll("registry", "show", "slow"))["versions"][0]["number"] == int(number)
    assert answer(atoll("registry", "show", "slow", number))["artefacts"][0]["name"] == "a.bin"
    assert answer(atoll("registry", "alias", "slow", "stable", number))["version"] == int(number)
    assert terminal("registry", "alias", "slow", "stable", number).strip() == f"slow:stable -> {number}"
    assert "stable" in terminal("registry", "show", "slow")


def test_in_a_terminal_people_see_tables_and_a_bar(terminal: Callable[..., str], client: Client) -> None:
    job = client.predict("sample", {"requiredField": "Ada"}, queued=True).wait()
    listed = terminal("jobs", "list", "--model", "sample")
    assert listed.splitlines()[0].split()[:4] == ["ID", "KIND", "MODEL", "STATE"]
    assert job.id in listed
    watched = terminal("jobs", "watch", job.id)
    assert "sample succeeded" in watched
    assert "/sample_model/predict" in watched
    assert "LATEST" in terminal("registry", "list")
    assert json.loads(terminal("--json", "jobs", "show", job.id))["id"] == job.id
    assert json.loads(terminal("jobs", "show", job.id, "--json"))["id"] == job.id


def test_help_of_every_command_imports_no_http_client(tmp_path: Path) -> None:
    code = "import sys, common.cli; print({'httpx', 'orjson', 'common.client'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "set()\n"


def test_the_trials_of_a_training_are_listed(atoll: Atoll, terminal: Terminal) -> None:
    body = '{"x": [0, 1, 2], "y": [1, 3, 5], "trials": 2}'
    job = answer(atoll("train", "sample", "--json", body, "--wait"))
    assert [trial["number"] for trial in answer(atoll("jobs", "trials", job["id"]))] == [0, 1]
    assert "complete" in terminal("jobs", "trials", job["id"])


def test_files_of_data_sets_are_sent_listed_fetched_and_deleted(
    atoll: Atoll, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "red.csv").write_text("a\n1\n", encoding="utf-8")
    (tmp_path / "white.csv").write_text("a\n2\n", encoding="utf-8")
    stored = answer(atoll("datasets", "put", "cave", str(tmp_path / "red.csv"), str(tmp_path / "white.csv")))
    assert [one["file"] for one in stored] == ["red.csv", "white.csv"]
    assert "cave" in [item["name"] for item in answer(atoll("datasets", "list"))]
    assert "red.csv, white.csv" in terminal("datasets", "list")
    assert atoll("datasets", "get", "cave", "red.csv", "-o", "-").stdout == "a\n1\n"
    assert atoll("datasets", "get", "cave", "white.csv", "-o", str(tmp_path / "copy.csv")).returncode == 0
    assert (tmp_path / "copy.csv").read_text(encoding="utf-8") == "a\n2\n"
    for name in ("red.csv", "white.csv"):
        assert atoll("datasets", "delete", "cave", name).returncode == 0
    assert atoll("datasets", "get", "cave", "red.csv", "-o", str(tmp_path / "none.csv")).returncode == 1
    assert not (tmp_path / "none.csv").exists()


def test_what_is_no_file_is_not_sent(atoll: Atoll, tmp_path: Path) -> None:
    run = atoll("datasets", "put", "cave", str(tmp_path / "none.csv"))
    assert run.returncode == 2
    assert "none.csv is no file" in run.stderr


def test_a_data_set_with_a_slash_in_its_name_is_refused(atoll: Atoll, tmp_path: Path) -> None:
    (tmp_path / "red.csv").write_text("a\n", encoding="utf-8")
    run = atoll("datasets", "put", "cave/", str(tmp_path / "red.csv"))
    assert run.returncode == 2
    assert "leave out the slash" in run.stderr
