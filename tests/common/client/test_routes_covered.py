"""Every route of the API has a call of the clients: they are made here, and what was asked is compared."""

import asyncio
import contextlib
import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.client import AsyncClient, AtollClientError, Client, Job, Task
from common.client.asynchronous import AsyncJob
from common.client.retry import Policy
from common.client.routes import place_of
from common.client.tasks import AsyncTask
from common.plugins.record import PluginRecord
from tests.common.test_docs import BUNDLED, operations
from tests.support.plugins import make_app
from tests.support.servers import Server

ID = "0" * 27
# By the method that makes them; a property or a helper needs none.
CALLS: dict[str, Callable[[Any, Path], Any]] = {
    "add_snapshot": lambda client, _: client.add_snapshot("m", 1, b"a\n1\n"),
    "artefact": lambda client, _: client.artefact("m", 1, "a"),
    "audit": lambda client, _: client.audit(),
    "clear_sampling": lambda client, _: client.clear_sampling("m"),
    "clear_traffic": lambda client, _: client.clear_traffic("m"),
    "cluster": lambda client, _: client.cluster("local"),
    "clusters": lambda client, _: client.clusters(),
    "create_key": lambda client, _: client.create_key("k"),
    "dataset_file": lambda client, _: client.dataset_file("d", "f"),
    "datasets": lambda client, _: client.datasets(),
    "delete_alias": lambda client, _: client.delete_alias("m", "a"),
    "delete_dataset_file": lambda client, _: client.delete_dataset_file("d", "f"),
    "delete_model": lambda client, _: client.delete_model("m"),
    "delete_version": lambda client, _: client.delete_version("m", 1),
    "describe": lambda client, _: client.describe("m", description="d"),
    "describe a version": lambda client, _: client.describe("m", 1, description="d"),
    "download_dataset_file": lambda client, folder: client.download_dataset_file("d", "f", folder / "f"),
    "drift": lambda client, _: client.drift("m", 1),
    "drop_input": lambda client, _: client.drop_input(ID),
    "infer": lambda client, _: client.infer("sample", [{"name": "x"}]),
    "infer a version": lambda client, _: client.infer("sample", [{"name": "x"}], version=1),
    "inference_index": lambda client, _: client.inference_index(),
    "inference_models": lambda client, _: client.inference_models(),
    "inference_server": lambda client, _: client.inference_server(),
    "input_upload": lambda client, _: client.input_upload(ID),
    "is_inference_live": lambda client, _: client.is_inference_live(),
    "is_inference_ready": lambda client, _: client.is_inference_ready(),
    "is_live": lambda client, _: client.is_live(),
    "is_model_ready": lambda client, _: client.is_model_ready("sample"),
    "is_model_ready of a version": lambda client, _: client.is_model_ready("sample", 1),
    "is_ready": lambda client, _: client.is_ready(),
    "job": lambda client, _: client.job(ID),
    "jobs": lambda client, _: client.jobs(),
    "key": lambda client, _: client.key("k"),
    "list_keys": lambda client, _: client.list_keys(),
    "metrics": lambda client, _: client.metrics(),
    "model": lambda client, _: client.model("sample").routes(),
    "models": lambda client, _: client.models(),
    "openapi": lambda client, _: client.openapi(),
    "params": lambda client, _: client.params(),
    "predict": lambda client, _: client.predict("sample", {"requiredField": "Ada"}),
    "preview_task": lambda client, folder: client.preview_task(folder / "a.sh"),
    "promote": lambda client, _: client.promote("m", metric="rmse", direction="lower"),
    "put_dataset_file": lambda client, folder: client.put_dataset_file("d", folder / "a.sh"),
    "registry": lambda client, _: client.registry(),
    "registry of a model": lambda client, _: client.registry("m"),
    "registry of a version": lambda client, _: client.registry("m", 1),
    "revoke_key": lambda client, _: client.revoke_key("k"),
    "rollback": lambda client, _: client.rollback("m"),
    "sampling": lambda client, _: client.sampling("m"),
    "server": lambda client, _: client.server(),
    "set_alias": lambda client, _: client.set_alias("m", "a", 1),
    "set_sampling": lambda client, _: client.set_sampling("m", 0.1),
    "set_traffic": lambda client, _: client.set_traffic("m", {"default": 1.0}),
    "settings": lambda client, _: client.settings(),
    "submit_task": lambda client, folder: client.submit_task(folder / "a.sh", cluster="nowhere"),
    "task": lambda client, _: client.task(ID),
    "tasks": lambda client, _: client.tasks(),
    "tensors": lambda client, _: client.tensors("sample"),
    "tensors of a version": lambda client, _: client.tensors("sample", 1),
    "train": lambda client, _: client.train("sample", {}),
    "upload_input": lambda client, folder: client.upload_input(folder / "a.sh"),
    "whoami": lambda client, _: client.whoami(),
}
# The flow that a client runs for its callers, and what begins and ends it.
NO_CALLS = {"close", "iterate", "run"}
OF_JOBS = {"cancel", "logs", "result", "retry", "trials"}
OF_TASKS = {"cancel", "files", "logs", "retry"}


def of_jobs(job: Any) -> list[Any]:
    return [getattr(job, name) for name in sorted(OF_JOBS)]


def of_tasks(task: Any) -> list[Any]:
    return [*(getattr(task, name) for name in sorted(OF_TASKS)), lambda: task.read("a.txt")]


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def prefix_of(record: PluginRecord) -> str:
    assert record.router is not None
    return record.router.prefix or record.prefix


def is_of(record: PluginRecord, operation: str) -> bool:
    return operation.partition(" ")[2].startswith(f"{prefix_of(record)}/")


def unclaimed(asked: Iterable[str], app_operations: Iterable[str]) -> list[str]:
    """Operations that nobody asked for."""
    lines = list(asked)

    def matches(operation: str) -> bool:
        pattern = re.sub(r"\{[^}/]+\}", "[^/]+", operation)
        return any(re.fullmatch(pattern, line) for line in lines)

    return sorted(operation for operation in app_operations if not matches(operation))


@pytest.fixture(scope="module")
def every_operation(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return operations(make_app(tmp_path_factory.mktemp("all"), serve=BUNDLED))


@pytest.fixture(scope="module")
def own_operations(every_operation: set[str], tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Those of Atoll; each model's are reached by its name."""
    records = make_app(tmp_path_factory.mktemp("own"), serve=BUNDLED).state.runtime.records
    return {item for item in every_operation if not any(is_of(record, item) for record in records)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.sh").write_text("true\n", encoding="utf-8")
    return tmp_path


class Recording(httpx.HTTPTransport):
    """The network, and what went over it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.unknown: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.asked.append(f"{request.method} {request.url.path}")
        if answer.status_code == 405:
            self.unknown.append(self.asked[-1])
        return answer


class AsyncRecording(httpx.AsyncHTTPTransport):
    """The same for asyncio."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.unknown: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        self.asked.append(f"{request.method} {request.url.path}")
        if answer.status_code == 405:
            self.unknown.append(self.asked[-1])
        return answer


def test_every_route_of_atoll_has_a_call(job_server: Server, own_operations: set[str], folder: Path) -> None:
    network = Recording()
    with Client(job_server.url, transport=network, policy=Policy(tries=1)) as client:
        begun = client.upload_input(folder / "a.sh")
        client.upload_input(folder / "a.sh", resume=begun["id"])
        work = [lambda call=call: call(client, folder) for call in CALLS.values()]
        for act in [*work, *of_jobs(Job(client, {"id": ID, "state": "failed"})), *of_tasks(Task(client, {"id": ID}))]:
            # Much of it is not there; that it was asked for is what counts.
            with contextlib.suppress(AtollClientError):
                made = act()
                if inspect.isgenerator(made):
                    next(made, None)
    assert network.unknown == []
    assert unclaimed(network.asked, own_operations) == []


def test_every_route_of_atoll_has_a_call_to_await(job_server: Server, own_operations: set[str], folder: Path) -> None:
    network = AsyncRecording()

    async def ask() -> None:
        async with AsyncClient(job_server.url, transport=network, policy=Policy(tries=1)) as client:
            work = [lambda call=call: call(client, folder) for call in CALLS.values()]
            for act in [
                *work,
                *of_jobs(AsyncJob(client, {"id": ID, "state": "failed"})),
                *of_tasks(AsyncTask(client, {"id": ID})),
            ]:
                with contextlib.suppress(AtollClientError):
                    made = act()
                    if inspect.isasyncgen(made):
                        await anext(made, None)
                    else:
                        await made

    asyncio.run(ask())
    assert network.unknown == []
    assert unclaimed(network.asked, own_operations) == []


def test_every_method_of_the_clients_is_called_here() -> None:
    called = {name.split(" ")[0] for name in CALLS}
    assert public(Client) - NO_CALLS == called
    assert public(Client) == public(AsyncClient)
    assert public(Job) == public(AsyncJob)
    assert public(Task) == public(AsyncTask)


@pytest.mark.parametrize(("blocking", "awaited"), [(Client, AsyncClient), (Job, AsyncJob), (Task, AsyncTask)])
def test_both_clients_take_the_same_parameters(blocking: type, awaited: type) -> None:
    differ = [
        name
        for name in sorted(public(blocking) - NO_CALLS)
        if inspect.signature(getattr(blocking, name)).parameters != inspect.signature(getattr(awaited, name)).parameters
    ]
    assert differ == []


def test_every_route_of_every_model_is_found_by_the_models_name(
    every_operation: set[str], own_operations: set[str], tmp_path: Path
) -> None:
    app = make_app(tmp_path, serve=BUNDLED)
    with_models = every_operation - own_operations
    found = set()
    for record in app.state.runtime.records:
        mine = sorted(item for item in with_models if is_of(record, item))
        for item in mine:
            method, _, path = item.partition(" ")
            found.add(f"{method} {place_of(mine, record.name, method, path.removeprefix(prefix_of(record)))}")
    assert found == with_models
