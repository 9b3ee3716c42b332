"""What the clients decide, told answers of our own. Time passes only when a flow sleeps."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import orjson
import pytest

from common.client.calls import Answer, Call, Flow, Loss, Lost, Sleep
from common.client.errors import AtollClientError, JobUnsuccessful, StillRunning, Unreachable
from common.client.flows import Flows, split_control
from common.client.retry import Policy
from common.client.view import JobView
from common.clock import FakeClock

T = TypeVar("T")
URL = "http://atoll.test"
MODELS = [
    {
        "name": "sample",
        "routes": ["POST /sample_model/predict", "POST /sample_model/test_endpoint1"],
        "reason": None,
    },
    {"name": "prices", "routes": ["GET /prices/years", "POST /prices/v/predict", "POST /prices/predict"]},
    {"name": "broken", "routes": [], "reason": "ModuleNotFoundError: torch"},
]
ACCEPTED = {"id": "j1", "kind": "prediction", "model": "sample", "state": "queued"}


def json(value: Any, status: int = 200, **headers: str) -> Answer:
    told = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return Answer(status, told, orjson.dumps(value))


def accepted() -> Answer:
    return json(ACCEPTED, 202, location="/jobs/j1", retry_after="1")


def job(state: str, version: int = 1, **more: Any) -> Answer:
    return json({**ACCEPTED, "state": state, **more}, etag=f'"{version}"', retry_after="1")


class Told:
    """Answers calls in turn, by a script, and remembers them."""

    def __init__(self, *answers: Answer | Lost, policy: Policy | None = None) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []
        self.slept_s: list[float] = []
        self.items: list[Any] = []
        self.clock = FakeClock()
        self.flows = Flows(URL, policy or Policy(), self.clock, lambda: 0.0)

    def run(self, flow: Flow[T]) -> T:
        told: Answer | Lost | None = None
        while True:
            try:
                wanted = flow.send(told)
            except StopIteration as end:
                outcome: T = end.value
                return outcome
            told = None
            if isinstance(wanted, Call):
                self.calls.append(wanted)
                told = self.answers.pop(0)
            elif isinstance(wanted, Sleep):
                self.slept_s.append(wanted.seconds)
                self.clock.advance(wanted.seconds)
            else:
                self.items.extend(wanted.items)


@pytest.mark.parametrize(
    ("target", "path"),
    [("sample", "/sample_model/predict"), ("prices", "/prices/predict"), ("/twolvlImp/predict", "/twolvlImp/predict")],
)
def test_a_models_route_is_found_by_its_name_and_a_path_is_taken_as_it_is(target: str, path: str) -> None:
    told = Told(*([] if target.startswith("/") else [json(MODELS)]), json({}))
    told.run(told.flows.predict(target, {}, {}, None))
    assert told.calls[-1].path == path


def test_the_models_are_asked_for_only_once() -> None:
    told = Told(json(MODELS), json(1), json(2))
    told.run(told.flows.predict("sample", {}, {}, None))
    assert told.run(told.flows.predict("sample", {}, {}, None)) == 2
    assert [call.path for call in told.calls] == ["/models", "/sample_model/predict", "/sample_model/predict"]


def test_a_path_that_is_gone_is_looked_for_anew_the_next_time() -> None:
    moved = [{"name": "sample", "routes": ["POST /sample/predict"]}]
    told = Told(json(MODELS), json({}, 404), json(moved), json("new"))
    with pytest.raises(AtollClientError, match="404"):
        told.run(told.flows.predict("sample", {}, {}, None))
    assert told.run(told.flows.predict("sample", {}, {}, None)) == "new"


@pytest.mark.parametrize(
    ("name", "message"),
    [("smaple", "do you mean 'sample'"), ("xyz", "it has sample, prices, broken"), ("broken", "unavailable: Module")],
)
def test_an_unknown_or_broken_model_is_told_with_what_to_do(name: str, message: str) -> None:
    told = Told(json(MODELS))
    with pytest.raises(AtollClientError, match=message):
        told.run(told.flows.predict(name, {}, {}, None))


def test_training_goes_to_the_models_own_name_where_its_route_is_not_listed() -> None:
    told = Told(json(MODELS), accepted())
    assert told.run(told.flows.train("sample", {}, {"parallel_trials": 4})) == ACCEPTED
    assert (told.calls[-1].path, told.calls[-1].query) == ("/sample/train", {"parallel_trials": 4})


def test_a_call_repeated_after_a_lost_answer_bears_the_same_key() -> None:
    told = Told(Lost(Loss.BROKEN, "reset"), json({}, 503, retry_after="3"), accepted())
    told.run(told.flows.predict_queued("/sample_model/predict", {}, {}))
    keys = {call.headers["Idempotency-Key"] for call in told.calls}
    assert (len(told.calls), len(keys)) == (3, 1)
    assert told.slept_s[1] >= 3


def test_two_calls_bear_different_keys_unless_one_is_given() -> None:
    first, second, named = (split_control(given)[0] for given in ({}, {}, {"idempotency_key": "mine"}))
    assert first["Idempotency-Key"] != second["Idempotency-Key"]
    assert named["Idempotency-Key"] == "mine"


def test_control_stands_in_headers_and_the_query_never_in_the_body() -> None:
    control = {"deadline_s": 1.5, "callback_url": "https://a.test", "version": 3, "cluster": None}
    headers, query = split_control(control)
    assert (headers["X-Timeout-Ms"], headers["X-Callback-Url"], query) == ("1500", "https://a.test", {"version": 3})


def test_a_server_that_never_answers_is_given_up() -> None:
    told = Told(*[Lost(Loss.NOTHING_SENT, "refused")] * 9, policy=Policy(tries=3))
    with pytest.raises(Unreachable, match=r"http://atoll\.test: refused \(3 tries\)"):
        told.run(told.flows.get("/models"))
    assert len(told.calls) == 3


def test_an_error_has_status_problem_and_request_id() -> None:
    problem = {"detail": "wrong", "request_id": "r1", "errors": [{"field": "body.x", "message": "send a year"}]}
    told = Told(Answer(422, {"content-type": "application/problem+json"}, orjson.dumps(problem)))
    with pytest.raises(AtollClientError) as caught:
        told.run(told.flows.get("/models"))
    error = caught.value
    assert (error.status, error.request_id, error.errors) == (422, "r1", problem["errors"])
    assert "wrong" in str(error)
    assert "body.x: send a year" in str(error)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), "Bad gateway"),
        (Answer(500, {"content-type": "application/json"}, b"{no json"), "no json"),
        (Answer(400, {"content-type": "application/json"}, b'{"detail": {"msg": "old"}}'), "old"),
        (Answer(301, {"location": "https://new.test"}), "moved to https://new.test"),
        (Answer(599), "599"),
        (Answer(200, {"content-type": "text/html"}, b"<p>Hello"), "is the address right"),
    ],
    ids=["gateway", "broken json", "old shape", "moved", "unknown status", "another server"],
)
def test_whatever_answers_the_error_is_a_sentence(answer: Answer, message: str) -> None:
    told = Told(*[answer] * 4)
    with pytest.raises(AtollClientError, match=message):
        told.run(told.flows.get("/models"))


@pytest.mark.parametrize(
    ("content_type", "body", "value"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("text/csv; charset=utf-8", b"a,b", "a,b"),
        ("image/png", b"\x89PNG", b"\x89PNG"),
        ("application/json", b"", None),
    ],
)
def test_an_answer_is_decoded_by_its_type(content_type: str, body: bytes, value: Any) -> None:
    told = Told(Answer(200, {"content-type": content_type}, body))
    assert told.run(told.flows.predict("/a/predict", {}, {}, None)) == value


def test_a_prediction_that_is_queued_unasked_is_waited_for() -> None:
    told = Told(accepted(), job("running"), job("succeeded", 2), json({"y": 1}))
    seen: list[str] = []
    assert told.run(told.flows.predict("/a/predict", {}, {}, lambda job: seen.append(job.state))) == {"y": 1}
    assert seen == ["running", "succeeded"]


def test_what_cannot_be_queued_is_told() -> None:
    told = Told(json({"y": 1}))
    with pytest.raises(AtollClientError, match="cannot be queued"):
        told.run(told.flows.predict_queued("/a/other", {}, {}))


def test_waiting_asks_only_for_what_has_changed_and_leaves_the_time_asked_for() -> None:
    told = Told(job("queued"), Answer(304, {"retry-after": "1"}), job("succeeded", 2))
    view = JobView(ACCEPTED)
    seen: list[str] = []
    told.run(told.flows.wait(view, None, lambda job: seen.append(job.state)))
    assert [call.headers.get("If-None-Match") for call in told.calls] == [None, '"1"', '"1"']
    assert seen == ["queued", "succeeded"]
    assert min(told.slept_s) >= 1


def test_a_job_that_was_looked_at_before_is_told_all_the_same() -> None:
    told = Told(job("succeeded"), Answer(304))
    view = JobView(ACCEPTED)
    told.run(told.flows.refresh(view))
    seen: list[str] = []
    told.run(told.flows.wait(view, None, lambda job: seen.append(job.state)))
    assert seen == ["succeeded"]


def test_waiting_survives_a_server_that_is_away_for_a_while() -> None:
    told = Told(job("running"), *[Lost(Loss.NOTHING_SENT, "refused")] * 20, job("succeeded", 2))
    view = JobView(ACCEPTED)
    told.run(told.flows.wait(view, None))
    assert view.has_succeeded


@pytest.mark.parametrize("timeout_s", [0, 0.5, 10])
def test_waiting_ends_after_the_time_given_and_the_job_is_as_last_seen(timeout_s: float) -> None:
    told = Told(*[job("running", version) for version in range(30)])
    view = JobView(ACCEPTED)
    with pytest.raises(StillRunning, match="running"):
        told.run(told.flows.wait(view, timeout_s))
    assert sum(told.slept_s) == pytest.approx(timeout_s)
    assert view.state == "running"


def test_a_state_of_a_newer_server_is_not_an_end() -> None:
    told = Told(job("paused"), job("succeeded", 2))
    view = JobView(ACCEPTED)
    told.run(told.flows.wait(view, None))
    assert view.has_succeeded


def test_a_job_of_which_no_answer_is_kept_tells_its_own_error() -> None:
    none = json({"detail": "it has no result", "instance": "/jobs/j1/result"}, 409)
    told = Told(job("dead", error="out of memory"), none)
    with pytest.raises(JobUnsuccessful, match="out of memory") as caught:
        told.run(told.flows.result(JobView(ACCEPTED), None))
    assert (caught.value.status, caught.value.problem) == (None, {})


@pytest.mark.parametrize("state", ["failed", "dead", "cancelled"])
def test_a_job_without_success_has_no_result_but_its_error(state: str) -> None:
    kept = Answer(503, {"content-type": "application/problem+json"}, b'{"detail": "too busy", "request_id": "r2"}')
    told = Told(job(state, error="too busy"), kept)
    with pytest.raises(JobUnsuccessful, match=f"j1 is {state}: too busy") as caught:
        told.run(told.flows.result(JobView(ACCEPTED), None))
    assert (caught.value.state, caught.value.status, caught.value.request_id) == (state, 503, "r2")
    assert len(told.calls) == 2


def test_a_cancelled_job_may_be_cancelled_again() -> None:
    told = Told(Lost(Loss.BROKEN, "reset"), json({"detail": "cancelled already"}, 409), job("cancelled"))
    view = JobView(ACCEPTED)
    told.run(told.flows.cancel(view))
    assert view.state == "cancelled"


def test_a_finished_job_cannot_be_cancelled() -> None:
    told = Told(json({"detail": "it is succeeded already"}, 409), job("succeeded"))
    with pytest.raises(AtollClientError, match="succeeded already"):
        told.run(told.flows.cancel(JobView(ACCEPTED)))


def test_pages_are_read_until_the_last() -> None:
    pages = [json({"jobs": [{"id": "a"}, {"id": "b"}], "next": "c1"}), json({"jobs": [{"id": "c"}], "next": None})]
    told = Told(*pages)
    told.run(told.flows.jobs(state="failed", limit=2))
    assert [item["id"] for item in told.items] == ["a", "b", "c"]
    assert [call.query for call in told.calls] == [
        {"state": "failed", "limit": 2},
        {"state": "failed", "limit": 2, "cursor": "c1"},
    ]


def test_times_are_asked_for_with_their_zone() -> None:
    told = Told(json({"jobs": [], "next": None}))
    told.run(told.flows.jobs(datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), state=["failed", "dead"]))
    assert told.calls[0].query == {"created_after": "2026-01-31T10:00:00+00:00", "state": ["failed", "dead"]}


def lines(*numbers: int) -> Answer:
    return json([{"seq": number, "text": str(number)} for number in numbers])


def test_logs_are_read_once_unless_followed() -> None:
    told = Told(lines(1, 2))
    told.run(told.flows.logs(JobView({**ACCEPTED, "state": "running"}), 0, follow=False))
    assert len(told.items) == 2


def test_followed_logs_end_only_after_what_was_written_last() -> None:
    told = Told(lines(1), job("running"), lines(), job("succeeded", 2), lines(2, 3))
    told.run(told.flows.logs(JobView({**ACCEPTED, "state": "running"}), 0, follow=True))
    assert [item["seq"] for item in told.items] == [1, 2, 3]
    assert [call.query["after"] for call in told.calls if call.path.endswith("/logs")] == [0, 1, 1]


def test_a_long_log_is_read_in_pages() -> None:
    told = Told(lines(*range(1, 1001)), lines(1001))
    told.run(told.flows.logs(JobView({**ACCEPTED, "state": "succeeded"}), 0, follow=False))
    assert len(told.items) == 1001


@pytest.mark.parametrize(
    "ask",
    [
        lambda flows: flows.registry("a/../b", None),
        lambda flows: flows.set_alias("a/../b", "x?y", 1),
        lambda flows: flows.refresh(JobView({"id": "../models"})),
    ],
)
def test_a_name_is_one_part_of_a_path_whatever_it_holds(ask: Callable[[Flows], Flow[Any]]) -> None:
    told = Told(json({}))
    told.run(ask(told.flows))
    assert ".." not in told.calls[0].path.replace("%2F..", "").replace("..%2F", "")
    assert "?" not in told.calls[0].path
