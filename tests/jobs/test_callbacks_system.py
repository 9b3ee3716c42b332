"""Callbacks of real servers and workers: as a receiver sees them, and when the sender is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from standardwebhooks.webhooks import Webhook

from common.clock import FakeClock
from common.jobs.callbacks.sender import Callbacks
from common.jobs.scheduler import Scheduler
from common.jobs.states import Kind, State
from common.jobs.system import JobSystem
from tests.jobs.kernel import wait_until
from tests.jobs.test_crash import Start, environment, start, system  # noqa: F401  # fixtures
from tests.support.markdown import page
from tests.support.receiver import Receiver
from tests.support.servers import CHECKOUT, Server
from tests.support.servers import environment as variables

ALLOW = {"CALLBACK_ALLOW": "127.0.0.1", "SERVICE_MODEL": "sample"}
BODY = {"requiredField": "Atoll"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def allowed(environment: dict[str, str]) -> dict[str, str]:  # noqa: F811
    """The environment of the processes, before any is started; they may call this machine."""
    environment |= {"CALLBACK_ALLOW": "127.0.0.1", "CALLBACK_TIMEOUT_S": "60"}
    return environment


def submit(server: Server, url: str) -> Any:
    headers = {"Prefer": "respond-async", "X-Callback-Url": url}
    return server.post("/sample_model/predict", json=BODY, headers=headers)


def secret_of(server: Server, state: Path) -> str:
    command = [sys.executable, "-m", "common.cli", "jobs", "callback-secret"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=variables(state, None), capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_a_receiver_is_told_and_verifies_as_the_docs_say(
    start_server: Callable[..., Server], receiver: Receiver, tmp_path: Path
) -> None:
    server = start_server(env=ALLOW)
    job = submit(server, f"{receiver.url}?token=hunter2").json()
    wait_until(lambda: receiver.received, "the callback")
    (received,) = receiver.received
    secret = secret_of(server, tmp_path / "server0")
    (example,) = re.findall(r"```python\n(.*?)```", page("api.md").split("## Callbacks")[1], re.DOTALL)
    documented: dict[str, Any] = {}
    exec(example, documented)  # noqa: S102 - what a reader would copy
    event = documented["verify"](secret, received.headers, received.body)
    assert event == Webhook(secret).verify(received.body, received.headers)
    assert (event["type"], event["data"]["id"]) == ("job.succeeded", job["id"])
    with pytest.raises(ValueError, match="not signed"):
        documented["verify"](secret, received.headers, received.body + b" ")
    wait_until(
        lambda: server.get(f"/jobs/{job['id']}").json()["callback"]["state"] == "delivered", "the note of the delivery"
    )
    shown = server.get(f"/jobs/{job['id']}").json()
    assert {name: shown[name] for name in event["data"] if name != "links"} == {
        name: value for name, value in event["data"].items() if name != "links"
    }
    assert shown["callback"]["url"] == f"{receiver.url}?***"
    assert "hunter2" not in server.log


def test_the_documented_event_has_the_fields_of_a_real_one(receiver: Receiver, kernel_event: dict[str, Any]) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", page("api.md").split("## Callbacks")[1], re.DOTALL)
    documented = json.loads(shown)
    assert documented.keys() == kernel_event.keys()
    assert documented["data"].keys() == kernel_event["data"].keys()


@pytest.fixture
def kernel_event(tmp_path: Path, sqlite_url: str) -> dict[str, Any]:
    from common.database import Database
    from tests.jobs.calling import Calling

    database = Database(sqlite_url)
    kernel = Calling(database, tmp_path, FakeClock())
    (row,) = kernel.rows(kernel.ended())
    database.close()
    event: dict[str, Any] = json.loads(row.body)
    return event


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.2/", "https://169.254.169.254/latest", "http://hooks.example/", "ftp://hooks.example/", "x"],
)
def test_an_address_that_may_not_be_called_is_refused_with_the_job(refusing: Server, url: str) -> None:
    answer = submit(refusing, url)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (wrong,) = answer.json()["errors"]
    assert wrong["field"] == "header.X-Callback-Url"
    assert "https" in wrong["message"] or "reachable from the internet" in wrong["message"]


@pytest.fixture(scope="module")
def refusing(shared_state: Path) -> Iterator[Server]:
    server = Server(shared_state / "refusing", env={"SERVICE_MODEL": "sample"})
    yield server
    server.stop()


def test_the_etag_of_a_job_changes_with_its_callback(start_server: Callable[..., Server], receiver: Receiver) -> None:
    released = threading.Event()
    receiver.answer = lambda handler, request: released.wait(60)
    server = start_server(env=ALLOW)
    job = submit(server, receiver.url).json()
    wait_until(lambda: receiver.received, "the callback")
    before = server.get(f"/jobs/{job['id']}")
    assert before.json()["callback"]["state"] == "pending"
    unchanged = {"If-None-Match": before.headers["etag"]}
    assert server.get(f"/jobs/{job['id']}", headers=unchanged).status_code == 304
    released.set()
    wait_until(lambda: server.get(f"/jobs/{job['id']}", headers=unchanged).status_code == 200, "the change")


def test_a_worker_killed_while_it_tells_of_an_end_leaves_that_to_the_scheduler(
    allowed: dict[str, str],
    system: JobSystem,  # noqa: F811
    start: Start,  # noqa: F811
    receiver: Receiver,
) -> None:
    receiver.answer = lambda handler, request: threading.Event().wait(3600)
    worker = start()
    job = system.service.submit(Kind.TRAINING, "/model/train", b"{}", callback_url=receiver.url).job
    wait_until(lambda: receiver.received, "the first try")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert system.store.get(job.id).state is State.SUCCEEDED
    receiver.answer = None
    # A scheduler of the time when the claim of the dead is over.
    later = FakeClock(datetime.now(UTC) + timedelta(minutes=10))
    callbacks = Callbacks(system.database, later, system.settings.callbacks)
    scheduler = Scheduler(
        system.store, system.queue, system.runner, system.service, system.settings.jobs, later, callbacks
    )
    scheduler.tick()
    shown = callbacks.of(system.store.get(job.id))
    assert shown is not None
    assert (shown.state, shown.attempts) == ("delivered", 2)
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    assert len({received.body for received in receiver.received}) == 1


def test_a_worker_started_for_one_message_tells_before_it_ends(
    allowed: dict[str, str],
    system: JobSystem,  # noqa: F811
    start: Start,  # noqa: F811
    receiver: Receiver,
) -> None:
    job = system.service.submit(Kind.TRAINING, "/model/train", b"{}", callback_url=receiver.url).job
    assert start("--once").wait() == 0
    shown = system.callbacks.of(system.store.get(job.id))
    assert shown is not None
    assert (shown.state, len(receiver.received)) == ("delivered", 1)


def test_the_secret_in_the_settings_counts_before_the_one_that_was_made(tmp_path: Path) -> None:
    secret = "whsec_" + "QXRvbGw5" * 4
    command = [sys.executable, "-m", "common.cli", "jobs", "callback-secret"]

    def shown(*options: str, **more: str) -> list[str]:
        env = variables(tmp_path, more) | {"PATH": os.defpath}
        done = subprocess.run(
            [*command, *options], cwd=CHECKOUT, env=env, capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout.split()

    made = shown()
    assert shown() == made
    assert shown("--new") != made
    assert shown(CALLBACK_SECRET=f"{secret} {made[0]}") == [secret, *made]


def test_openapi_tells_receivers_what_they_get(refusing: Server, kernel_event: dict[str, Any]) -> None:
    document = refusing.get("/openapi.json").json()
    body = document["webhooks"]["job-ended"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**body, "components": document["components"]})
    validator.validate(kernel_event)
    del kernel_event["data"]["state"]
    assert not validator.is_valid(kernel_event)
