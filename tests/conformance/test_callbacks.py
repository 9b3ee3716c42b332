"""Callbacks under Microsoft's worker library: the timer sends what is left over."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.test_queued_work import BODY, QUEUE, show
from tests.conformance.worker import QueueMessage, Worker
from tests.jobs.kernel import wait_until
from tests.support.receiver import Receiver

pytestmark = pytest.mark.timeout(1200)


def test_the_timer_sends_the_callback_that_could_not_be_sent(
    start_worker: Callable[..., Worker], package: Path, azurite_server: str, tmp_path: Path
) -> None:
    receiver = Receiver(script=[503, 204])
    worker = start_worker(ATOLL_STATE=str(tmp_path), AzureWebJobsStorage=azurite_server, CALLBACK_ALLOW="127.0.0.1")
    worker.index(package)
    more = {"prefer": "respond-async", "x_callback_url": receiver.url}
    answer = worker.call_json("POST", "/sample_model/predict", BODY, **more)
    job_id = answer.json["id"]
    assert worker.deliver(QUEUE, QueueMessage(job_id)) == [""]
    wait_until(lambda: show(worker, job_id)["callback"]["last_error"] == "answered 503", "the first try")
    # The next try is due some seconds later.
    with sqlite3.connect(tmp_path / "atoll.db") as database:
        database.execute("UPDATE job_callbacks SET next_at = created_at")
    worker.tick()
    wait_until(lambda: show(worker, job_id)["callback"]["state"] == "delivered", "the second try")
    assert [received.headers["webhook-id"] for received in receiver.received] == [
        show(worker, job_id)["callback"]["id"]
    ] * 2
    receiver.close()
