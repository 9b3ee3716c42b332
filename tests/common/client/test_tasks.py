"""Tasks by both clients, against a server whose local cluster runs them for real."""

import asyncio
import inspect
from pathlib import Path

import pytest

from common.client import AsyncClient, AtollClientError, Client, StillRunning
from common.client.tasks import AsyncTask, AsyncTaskCalls, Task, TaskCalls
from tests.support.servers import Server

SCRIPT = """
import json, os
print("given", json.load(open(os.environ["ATOLL_PARAMS"])))
print("inputs", os.listdir(os.environ["ATOLL_INPUT_DIR"]))
with open(os.path.join(os.environ["ATOLL_OUTPUT_DIR"], "weights.bin"), "wb") as file:
    file.write(bytes(range(256)) * 40000)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("1,2")
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def test_a_program_is_submitted_followed_and_its_files_fetched(client: Client, program: Path, tmp_path: Path) -> None:
    rows = program.with_name("rows.csv")
    task = client.submit_task(program, {"cluster": "local"}, parameters={"n": 2}, inputs=[rows])
    assert list(task.logs(follow=True)) == ["given {'n': 2}", "inputs ['rows.csv']"]
    assert task.wait(timeout_s=60).has_succeeded
    assert (task.cluster, task.exit_code, task.error) == ("local", 0, None)
    sizes = {file["path"]: file["size_bytes"] for file in task.files()}
    assert sizes["output/weights.bin"] == 256 * 40000
    target = task.download("output/weights.bin", tmp_path / "got/weights.bin")
    assert target.read_bytes() == bytes(range(256)) * 40000
    assert client.task(task.id).state == "succeeded"


def test_a_file_that_is_not_there_leaves_nothing_behind(client: Client, program: Path, tmp_path: Path) -> None:
    task = client.submit_task(program).wait(timeout_s=60)
    with pytest.raises(AtollClientError) as caught:
        task.download("output/nosuch", tmp_path / "got/nosuch")
    assert caught.value.status == 404
    assert list((tmp_path / "got").iterdir()) == []


def test_a_task_is_cancelled_and_begun_anew(client: Client, tmp_path: Path) -> None:
    (tmp_path / "wait.sh").write_text("echo began\nsleep 600\n")
    task = client.submit_task(tmp_path / "wait.sh", name="client cancel")
    assert next(iter(task.logs(follow=True))) == "began"
    with pytest.raises(StillRunning):
        task.wait(timeout_s=0)
    assert task.cancel().wait(timeout_s=60).state == "cancelled"
    assert task.retry().data["attempt"] == 2
    assert task.cancel().wait(timeout_s=60).state == "cancelled"
    assert task.cancel().state == "cancelled"


def test_tasks_are_listed_page_by_page(client: Client, program: Path) -> None:
    made = [client.submit_task(program).id for _ in range(3)]
    found = [task.id for task in client.tasks(cluster="local", page_size=2)]
    assert found[:3] == made[::-1]


def test_the_same_key_is_the_same_task(client: Client, program: Path) -> None:
    first, second = (client.submit_task(program, idempotency_key="client-twin") for _ in range(2))
    assert first.id == second.id


def test_what_would_be_submitted_is_shown(client: Client, program: Path) -> None:
    assert client.preview_task(program, cluster="local").startswith("#!/bin/sh")
    assert [cluster["name"] for cluster in client.clusters()] == ["local"]


def test_a_field_that_is_wrong_is_named(client: Client, program: Path) -> None:
    with pytest.raises(AtollClientError) as caught:
        client.submit_task(program, parameters={"a": [1]})
    assert caught.value.errors[0]["field"] == "config.model_params.a"


def test_the_async_client_does_the_same(job_server: Server, program: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncClient(job_server.url) as client:
            task = await client.submit_task(program, cluster="local", parameters={"n": 3})
            lines = [line async for line in task.logs(follow=True)]
            assert lines[0] == "given {'n': 3}"
            assert (await task.wait(timeout_s=60)).has_succeeded
            assert "output/weights.bin" in [file["path"] for file in await task.files()]
            got = await task.download("output/weights.bin", tmp_path / "weights.bin")
            assert got.stat().st_size == 256 * 40000
            assert [found.id async for found in client.tasks(page_size=1)].count(task.id) == 1
            assert (await client.preview_task(program)).startswith("#!/bin/sh")
            assert (await client.clusters())[0]["name"] == "local"

    asyncio.run(run())


@pytest.mark.parametrize(("one", "other"), [(TaskCalls, AsyncTaskCalls), (Task, AsyncTask)])
def test_both_clients_have_the_same_methods(one: type, other: type) -> None:
    def methods(of: type) -> dict[str, list[str]]:
        own = {name: part for name, part in vars(of).items() if callable(part) and not name.startswith("_")}
        return {name: list(inspect.signature(part).parameters) for name, part in own.items()}

    assert methods(one) == methods(other)
