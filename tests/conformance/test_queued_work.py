"""Queue and timer functions under Microsoft's worker library: a job is accepted over HTTP and run by a message."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.jobs.scheduler import UNQUEUED_S
from tests.conformance.storage import Storage
from tests.conformance.worker import Call, QueueMessage, Worker

# The first test may have to download an environment, or Azurite.
pytestmark = pytest.mark.timeout(1200)

QUEUE = "prediction-cpu"
POISON = "prediction-cpu-poison"
QUEUES = {QUEUE, POISON, *(f"{kind}-cpu{end}" for kind in ("training", "submission") for end in ("", "-poison"))}
BODY = {"requiredField": "é"}
# Indexing talks to no storage account.
UNUSED_STORAGE = "UseDevelopmentStorage=true"


def accept(worker: Worker) -> str:
    """The id of a new prediction job."""
    answer = worker.call_json("POST", "/sample_model/predict", BODY, prefer="respond-async")
    assert answer.status == 202
    job_id: str = answer.json["id"]
    assert answer.headers["location"] == f"/jobs/{job_id}"
    return job_id


def show(worker: Worker, job_id: str) -> dict[str, Any]:
    answer = worker.call("GET", f"/jobs/{job_id}")
    assert answer.status == 200
    shown: dict[str, Any] = answer.json
    return shown


def test_each_queue_has_a_function_and_one_for_its_poison(queue_worker: Worker) -> None:
    triggers = {name: it for name, it in queue_worker.triggers.items() if it["type"] == "queueTrigger"}
    assert set(triggers) == QUEUES
    for name, trigger in triggers.items():
        told = (trigger["queueName"], trigger["connection"], trigger["name"], trigger["direction"].lower())
        assert told == (name, "AzureWebJobsStorage", "message", "in")


def test_a_timer_is_due_every_fifteen_seconds(queue_worker: Worker) -> None:
    (trigger,) = [it for it in queue_worker.triggers.values() if it["type"] == "timerTrigger"]
    assert queue_worker.triggers["tick"] == trigger
    assert (trigger["schedule"], trigger["name"]) == ("*/15 * * * * *", "timer")


def test_without_a_storage_account_there_is_nothing_to_trigger_from(worker: Worker) -> None:
    assert set(worker.triggers) == {"http", "tick"}


@pytest.mark.parametrize(("roles", "names"), [("http", {"http"}), ("queues", QUEUES), ("timers", {"tick"})])
def test_roles_choose_the_functions(
    start_worker: Callable[..., Worker], package: Path, roles: str, names: set[str]
) -> None:
    worker = start_worker(ATOLL_ROLES=roles, AzureWebJobsStorage=UNUSED_STORAGE)
    worker.index(package)
    assert set(worker.triggers) == names


def test_a_placeholder_takes_roles_and_storage_account_of_the_app(
    start_worker: Callable[..., Worker], package: Path, worker_env: dict[str, str], tmp_path: Path
) -> None:
    worker = start_worker()
    worker.specialise(tmp_path, package, worker_env | {"ATOLL_ROLES": "queues", "AzureWebJobsStorage": UNUSED_STORAGE})
    assert set(worker.triggers) == QUEUES


def test_the_message_sent_for_a_job_runs_it(queue_worker: Worker, storage: Storage) -> None:
    direct = queue_worker.call_json("POST", "/sample_model/predict", BODY)
    job_id = accept(queue_worker)
    assert show(queue_worker, job_id)["state"] == "queued"
    message = storage.take(QUEUE, job_id)
    assert message is not None
    assert queue_worker.deliver(QUEUE, message) == [""]
    assert show(queue_worker, job_id)["state"] == "succeeded"
    result = queue_worker.call("GET", f"/jobs/{job_id}/result")
    assert (result.status, result.headers["content-type"], result.body) == (
        direct.status,
        direct.headers["content-type"],
        direct.body,
    )


def test_a_message_may_be_the_first_thing_a_process_sees(
    start_worker: Callable[..., Worker], package: Path, queue_worker: Worker, azurite_server: str
) -> None:
    job_id = accept(queue_worker)
    worker = start_worker(ATOLL_ROLES="queues", AzureWebJobsStorage=azurite_server)
    worker.index(package)
    assert worker.deliver(QUEUE, QueueMessage(job_id)) == [""]
    shown = show(queue_worker, job_id)
    assert (shown["state"], len(shown["attempts"])) == ("succeeded", 1)


def test_a_message_and_requests_that_come_first_together_start_the_app_once(
    start_worker: Callable[..., Worker], package: Path, queue_worker: Worker, azurite_server: str
) -> None:
    job_id = accept(queue_worker)
    worker = start_worker(AzureWebJobsStorage=azurite_server)
    worker.index(package)
    requests = [worker.http_invocation(Call("GET", f"/jobs/{job_id}")) for _ in range(2)]
    messages = [worker.queue_invocation(QUEUE, QueueMessage(job_id)) for _ in range(2)]
    answers = worker.ask(*requests, *messages)
    assert [answer["invocation_response"]["result"]["status"] for answer in answers] == ["Success"] * 4
    assert show(worker, job_id)["state"] == "succeeded"
    assert "\natoll_startups_total 1.0\n" in worker.call("GET", "/metrics").body.decode()


def test_a_message_that_comes_again_runs_nothing(queue_worker: Worker) -> None:
    job_id = accept(queue_worker)
    message = QueueMessage(job_id)
    assert queue_worker.deliver(QUEUE, message) == [""]
    ended = show(queue_worker, job_id)
    assert queue_worker.deliver(QUEUE, replace(message, dequeue_count=2)) == [""]
    assert show(queue_worker, job_id) == ended
    assert len(ended["attempts"]) == 1


def test_a_message_that_comes_twice_at_once_runs_one_attempt(queue_worker: Worker) -> None:
    job_id = accept(queue_worker)
    assert queue_worker.deliver(QUEUE, *[QueueMessage(job_id)] * 2) == ["", ""]
    shown = show(queue_worker, job_id)
    assert (shown["state"], len(shown["attempts"])) == ("succeeded", 1)


@pytest.mark.parametrize("body", ["0" * 27, "", "é", '{"job": 1}'])
@pytest.mark.parametrize("queue", [QUEUE, POISON])
def test_a_message_that_names_no_job_is_dropped(queue_worker: Worker, queue: str, body: str) -> None:
    assert queue_worker.deliver(queue, QueueMessage(body)) == [""]


def test_a_job_whose_message_is_poison_is_dead(queue_worker: Worker) -> None:
    job_id = accept(queue_worker)
    assert queue_worker.deliver(POISON, QueueMessage(job_id)) == [""]
    shown = show(queue_worker, job_id)
    assert (shown["state"], shown["attempts"]) == ("dead", [])
    assert "came back too often" in shown["error"]
    # A copy of the message that comes late finds nothing to do.
    assert queue_worker.deliver(QUEUE, QueueMessage(job_id, dequeue_count=6)) == [""]
    assert show(queue_worker, job_id) == shown


def test_poison_does_no_harm_to_a_job_that_has_finished(queue_worker: Worker) -> None:
    job_id = accept(queue_worker)
    assert queue_worker.deliver(QUEUE, QueueMessage(job_id)) == [""]
    assert queue_worker.deliver(POISON, QueueMessage(job_id)) == [""]
    assert show(queue_worker, job_id)["state"] == "succeeded"


def test_the_host_keeps_a_message_while_the_database_is_away(
    start_worker: Callable[..., Worker], package: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "database"
    folder.write_text("in the way")
    url = f"sqlite:///{folder / 'atoll.db'}"
    worker = start_worker(DATABASE_URL=url, AzureWebJobsStorage=UNUSED_STORAGE, ATOLL_ROLES="queues")
    worker.index(package)
    message = QueueMessage("0" * 27)
    assert all(worker.deliver(QUEUE, message) + worker.deliver(POISON, message))
    folder.unlink()
    assert worker.deliver(QUEUE, message) == [""]
    with sqlite3.connect(folder / "atoll.db") as database:
        database.execute("ALTER TABLE jobs RENAME TO away")
    assert all(worker.deliver(QUEUE, message) + worker.deliver(POISON, message))
    with sqlite3.connect(folder / "atoll.db") as database:
        database.execute("ALTER TABLE away RENAME TO jobs")
    assert worker.deliver(QUEUE, message) + worker.deliver(POISON, message) == ["", ""]


def test_the_timer_sends_the_message_that_could_not_be_sent(
    start_worker: Callable[..., Worker], package: Path, storage: Storage, azurite_server: str, tmp_path: Path
) -> None:
    # Of its own: the first process that ticks over a database is the only one that acts for a while.
    state = str(tmp_path)
    locked_out = start_worker(
        ATOLL_STATE=state, AzureWebJobsStorage=azurite_server.replace("AccountKey=", "AccountKey=AAAA")
    )
    locked_out.index(package)
    job_id = accept(locked_out)
    accepted_s = time.monotonic()
    worker = start_worker(ATOLL_STATE=state, AzureWebJobsStorage=azurite_server, ATOLL_ROLES="timers")
    worker.index(package)
    assert storage.take(QUEUE, job_id) is None
    # Who accepted it gets as long to send the message.
    time.sleep(max(0.0, accepted_s + UNQUEUED_S + 0.1 - time.monotonic()))
    worker.tick()
    assert storage.take(QUEUE, job_id) is not None
    assert locked_out.deliver(QUEUE, QueueMessage(job_id)) == [""]
    assert show(locked_out, job_id)["state"] == "succeeded"
