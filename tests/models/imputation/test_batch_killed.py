"""A batch whose whole service is killed, twice, goes on where it was and writes the same file."""

from pathlib import Path
from typing import Any

import pytest

from common.settings import StorageSettings
from common.storage import Share, open_share
from models._indicators import source
from models.imputation import batch
from models.imputation.definitions import BatchRequest
from tests.support.plugins import make_app
from tests.support.servers import Server, wait_for
from tests.support.trainings import TrainingClient

COUNT = 9
# A lost worker is noticed within seconds instead of a minute.
ENV = {
    "SERVICE_MODEL": "imputation",
    "JOB_HEARTBEAT_S": "0.2",
    "JOB_STALL_S": "2",
    "JOB_TICK_S": "0.2",
    "JOB_RETRY_S": "0.1",
    "JOB_LEASE_S": "2",
    # A process for each job would be loaded three times more.
    "JOB_ISOLATION": "thread",
}


def uninterrupted(state: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """A request, the result of its job, and its file, made in this process."""
    client = TrainingClient(make_app(state, serve=("imputation",)))
    try:
        client.runtime.records[0].load()
        questions = batch.plan(source.current(), BatchRequest(target_year="2018")).questions
        body = {"target_year": "2018", "targets": [code for code, _ in questions[:COUNT]], "number_predictor": 5}
        job = client.run(client.job(client.post("/imputation/batch", json=body)))
        told = client.get(f"/jobs/{job.id}/result").json()
        return body, told, client.get(told["file"]).content
    finally:
        client.jobs.stop(0)


def parts(share: Share) -> dict[str, str]:
    """Etag by path: it changes with every write."""
    return {info.path: info.etag for info in share.find("imputation/parts")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    return uninterrupted(tmp_path_factory.mktemp("uninterrupted"))


def test_killed_twice_it_resumes_to_the_same_file_and_computes_no_part_again(
    expected: tuple[dict[str, Any], dict[str, Any], bytes], tmp_path: Path
) -> None:
    body, told, content = expected
    state = tmp_path / "server"
    share = open_share(StorageSettings(state_dir=state))
    kept: list[dict[str, str]] = []
    server = Server(state, env=ENV)
    try:
        accepted = server.post("/imputation/batch", json=body)
        assert accepted.status_code == 202, accepted.text
        place = accepted.headers["location"]
        for _ in range(2):
            enough = 2 + (len(kept[-1]) if kept else 0)
            wait_for(lambda least=enough: len(parts(share)) >= least, "parts")  # type: ignore[misc]
            server.kill()
            server.client.close()
            kept.append(parts(share))
            server = Server(state, env=ENV)
        wait_for(lambda: server.get(place).json()["state"] not in ("queued", "running", "retrying"), "the job's end")
        job = server.get(place).json()
        assert job["state"] == "succeeded", job
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["lost", "lost", "succeed"]
        assert len(kept[0]) < len(kept[1]) < COUNT == len(parts(share))
        assert kept[0].items() <= kept[1].items() <= parts(share).items()
        assert server.get(f"{place}/result").json() == told
        assert server.get(told["file"]).content == content
    finally:
        server.kill()
        server.client.close()
