"""What old listeners send is taken as it is, and answered as it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.models.scaleout.payloads import PATIENT, T0_MS, application_start, job_end, stage
from tests.support.clients import Client
from tests.support.plugins import make_app

UPDATE, ONLINE = "/training/update_information", "/prediction/online_scale_out_prediction"
NOTHING: dict[str, Any] = {"best_predicted_scale_out_per_job": [], "best_predicted_runtime_per_job": []}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(make_app(tmp_path / "state", serve=("scaleout",)))


def known(client: Client, run: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/scaleout/applications/{run}").json()["application"]
    return found


def record_run(client: Client, name: str, *, scale_out: int, day: int, jobs: int = 5) -> None:
    """A run whose jobs take 120 s divided by its executors each."""
    at = T0_MS + day * 86_400_000
    client.post(UPDATE, json=application_start(name, start_ms=at, scale_out=scale_out))
    for job in range(jobs):
        end = at + 120_000 // scale_out
        client.post(UPDATE, json=job_end(name, job, start_ms=at, end_ms=end, scale_out=scale_out))
        at = end


def test_an_application_and_its_jobs_are_recorded(client: Client) -> None:
    assert client.post(UPDATE, json=application_start("a")).status_code == 200
    event = job_end("a", 0, start_ms=T0_MS + 1000, end_ms=T0_MS + 31_500)
    assert client.post(UPDATE, json=event).json() == {
        "application_execution_id": "a",
        "recorded": True,
        "is_late": False,
    }
    found = known(client, "a")
    assert (found["application_id"], found["signature"], found["start_s"]) == ("spark-0a1b", "gbt-7f", T0_MS / 1000)
    (job,) = found["jobs"]
    assert (job["start_s"], job["end_s"], job["end_scale_out"]) == (T0_MS / 1000 + 1, T0_MS / 1000 + 31.5, 4)
    told = job["stages"]["0"]
    assert (told["num_tasks"], told["rdd_mem_size"], told["metrics"]["cpu_utilization"]) == (16, 1_000_000, 0.8)


def test_updates_may_be_an_object_or_a_text(client: Client) -> None:
    for run, as_text in (("text", True), ("object", False)):
        event = job_end(run, 0, start_ms=T0_MS, end_ms=T0_MS + 1000, as_text=as_text)
        assert client.post(UPDATE, json=event).status_code == 200
    assert known(client, "text")["jobs"] == known(client, "object")["jobs"]


def test_the_end_of_a_job_before_the_start_of_its_application_is_recorded(client: Client) -> None:
    assert client.post(UPDATE, json=job_end("a", 3, start_ms=T0_MS, end_ms=T0_MS + 9)).status_code == 200
    assert client.post(UPDATE, json=application_start("a")).status_code == 200
    assert [job["job_id"] for job in known(client, "a")["jobs"]] == [3]


def test_an_event_twice_is_as_once(client: Client) -> None:
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9)
    client.post(UPDATE, json=event)
    before = known(client, "a")
    assert client.post(UPDATE, json=event).status_code == 200
    assert known(client, "a") == before


def test_stages_that_were_skipped_are_kept_as_such(client: Client) -> None:
    skipped = stage(1, 0, 0, start_time=None, end_time=None, metrics=None)
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9, stages={"1": skipped, "2": None})
    assert client.post(UPDATE, json=event).status_code == 200
    stages = known(client, "a")["jobs"][0]["stages"]
    assert {number: one.get("start_s") for number, one in stages.items()} == {"1": None, "2": None}


def test_a_stage_that_was_tried_again_is_that_of_its_latest_attempt(client: Client) -> None:
    for attempt, reason in ((1, None), (0, "executor lost")):
        again = stage(1, T0_MS, T0_MS + 5 + attempt, attempt_id=attempt, failure_reason=reason)
        client.post(UPDATE, json=job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9, stages={"1": again}))
    told = known(client, "a")["jobs"][0]["stages"]["1"]
    assert (told["attempt"], told.get("failure_reason")) == (1, None)


def test_what_is_not_a_number_counts_as_not_told(client: Client) -> None:
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9)
    event["updates"] = event["updates"].replace('"gc_time_ratio": 0.05', '"gc_time_ratio": NaN')
    assert client.post(UPDATE, json=event).status_code == 200
    assert "gc_time_ratio" not in known(client, "a")["jobs"][0]["stages"]["0"]["metrics"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"updates": {"job_id": 0, "start_time": T0_MS, "end_time": T0_MS - 1}}, "is before start_time"),
        ({"updates": {"job_id": 0, "stages": {"0": {"rdd_mem_size": -1}}}}, "greater than or equal to 0"),
        ({"updates": {"job_id": 0, "stages": {"0": {"num_tasks": -1}}}}, "greater than or equal to 0"),
        ({"updates": {"job_id": 0, "stages": {"x": {}}}}, "match pattern"),
        ({"updates": "no json"}, "is no JSON"),
        ({"updates": "[1]"}, "holds no object"),
        ({"updates": {}, "job_id": None}, "needs the job_id"),
        ({"update_event": "JOB_BEGIN"}, "APPLICATION_START"),
        ({"application_execution_id": ""}, "at least 1 character"),
        ({"application_execution_id": None}, "Field required"),
    ],
)
@pytest.mark.parametrize("path", [UPDATE, ONLINE])
def test_what_cannot_be_is_refused_in_the_old_shape_and_changes_nothing(
    client: Client, path: str, change: dict[str, Any], said: str
) -> None:
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9) | change
    answer = client.post(path, json=event)
    assert answer.status_code == 422
    assert list(answer.json()) == ["detail"]
    assert said in json.dumps(answer.json())
    assert client.get("/scaleout/applications").json()["applications"] == []


def test_with_nothing_known_the_plan_is_empty(client: Client) -> None:
    answer = client.post(
        ONLINE, json=job_end("new", 0, start_ms=T0_MS, end_ms=T0_MS + 9) | {"predict": True}, headers=PATIENT
    )
    assert (answer.status_code, answer.json()) == (200, NOTHING)


def test_with_runs_of_the_same_the_plan_names_the_jobs_to_come_and_their_times(client: Client) -> None:
    for day, scale_out in enumerate((2, 4, 6, 8, 4, 6)):
        record_run(client, f"run{day}", scale_out=scale_out, day=day)
    at = T0_MS + 30 * 86_400_000
    client.post(UPDATE, json=application_start("now", start_ms=at))
    asked = job_end("now", 1, start_ms=at, end_ms=at + 60_000) | {"predict": True}
    answer = client.post(ONLINE, json=asked, headers=PATIENT)
    assert answer.headers["x-plan"] == "new"
    told = answer.json()
    assert [job for job, _ in told["best_predicted_scale_out_per_job"]] == [2, 3, 4]
    assert [job for job, _ in told["best_predicted_runtime_per_job"]] == [2, 3, 4]
    assert all(20 < seconds < 45 for _, seconds in told["best_predicted_runtime_per_job"])
    assert client.get("/scaleout/applications/now").json()["plan"]["model"]


def test_without_predict_the_event_is_recorded_and_nothing_said(client: Client) -> None:
    answer = client.post(
        ONLINE, json=job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9) | {"predict": False}, headers=PATIENT
    )
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert len(known(client, "a")["jobs"]) == 1


@pytest.mark.parametrize("given", ["0", "-1", "nan", "soon"])
def test_a_time_out_that_is_none_is_refused(client: Client, given: str) -> None:
    event = job_end("a", 0, start_ms=T0_MS, end_ms=T0_MS + 9) | {"predict": True}
    answer = client.post(ONLINE, json=event, headers={"X-Rest-Timeout": given})
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])


@pytest.mark.parametrize("path", ["/prediction/preload/", "/prediction//preload/", "/preload/", "/preload//"])
@pytest.mark.parametrize("name", ["gbt", "mpc", "logisticregression", "kmeans"])
def test_the_bases_can_be_preloaded_before_a_run_is_known(client: Client, path: str, name: str) -> None:
    answer = client.get(path + name)
    assert (answer.status_code, answer.json()["base_name"], answer.json()["runs"]) == (200, name, 0)


def test_a_preload_of_an_unknown_name_names_those_that_are_known(client: Client) -> None:
    run = {"execution_id": "a", "context": {"system": "spark", "algorithm": "Page-Rank"}}
    assert client.post("/scaleout/applications", json={"applications": [run]}).status_code == 200
    assert client.get("/preload/pagerank").status_code == 200
    answer = client.get("/preload/sort")
    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": "no model 'sort' is known; those that are: gbt, kmeans, logisticregression, mpc, pagerank"},
    )


def test_a_training_without_runs_says_how_to_get_some(client: Client) -> None:
    asked = {"system_name": "spark", "algorithm_name": "gbt", "model_name": "gbt", "experiment_name": "e"}
    answer = client.post("/training/trigger_model_training", json=asked)
    assert answer.status_code == 422
    assert "no run has been recorded" in answer.json()["detail"]


def test_a_training_is_a_job(client: Client) -> None:
    for day, scale_out in enumerate((2, 4, 6, 8)):
        record_run(client, f"run{day}", scale_out=scale_out, day=day)
        context = {"execution_id": f"run{day}", "context": {"system": "spark", "algorithm": "gbt"}}
        client.post("/scaleout/applications", json={"applications": [context]})
    asked = {"system_name": "spark", "algorithm_name": "gbt", "model_name": "gbt", "experiment_name": "e"}
    answer = client.post("/training/trigger_model_training", json=asked)
    assert answer.status_code == 202
    job = client.get(answer.headers["location"]).json()
    assert (job["kind"], job["model"], job["path"]) == ("training", "scaleout", "/scaleout/train")
