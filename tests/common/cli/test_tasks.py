"""`atoll submit`, `atoll tasks`, `atoll clusters`, against a server whose local cluster runs programs for real."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from common.cli.submit import scalar
from tests.common.cli.conftest import Atoll
from tests.common.cli.test_remote import answer, client
from tests.support.servers import run_cli

__all__ = ["client"]

SCRIPT = """
import json, os, sys
given = json.load(open(os.environ["ATOLL_PARAMS"]))
print("given", json.dumps(given, sort_keys=True), os.environ.get("GREETING", ""))
print("argv", sys.argv[1:])
print("inputs", sorted(os.listdir(os.environ["ATOLL_INPUT_DIR"])))
open(os.environ["ATOLL_OUTPUT_DIR"] + "/metrics.json", "w").write(json.dumps({"score": 0.5}))
os.mkdir(os.environ["ATOLL_OUTPUT_DIR"] + "/plots")
open(os.environ["ATOLL_OUTPUT_DIR"] + "/plots/a.txt", "w").write("a plot")
sys.exit(given.get("code", 0))
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "train.py").write_text(SCRIPT)
    return str(tmp_path / "train.py")


def test_a_program_is_followed_to_its_end_with_what_it_was_given(atoll: Atoll, script: str, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"depth": 3, "n": 1}')
    (tmp_path / "rows.csv").write_text("1")
    run = atoll(
        "submit",
        script,
        *("--params", str(tmp_path / "params.json"), "-p", "n=2", "-p", "lr=0.1", "-p", "on=true", "-p", "name=x y"),
        *("--env", "GREETING=hello", "--input", str(tmp_path / "rows.csv"), "--arguments", "--follow"),
    )
    assert run.returncode == 0, run.stderr
    given, argv, inputs = run.stdout.splitlines()
    assert given == 'given {"depth": 3, "lr": 0.1, "n": 2, "name": "x y", "on": true} hello'
    assert "--n=2" in argv
    assert inputs == "inputs ['rows.csv']"
    states = [line.split()[1] for line in run.stderr.splitlines()]
    # Where the machine is busy, the first look finds it on its way already.
    assert states[0] in ("received", "submitting", "pending", "running")
    assert states[-1] == "succeeded"


def test_a_program_that_fails_ends_the_command_with_4(atoll: Atoll, script: str) -> None:
    run = atoll("submit", script, "-p", "code=3", "--follow")
    assert run.returncode == 4
    assert "failed (exit code 3" in run.stderr.splitlines()[-1]


def test_an_array_is_followed_by_the_states_of_its_elements(atoll: Atoll, tmp_path: Path) -> None:
    (tmp_path / "go.sh").write_text('echo "element $ATOLL_ARRAY_INDEX"; exit $ATOLL_ARRAY_INDEX\n')
    run = atoll("submit", str(tmp_path / "go.sh"), "--array", "0-1", "--follow")
    assert (run.returncode, run.stdout) == (4, "")
    assert [line.split() for line in run.stderr.splitlines()[-3:-1]] == [["0", "succeeded"], ["1", "failed"]]
    task_id = run.stderr.split()[0]
    assert atoll("tasks", "logs", task_id, "--element", "1").stdout == "element 1\n"


def test_a_folder_is_sent_whole(atoll: Atoll, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "helper.sh").write_text("echo from the helper\n")
    (folder / "src/go.sh").write_text("sh helper.sh\n")
    run = atoll("submit", str(folder), "--entry", "src/go.sh", "--follow")
    assert (run.returncode, run.stdout) == (0, "from the helper\n"), run.stderr


def test_a_submitted_task_is_listed_and_shown(atoll: Atoll, script: str) -> None:
    task = answer(atoll("submit", script, "--name", "cli files"))
    assert atoll("tasks", "logs", "-f", task["id"]).stdout.startswith("given {}")
    late = atoll("tasks", "cancel", task["id"])
    assert (late.returncode, "succeeded already" in late.stderr) == (1, True)
    listed = answer(atoll("tasks", "list", "--cluster", "local"))
    assert task["id"] in [one["id"] for one in listed]
    shown = answer(atoll("tasks", "show", task["id"]))
    assert (shown["name"], shown["cluster"]) == ("cli files", "local")


def test_files_are_listed_and_downloaded(atoll: Atoll, script: str, tmp_path: Path) -> None:
    done = atoll("submit", script, "--follow", "--json")
    task = json.loads(done.stdout[done.stdout.index("\n{") :])
    paths = {item["path"] for item in answer(atoll("tasks", "files", task["id"]))}
    assert paths == {"output/metrics.json", "output/plots/a.txt", "task.log"}
    assert atoll("tasks", "files", task["id"], "--get", str(tmp_path / "all")).returncode == 0
    assert (tmp_path / "all/output/plots/a.txt").read_text() == "a plot"
    assert (tmp_path / "all/task.log").read_text().startswith("given {}")
    atoll("tasks", "files", task["id"], "output/plots", "--get", str(tmp_path / "some"))
    assert [path.name for path in (tmp_path / "some").rglob("*") if path.is_file()] == ["a.txt"]
    refused = atoll("tasks", "files", task["id"], "nosuch")
    assert refused.returncode == 1
    assert "output/plots/a.txt" in refused.stderr


def test_a_task_is_cancelled_and_run_again(atoll: Atoll, tmp_path: Path) -> None:
    (tmp_path / "wait.sh").write_text('echo began; [ "$ATOLL_WAIT" = no ] || sleep 600\n')
    task = answer(atoll("submit", str(tmp_path / "wait.sh")))
    cancelled = answer(atoll("tasks", "cancel", task["id"], "--wait"))
    assert cancelled["state"] == "cancelled"
    retried = answer(atoll("tasks", "retry", task["id"]))
    assert retried["attempt"] == 2
    assert answer(atoll("tasks", "cancel", task["id"], "--wait"))["state"] == "cancelled"


def test_a_preview_submits_nothing(atoll: Atoll, script: str) -> None:
    before = answer(atoll("tasks", "list"))
    run = atoll("submit", script, "--preview", "-p", "n=2")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("#!/bin/sh")
    assert answer(atoll("tasks", "list")) == before


def test_the_same_key_is_the_same_task(atoll: Atoll, script: str) -> None:
    ask = ("submit", script, "--idempotency-key", "cli-task-twin")
    assert answer(atoll(*ask))["id"] == answer(atoll(*ask))["id"]


def test_people_see_tables(terminal: Callable[..., str], script: str) -> None:
    said = terminal("submit", script, "--name", "for people")
    task_id = said.split()[0]
    assert f"atoll tasks logs -f {task_id}" in said
    terminal("tasks", "logs", "-f", task_id)
    assert "for people" in terminal("tasks", "list")
    assert "entry_point=train.py" in terminal("tasks", "show", task_id)
    assert "local" in terminal("clusters", "list")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cluster", "atena02"], "those configured are: local"),
        (["--partition", "gpu"], "partition"),
        (["--time", "soon"], "time_limit"),
        (["--memory", "much"], "memory"),
        (["--after", "nosuch"], "dependencies"),
    ],
)
def test_what_no_cluster_takes_is_refused_by_the_server(
    atoll: Atoll, script: str, arguments: list[str], said: str
) -> None:
    run = atoll("submit", script, *arguments)
    assert (run.returncode, run.stdout) == (1, "")
    assert said in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", "/no/such/file.py"],
        ["submit", "pyproject.toml"],
        ["submit", "Makefile", "--input", "/no/such/file"],
        ["submit", "function_app.py", "-p", "novalue"],
        ["submit", "function_app.py", "-p", "a=1", "-p", "a=2"],
        ["submit", "function_app.py", "--params", "/no/such/file"],
        ["submit", "function_app.py", "--params", "function_app.py"],
        ["submit", "function_app.py", "--cpus", "0"],
        ["clusters", "check", "atena02"],
    ],
)
def test_wrong_usage_ends_with_2(atoll: Atoll, arguments: list[str]) -> None:
    run = atoll(*arguments)
    assert (run.returncode, run.stdout) == (2, ""), run.stderr


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("0.5", 0.5),
        ("-1e3", -1000.0),
        ("true", True),
        ("false", False),
        ('"2"', "2"),
        ("abc", "abc"),
        ("", ""),
        ("null", "null"),
        ("[1]", "[1]"),
        ("{}", "{}"),
        ("NaN", "NaN"),
        ("007", "007"),
        ("1,2", "1,2"),
    ],
)
def test_a_parameter_is_a_scalar_of_json_or_else_text(text: str, value: object) -> None:
    found = scalar(text)
    assert (found, type(found)) == (value, type(value))


def check(tmp_path: Path, text: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "clusters.toml"
    file.write_text(text)
    return run_cli(tmp_path, "clusters", "check", *arguments, env={"CLUSTERS_FILE": str(file), **env})


def test_the_clusters_of_this_machine_are_tried_without_a_server(tmp_path: Path) -> None:
    (found,) = answer(check(tmp_path, ""))
    assert (found["name"], found["state"], found["partitions"]) == ("local", "up", ["cpu"])


UNREACHABLE = """
[atena02]
kind = "slurm-ssh"
host = "127.0.0.1"
port = 1
user = "atoll"
key = "file:/no/such/key"
known_hosts = "/no/such/file"
folder = "/scratch/atoll"
"""


def test_one_that_cannot_be_used_says_why_and_ends_the_command_with_1(tmp_path: Path) -> None:
    run = check(tmp_path, UNREACHABLE)
    assert run.returncode == 1
    found = {one["name"]: one for one in json.loads(run.stdout)}
    assert found["local"]["state"] == "up"
    assert found["atena02"]["state"] == "not usable"
    assert "key: the file /no/such/key cannot be read" in found["atena02"]["told"]
    assert check(tmp_path, UNREACHABLE, "local").returncode == 0


def test_one_that_does_not_answer_is_down(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    run = check(tmp_path, UNREACHABLE.replace("/no/such/key", str(tmp_path / "key")), "atena02")
    assert run.returncode == 1
    (found,) = json.loads(run.stdout)
    assert (found["state"], bool(found["told"])) == ("down", True)


def test_a_file_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    run = check(tmp_path, '[a]\nkind = "slurm-ssh"\nhots = "x"\n[b]\nkind = "pbs"\n')
    assert (run.returncode, run.stdout) == (1, "")
    assert "[a] hots: there is no such field; did you mean host?" in run.stderr
    assert "[b] kind: 'pbs' is no kind of cluster" in run.stderr
