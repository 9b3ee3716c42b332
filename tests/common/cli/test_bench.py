"""`atoll bench` on a real server."""

import json

from tests.common.cli.conftest import Atoll, Terminal


def test_a_model_is_measured_with_its_own_example(atoll: Atoll) -> None:
    run = atoll("bench", "sample", "--seconds", "0.3", "--users", "2")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["url"].endswith("/sample_model/predict")
    assert (told["method"], told["users"], told["errors"]) == ("POST", 2, {})
    assert told["requests"] == told["cache_hits"] > 2
    assert told["latency_ms"]["p50"] <= told["latency_ms"]["p95"] <= told["latency_ms"]["p99"]


def test_with_fresh_no_answer_is_one_that_was_kept(atoll: Atoll) -> None:
    told = json.loads(atoll("bench", "sample", "--seconds", "0.3", "--fresh").stdout)
    assert told["requests"] > 2
    assert told["cache_hits"] == 0


def test_a_path_without_a_body_is_got(atoll: Atoll) -> None:
    told = json.loads(atoll("bench", "/health/live", "--seconds", "0.2").stdout)
    assert told["method"] == "GET"
    assert told["requests"] > 2


def test_people_see_a_table(terminal: Terminal) -> None:
    shown = terminal("bench", "sample", "--seconds", "0.3", "--body", '{"requiredField": "Ada"}')
    assert "p99" in shown
    assert "errors      none" in shown


def test_a_refusal_is_told_once_and_nothing_is_measured(atoll: Atoll) -> None:
    run = atoll("bench", "sample", "--body", "{}")
    assert (run.returncode, run.stdout) == (1, "")
    assert "requiredField: Field required" in run.stderr


def test_what_would_be_queued_is_not_measured(atoll: Atoll) -> None:
    run = atoll("bench", "slow", "--body", '{"takes_s": 1000}')
    assert run.returncode == 1
    assert "the server queues this request" in run.stderr


def test_a_model_without_an_example_wants_a_body(atoll: Atoll) -> None:
    run = atoll("bench", "slow")
    assert run.returncode == 2
    assert "slow has no example" in run.stderr


def test_no_server_ends_with_3(atoll: Atoll) -> None:
    assert atoll("bench", "/", "--url", "http://127.0.0.1:1", ATOLL_URL="").returncode == 3
