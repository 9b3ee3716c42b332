"""Processes of different roles over the same state, as in a deployment."""

from collections.abc import Callable
from pathlib import Path

from tests.support.problems import assert_problem
from tests.support.servers import Server, wait_for


def test_one_that_serves_and_one_that_works_do_a_queued_prediction_together(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    shared = {
        "SERVICE_MODEL": "sample",
        "DATABASE_URL": f"sqlite:///{tmp_path}/atoll.db",
        "FILE_SHARE": str(tmp_path / "share"),
    }
    front = start_server(env=shared | {"ATOLL_ROLES": "http"})
    worker = start_server(env=shared | {"ATOLL_ROLES": "queues"}, ready=False)

    body = {"requiredField": "required 123", "optionalField": "optional"}
    accepted = front.post("/sample_model/predict", json=body, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202, accepted.text
    job = accepted.headers["location"]
    wait_for(lambda: front.get(job).json()["state"] == "succeeded", "the job to succeed")

    assert_problem(worker.post("/sample_model/predict", json=body), 404, told="ATOLL_ROLES is queues")
    assert_problem(worker.get(job), 404, told="the role http")
    assert worker.get("/health/ready").status_code == 200
    assert "atoll_startups_total" in worker.get("/metrics").text
