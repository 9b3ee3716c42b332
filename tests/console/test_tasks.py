"""Tasks and clusters: submitting a program, following it, cancelling it, what it left."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server, wait_for

Visit = Callable[..., Page]

HELLO = b"""import json, os, pathlib
print("parameters", json.load(open(os.environ["ATOLL_PARAMS"])))
for path in sorted(pathlib.Path(os.environ["ATOLL_INPUT_DIR"]).glob("*")):
    print("input", path.name, path.stat().st_size)
pathlib.Path(os.environ["ATOLL_OUTPUT_DIR"], "answer.txt").write_text("42")
"""
LONG = b"""import time
for count in range(600):
    print("line", count, flush=True)
    time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Inputs come in parts of a hundred thousand bytes."""
    env = {"SERVICE_MODEL": "sample", "UPLOAD_PART_BYTES": "100000"}
    started = Server(tmp_path_factory.mktemp("tasks"), env=env)
    yield started
    started.stop()


def program(name: str, content: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType="text/x-python", buffer=content)


def submit(server: Server, content: bytes, **config: object) -> str:
    files = {"config": ("config.json", json.dumps(config)), "program": ("program.py", content)}
    answer = server.post("/tasks", files=files)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    return found


@pytest.fixture(scope="module")
def done(server: Server) -> str:
    task = submit(server, HELLO, name="done")
    wait_for(lambda: server.get(f"/tasks/{task}/files").json()["complete"], "the task's files")
    return task


def test_a_program_with_parameters_and_inputs_is_submitted_and_its_log_and_files_are_read(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    page = visit(server, "/console/tasks")
    page.get_by_role("link", name="New task").click()
    page.get_by_label("File *").set_input_files(program("hello.py", HELLO))
    page.get_by_label("Inputs").set_input_files(FilePayload(name="big.bin", mimeType="", buffer=bytes(250_001)))
    page.get_by_label("Name", exact=True).fill("first")
    page.get_by_label("Name of parameter 1").fill("trees")
    page.get_by_label("Value of parameter 1").fill("20")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="first", exact=True)).to_be_visible()
    log = page.get_by_role("region", name="Log of the task")
    expect(log).to_contain_text("parameters {'trees': 20}")
    expect(log).to_contain_text("input big.bin 250001")
    expect(page.locator("#badge")).to_have_text("succeeded")
    page.get_by_role("tab", name="Files").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="output/answer.txt").click()
    begun.value.save_as(tmp_path / "answer.txt")
    assert (tmp_path / "answer.txt").read_text() == "42"


def test_the_log_is_followed_while_the_program_runs_and_it_can_be_cancelled(visit: Visit, server: Server) -> None:
    task = submit(server, LONG, name="long")
    page = visit(server, f"/console/tasks/{task}")
    log = page.get_by_role("region", name="Log of the task")
    expect(log).to_contain_text("line 1")
    expect(log).to_contain_text("line 6")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the task").click()
    expect(page.locator("#badge")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Begin anew")).to_be_visible()


def test_a_task_that_failed_says_why_and_is_begun_anew(visit: Visit, server: Server) -> None:
    task = submit(server, b"raise SystemExit(3)", name="wrong")
    page = visit(server, f"/console/tasks/{task}")
    expect(page.locator("#badge")).to_have_text("failed")
    expect(page.locator("#facts")).to_contain_text("Exit code")
    page.get_by_role("button", name="Begin anew").click()
    page.get_by_role("dialog").get_by_role("button", name="Begin anew").click()
    expect(page.get_by_label("Attempt")).to_have_value("")
    wait_for(lambda: server.get(f"/tasks/{task}").json()["attempt"] == 2, "the second attempt")


def test_the_script_is_shown_before_anything_is_submitted(visit: Visit, server: Server) -> None:
    before = len(server.get("/tasks?limit=500").json()["tasks"])
    page = visit(server, "/console/tasks/new")
    page.get_by_label("File *").set_input_files(program("hello.py", HELLO))
    page.get_by_role("button", name="Preview the script").click()
    expect(page.get_by_role("dialog", name="Script")).to_contain_text("#!/bin/sh")
    assert violations(page) == []
    page.keyboard.press("Escape")
    assert len(server.get("/tasks?limit=500").json()["tasks"]) == before


def test_what_is_wrong_is_said_and_what_was_typed_stays(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/tasks/new", expected=("status of 422",))
    page.get_by_label("Memory").fill("much")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no program")
    page.get_by_label("File *").set_input_files(program("hello.py", HELLO))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("memory")
    expect(page.get_by_label("Memory")).to_have_value("much")
    page.get_by_role("tab", name="JSON").click()
    expect(page.get_by_role("textbox", name="Config", exact=True)).to_have_value(
        '{\n  "cluster": "local",\n  "memory": "much"\n}'
    )
    page.get_by_role("textbox", name="Config", exact=True).fill("[1")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("no JSON object")


def test_parameters_are_numbers_where_they_read_like_some(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/tasks/new")
    given = {"trees": "20", "rate": "1e-3", "fast": "true", "code": "007", "word": " a b "}
    for number, (name, value) in enumerate(given.items(), 1):
        if number > 1:
            page.get_by_role("button", name="Add a parameter").click()
        page.get_by_label(f"Name of parameter {number}").fill(name)
        page.get_by_label(f"Value of parameter {number}").fill(value)
    page.get_by_role("tab", name="JSON").click()
    config = json.loads(page.get_by_role("textbox", name="Config", exact=True).input_value())
    assert config["parameters"] == {"trees": 20, "rate": 0.001, "fast": True, "code": "007", "word": " a b "}


def test_tasks_are_listed_by_state_and_cluster(visit: Visit, server: Server, done: str) -> None:
    page = visit(server, "/console/tasks?state=succeeded&cluster=local")
    expect(page.get_by_role("row").filter(has_text=done).locator(".badge")).to_have_text("succeeded")
    page.get_by_label("State").select_option("lost")
    expect(page.get_by_role("heading", name="No task is like that")).to_be_visible()


def test_clusters_are_shown_with_their_partitions(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/clusters")
    expect(page.get_by_role("region", name="local", exact=True).locator(".badge").first).to_have_text("up")
    expect(page.get_by_role("region", name="Partitions of local")).to_contain_text("cpu (default)")


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_tasks_and_clusters_are_open_to_people_with_disabilities(
    visit: Visit, server: Server, done: str, phone: bool, dark: bool
) -> None:
    page = visit(server, "/console/tasks", phone=phone, dark=dark)
    for path, there in {
        "/console/tasks": page.get_by_role("row").nth(1),
        "/console/tasks/new": page.get_by_label("Name of parameter 1"),
        f"/console/tasks/{done}?tab=files": page.get_by_role("link", name="output/answer.txt"),
        f"/console/tasks/{done}": page.get_by_role("region", name="Log of the task"),
        "/console/clusters": page.get_by_role("region", name="Partitions of local"),
    }.items():
        page.goto(server.url + path)
        expect(there).to_be_visible()
        assert (path, violations(page), overflow_px(page)) == (path, [], 0)
