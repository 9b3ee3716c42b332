"""The deployment package under `azure-functions-runtime`, the library inside Microsoft's own Python worker."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.worker import Answer, Call, Worker

# The first test may have to download an environment.
pytestmark = pytest.mark.timeout(1200)

ORIGIN = "https://lenseg.github.io"


def assert_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["x-request-id"]


def test_one_anonymous_function_takes_every_path_and_method(worker: Worker) -> None:
    (trigger,) = [trigger for trigger in worker.triggers.values() if trigger["type"] == "httpTrigger"]
    assert worker.triggers["http"] == trigger
    assert trigger["authLevel"].lower() == "anonymous"
    assert trigger["route"] == "/{*route}"
    assert sorted(trigger["methods"]) == ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


def test_a_get_without_body_is_answered(worker: Worker) -> None:
    answer = worker.call("GET", "/")
    assert answer.status == 200
    assert answer.json["name"] == "Atoll"


def test_a_posted_json_body_reaches_the_model(worker: Worker) -> None:
    answer = worker.call_json("POST", "/sample_model/test_endpoint1", {"requiredField": "x"})
    assert (answer.status, answer.json) == (200, {"resp1": "Test 1"})


def test_a_validation_error_keeps_its_problem_body(worker: Worker) -> None:
    answer = worker.call_json("POST", "/sample_model/test_endpoint1", {})
    assert_problem(answer, 422)
    assert answer.json["errors"][0]["field"] == "body.requiredField"


def test_a_failing_model_gives_a_problem_without_its_secrets(worker: Worker) -> None:
    answer = worker.call("GET", "/conformance/failure")
    assert_problem(answer, 500)
    assert b"secret" not in answer.body


def test_an_unknown_path_gives_a_problem(worker: Worker) -> None:
    assert_problem(worker.call("GET", "/no/such/path"), 404)


def test_a_head_request_is_answered_like_its_get(worker: Worker) -> None:
    got, head = worker.call("GET", "/conformance/known"), worker.call("HEAD", "/conformance/known")
    assert (head.status, head.headers["content-length"]) == (got.status, got.headers["content-length"])


def test_a_preflight_of_an_allowed_page_is_granted(worker: Worker) -> None:
    answer = worker.call("OPTIONS", "/", origin=ORIGIN, access_control_request_method="POST")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_any_bytes_arrive_and_return_unchanged(worker: Worker, method: str) -> None:
    body = bytes(range(256)) * 400
    answer = worker.call(method, "/conformance/bytes", body, content_type="application/octet-stream")
    assert answer.body == body


def test_a_post_without_body_is_answered(worker: Worker) -> None:
    answer = worker.call("POST", "/conformance/bytes")
    assert (answer.status, answer.body) == (200, b"")


def test_a_large_answer_is_whole(worker: Worker) -> None:
    assert worker.call("GET", "/conformance/zeros/20000000").body == bytes(20_000_000)


def test_path_and_query_arrive_decoded_once(worker: Worker) -> None:
    shown = worker.call("GET", "/conformance/request/a%2Fb%20%C3%A9?q=1%2B1&q=%C3%A9&empty=").json
    assert shown["rest"] == "a/b é"
    assert shown["query"] == [["q", "1+1"], ["q", "é"], ["empty", ""]]


def test_a_path_that_is_no_utf8_is_answered_by_the_app(worker: Worker) -> None:
    assert_problem(worker.call("GET", "/no/such/%FF"), 404)


def test_the_caller_is_known_only_from_forwarded_headers(worker: Worker) -> None:
    shown = worker.call("GET", "/conformance/request/x").json
    assert shown["client"] is None
    assert shown["headers"]["x-forwarded-for"] == "203.0.113.7:4711"


def test_repeated_headers_and_cookies_all_reach_the_client(worker: Worker) -> None:
    answer = worker.call("GET", "/conformance/headers")
    assert answer.headers["link"] == "</a>; rel=next, </b>; rel=last"
    assert answer.headers["x-name"] == "né"
    assert [cookie["name"] for cookie in answer.cookies] == ["one", "two"]


def test_a_background_task_has_run_when_the_next_request_comes(worker: Worker) -> None:
    assert worker.call("POST", "/conformance/later?word=done").status == 200
    assert worker.call("GET", "/conformance/later").json == ["done"]


def test_five_first_requests_together_start_the_app_once(start_worker: Callable[..., Worker], package: Path) -> None:
    worker = start_worker()
    worker.index(package)
    answers = worker.call_together(*[Call("GET", "/")] * 5)
    assert [answer.status for answer in answers] == [200] * 5
    assert "\natoll_startups_total 1.0\n" in worker.call("GET", "/metrics").body.decode()


def test_a_placeholder_that_becomes_the_app_serves_it(
    start_worker: Callable[..., Worker], package: Path, worker_env: dict[str, str], tmp_path: Path
) -> None:
    worker = start_worker()
    worker.specialise(tmp_path, package, worker_env)
    assert worker.call("GET", "/").status == 200


def test_without_a_key_nothing_is_open_but_the_docs_and_health(
    start_worker: Callable[..., Worker], package: Path
) -> None:
    key = "k" * 40
    worker = start_worker(ANONYMOUS_SCOPES="", ATOLL_ADMIN_KEY=key)
    worker.index(package)
    for path in ("/", "/docs", "/openapi.json", "/health/live"):
        assert worker.call("GET", path).status == 200
    for host in ("localhost:7071", "127.0.0.1"):
        # The host listens on all addresses: a name that the caller sends proves nothing.
        assert_problem(worker.call("GET", "/models", host=host), 401)
    refused = worker.call("GET", "/models")
    assert_problem(refused, 401)
    assert refused.headers["www-authenticate"] == 'Bearer realm="atoll"'
    assert worker.call("GET", "/models", authorization=f"Bearer {key}").status == 200
    assert worker.call("GET", "/models", x_api_key=key).status == 200
    assert_problem(worker.call("GET", "/models", x_api_key=key + "x"), 401)
