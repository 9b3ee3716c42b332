"""A batch whose whole service is killed goes on where it was and writes the same file."""

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


class Killed:
    """A service with one batch, killed again and again; `kept`: the parts that were there after each kill."""

    def __init__(self, state: Path, body: dict[str, Any]) -> None:
        self._state = state
        self.share = open_share(StorageSettings(state_dir=state))
        self.kept: list[dict[str, str]] = []
        self.server = Server(state, env=ENV)
        accepted = self.server.post("/imputation/batch", json=body)
        assert accepted.status_code == 202, accepted.text
        self.place = accepted.headers["location"]

    def kill(self) -> None:
        """Kill it when it has written two more parts, and start it anew."""
        enough = 2 + (len(self.kept[-1]) if self.kept else 0)
        wait_for(lambda: len(parts(self.share)) >= enough, "parts")
        self.close()
        self.kept.append(parts(self.share))
        self.server = Server(self._state, env=ENV)

    def ended(self) -> dict[str, Any]:
        """The job when it has come to an end."""
        going = ("queued", "running", "retrying")
        wait_for(lambda: self.server.get(self.place).json()["state"] not in going, "the job's end")
        job: dict[str, Any] = self.server.get(self.place).json()
        return job

    def close(self) -> None:
        self.server.kill()
        self.server.client.close()


def test_killed_twice_it_resumes_to_the_same_file_and_computes_no_part_again(
    expected: tuple[dict[str, Any], dict[str, Any], bytes], tmp_path: Path
) -> None:
    body, told, content = expected
    killed = Killed(tmp_path / "server", body)
    try:
        killed.kill()
        killed.kill()
        job = killed.ended()
        assert job["state"] == "succeeded", job
        assert [attempt["outcome"] for attempt in job["attempts"]] == ["lost", "lost", "succeed"]
        assert len(killed.kept[0]) < len(killed.kept[1]) < COUNT == len(parts(killed.share))
        assert killed.kept[0].items() <= killed.kept[1].items() <= parts(killed.share).items()
        assert killed.server.get(f"{killed.place}/result").json() == told
        assert killed.server.get(told["file"]).content == content
    finally:
        killed.close()


def test_killed_a_third_time_it_is_dead_and_a_retry_by_hand_computes_only_what_is_left(
    expected: tuple[dict[str, Any], dict[str, Any], bytes], tmp_path: Path
) -> None:
    body, told, content = expected
    killed = Killed(tmp_path / "server", body)
    try:
        for _ in range(3):
            killed.kill()
        dead = killed.ended()
        assert dead["state"] == "dead", dead
        assert dead["error"] == "the worker vanished during attempt 3 of 3"
        assert parts(killed.share) == killed.kept[2]
        assert len(killed.kept[2]) < COUNT
        assert killed.server.post(f"{killed.place}/retry").status_code == 200
        job = killed.ended()
        assert job["state"] == "succeeded", job
        assert killed.kept[2].items() <= parts(killed.share).items()
        assert len(parts(killed.share)) == COUNT
        assert killed.server.get(f"{killed.place}/result").json() == told
        assert killed.server.get(told["file"]).content == content
    finally:
        killed.close()
