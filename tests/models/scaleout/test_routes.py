"""The routes under /scaleout."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.problems import assert_problem


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(make_app(tmp_path / "state", serve=("scaleout",)))


def run(name: str, scale_out: int = 4, seconds: float = 300.0, **more: Any) -> dict[str, Any]:
    context = {"system": "spark", "algorithm": "gbt", "data_size_mb": 1000.0}
    ends = {"start_s": 100.0, "end_s": 100.0 + seconds, "start_scale_out": scale_out, "end_scale_out": scale_out}
    return {"execution_id": name, "context": context, **ends} | more


def bring(client: Client, *runs: dict[str, Any]) -> Any:
    return client.post("/scaleout/applications", json={"applications": list(runs)})


def ask(client: Client, **more: Any) -> dict[str, Any]:
    body = {"algorithm": "gbt", "data_size_mb": 1000, "min_scale_out": 2, "max_scale_out": 12} | more
    answer = client.post("/scaleout/predict", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_with_nothing_known_the_most_executors_are_recommended_and_said_why(client: Client) -> None:
    found = ask(client, target_s=600)
    assert (found["curve"], found["runs"], found["recommendation"]["scale_out"]) == ([], 0, 12)
    assert "nothing is known" in found["recommendation"]["why"]


@pytest.mark.parametrize("count", [1, 2])
def test_with_one_or_two_runs_the_recommendation_is_safe_and_the_model_is_named(client: Client, count: int) -> None:
    bring(client, *(run(f"r{n}", 8, 300) for n in range(count)))
    found = ask(client, target_s=600)
    assert (len(found["curve"]), found["runs"]) == (11, count)
    assert found["model"]
    # Even if each executor less costs its full share.
    at = found["recommendation"]["scale_out"]
    assert 4 <= at <= 8
    assert 300 * 8 / at <= 600


def test_with_runs_at_one_scale_out_only_the_model_says_so(client: Client) -> None:
    bring(client, *(run(f"r{n}", 8, 300 + n) for n in range(5)))
    found = ask(client, target_s=600)
    assert "1-scale-out" in found["model"]


def test_with_runs_at_many_scale_outs_the_curve_falls_and_the_cheapest_that_meets_the_target_is_taken(
    client: Client,
) -> None:
    bring(
        client,
        *(
            run(
                f"r{n}",
                x,
                30 + 1800 / x,
            )
            for n, x in enumerate((2, 3, 4, 6, 8, 10, 12, 4, 8))
        ),
    )
    found = ask(client, target_s=400)
    curve = {point["scale_out"]: point for point in found["curve"]}
    assert curve[2]["median_s"] > curve[6]["median_s"] > curve[12]["median_s"]
    for point in curve.values():
        assert point["low90_s"] <= point["low80_s"] <= point["median_s"] <= point["high80_s"] <= point["high90_s"]
        assert point["executor_minutes"] == pytest.approx(point["scale_out"] * point["median_s"] / 60, abs=0.01)
    chosen = curve[found["recommendation"]["scale_out"]]
    assert chosen["median_s"] < 400
    assert found["recommendation"]["probability"] == chosen["probability"]


def test_without_a_target_there_is_no_probability(client: Client) -> None:
    bring(client, *(run(f"r{x}", x, 30 + 1800 / x) for x in (2, 4, 8)))
    found = ask(client)
    assert {point["probability"] for point in found["curve"]} == {None}


def test_history_does_not_depend_on_the_target_of_its_runs(client: Client) -> None:
    bring(client, run("a", target_s=100.0), run("b", target_s=9000.0), run("c"))
    assert ask(client, target_s=600)["runs"] == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_scale_out": 9, "max_scale_out": 3}, "swap them"),
        ({"min_scale_out": 0}, "greater than or equal to 1"),
        ({"max_scale_out": 5000}, "more than 256"),
        ({"target_s": -1}, "greater than 0"),
        ({"data_size_mb": -5}, "greater than 0"),
        ({"algorithm": ""}, "at least 1 character"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_to_send(
    client: Client, change: dict[str, Any], said: str
) -> None:
    answer = client.post("/scaleout/predict", json={"algorithm": "gbt"} | change)
    assert_problem(answer, 422)
    assert said in answer.text


def test_runs_that_are_sent_twice_are_there_once(client: Client) -> None:
    assert bring(client, run("a"), run("b")).json() == {"imported": 2, "jobs": 0}
    assert bring(client, run("a"), run("b")).status_code == 200
    listed = client.get("/scaleout/applications").json()
    assert sorted(one["execution_id"] for one in listed["applications"]) == ["a", "b"]


def test_runs_are_listed_a_page_at_a_time(client: Client) -> None:
    for number in range(3):
        bring(client, run(f"r{number}"))
    first = client.get("/scaleout/applications?limit=2").json()
    second = client.get(f"/scaleout/applications?limit=2&before={first['next']}").json()
    names = [one["execution_id"] for page in (first, second) for one in page["applications"]]
    assert (names, second["next"]) == (["r2", "r1", "r0"], None)


def test_what_is_shown_of_a_run_can_be_sent_again(client: Client) -> None:
    stages = {"0": {"stage_id": 0, "name": "map", "parents": [], "metrics": {"gc_time_ratio": 0.1}}}
    bring(client, run("a", jobs=[{"job_id": 0, "start_s": 100.0, "end_s": 200.0, "stages": stages}]))
    shown = client.get("/scaleout/applications/a").json()["application"]
    assert bring(client, shown).json() == {"imported": 1, "jobs": 1}
    assert client.get("/scaleout/applications/a").json()["application"] == shown


def test_contexts_tell_what_was_recorded_and_can_be_asked_about_as_they_are(client: Client) -> None:
    more = {"system": "spark", "algorithm": "gbt", "data_size_mb": 24.0, "arguments": ["3"], "cores": 1}
    bring(client, run("a", 4), run("b", 8, 400.0), run("c", 2, context=more, target_s=90.0, max_scale_out=6))
    bring(client, {"execution_id": "d", "context": more})
    first, second = client.get("/scaleout/contexts").json()
    assert (first["data_size_mb"], first["arguments"], first["runs"], first["target_s"]) == (24.0, ["3"], 2, 90.0)
    assert (second["runs"], second["median_s"]) == (2, 350.0)
    assert client.get("/scaleout/contexts?algorithm=kmeans").json() == []
    asked = {name: first[name] for name in ("system", "arguments", "data_size_mb", "cores", "machine", "memory_mb")}
    found = ask(client, **asked, min_scale_out=first["min_scale_out"], max_scale_out=first["max_scale_out"])
    assert [one["execution_id"] for one in found["recorded"]] == ["c"]


def test_the_state_of_a_run_is_told_and_those_under_way_can_be_asked_for(client: Client) -> None:
    now_s = time.time()
    open_end: dict[str, Any] = {"end_s": None, "end_scale_out": None}
    long_ago: dict[str, Any] = {"start_s": now_s - 200_000, **open_end}
    running: dict[str, Any] = {"start_s": now_s - 60, **open_end}
    waiting: dict[str, Any] = {"start_s": None, "start_scale_out": None, **open_end}
    bring(client, run("ended"), run("silent", **long_ago), run("running", **running), run("waiting", **waiting))
    listed = client.get("/scaleout/applications").json()["applications"]
    states = {one["execution_id"]: one["state"] for one in listed}
    assert states == {"ended": "ended", "silent": "silent", "running": "running", "waiting": "waiting"}
    assert {name: client.get(f"/scaleout/applications/{name}").json()["state"] for name in states} == states
    under_way = client.get("/scaleout/applications?under_way=true").json()["applications"]
    assert sorted(one["execution_id"] for one in under_way) == ["running", "waiting"]


def test_a_run_with_all_jobs_that_such_runs_have_is_over_without_a_word_of_its_end(client: Client) -> None:
    job = {"job_id": 0, "start_s": 100.0, "end_s": 200.0}
    bring(client, *(run(f"r{number}", jobs=[job]) for number in range(3)))
    ended_s = time.time() - 3600
    late: dict[str, Any] = {"start_s": ended_s - 90, "end_s": None, "end_scale_out": None}
    bring(client, run("quiet", **late, jobs=[{"job_id": 0, "start_s": ended_s - 60, "end_s": ended_s}]))
    assert client.get("/scaleout/applications/quiet").json()["state"] == "ended"
    assert client.get("/scaleout/applications?under_way=true").json()["applications"] == []


@pytest.mark.parametrize("path", ["/scaleout/applications", "/scaleout/applications/a"])
def test_what_has_not_changed_is_not_sent_again(client: Client, path: str) -> None:
    bring(client, run("a"))
    etag = client.get(path).headers["etag"]
    unchanged = client.get(path, headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    bring(client, run("a", target_s=77.0))
    changed = client.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert "77.0" in changed.text


def test_every_decision_about_a_run_is_told_with_its_reason(client: Client) -> None:
    jobs = [{"job_id": n, "start_s": 100.0 + 50 * n, "end_s": 150.0 + 50 * n, "start_scale_out": 4} for n in range(4)]
    bring(client, *(run(f"r{number}", jobs=jobs, signature="s") for number in range(4)))
    began_s = time.time() - 70
    for number in range(2):
        updates = {"start_time": 1000 * (began_s + 30 * number), "end_time": 1000 * (began_s + 30 * number + 30)}
        event = {"application_execution_id": "now", "job_id": number, "predict": True, "update_event": "JOB_END"}
        told = {**updates, "start_scale_out": 4, "end_scale_out": 4, "stages": {}}
        bring(client, {"execution_id": "now", "context": {"system": "spark", "algorithm": "gbt"}, "signature": "s"})
        answer = client.post("/prediction/online_scale_out_prediction", json={**event, "updates": told})
        assert answer.status_code == 200, answer.text
    shown = client.get("/scaleout/applications/now").json()
    assert [one["after_job"] for one in shown["decisions"]] == [0, 1]
    assert all(one["why"] and one["model"] for one in shown["decisions"])
    assert shown["decisions"][-1]["scale_out"] == shown["plan"]["scale_out"]


def test_a_run_that_is_deleted_is_forgotten(client: Client) -> None:
    bring(client, run("a"))
    assert client.request("DELETE", "/scaleout/applications/a").status_code == 204
    assert_problem(client.get("/scaleout/applications/a"), 404)
    assert_problem(client.request("DELETE", "/scaleout/applications/a"), 404)
    assert ask(client)["runs"] == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"end_s": 50.0}, "body.applications.0.end_s"),
        ({"start_scale_out": -1}, "body.applications.0.start_scale_out"),
        ({"min_scale_out": 9, "max_scale_out": 3}, "body.applications.0.min_scale_out"),
        ({"target_s": 0}, "body.applications.0.target_s"),
        ({"execution_id": ""}, "body.applications.0.execution_id"),
        ({"context": {"system": "spark", "algorithm": ""}}, "body.applications.0.context.algorithm"),
        (
            {"context": {"system": "spark", "algorithm": "a", "data_size_mb": -1}},
            "body.applications.0.context.data_size_mb",
        ),
        ({"jobs": [{"job_id": 1}, {"job_id": 1}]}, "body.applications.0.jobs"),
        ({"jobs": [{"job_id": 1, "start_s": 5, "end_s": 4}]}, "body.applications.0.jobs.0.end_s"),
        (
            {"jobs": [{"job_id": 1, "stages": {"2": {"stage_id": 2, "name": "s", "rdd_mem_size": -1}}}]},
            "body.applications.0.jobs.0.stages.2.rdd_mem_size",
        ),
        (
            {"jobs": [{"job_id": 1, "stages": {"2": {"stage_id": 3, "name": "s"}}}]},
            "body.applications.0.jobs.0.stages.2.stage_id",
        ),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_nothing_of_it_is_kept(
    client: Client, change: dict[str, Any], field: str
) -> None:
    answer = bring(client, run("a") | change)
    assert_problem(answer, 422)
    assert answer.json()["errors"][0]["field"] == field
    assert client.get("/scaleout/applications").json()["applications"] == []
