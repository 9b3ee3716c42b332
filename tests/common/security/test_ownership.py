"""Whose jobs are whose, over HTTP and in the queue."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from common.errors import Forbidden, Unauthorized
from common.jobs.records import Job
from common.jobs.states import Kind, State
from common.security.ownership import listed, marks, may_change, owner_of, sees
from common.security.principal import ANONYMOUS, SYSTEM, Principal
from common.security.scopes import ALL_SCOPES, Scope
from tests.support.keys import bearer, closed_app, make_key
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem
from tests.support.trainings import TrainingClient

ANN = Principal("key:ann", "key", frozenset({Scope.PREDICT}), models=frozenset({"sample", "survey"}))
BOB = Principal("key:bob", "key", frozenset({Scope.TRAIN, Scope.PREDICT, Scope.SUBMIT}))
ADMIN = Principal("key:admin", "key", frozenset({Scope.ADMIN}))
OPEN = Principal("", "anonymous", frozenset({Scope.PREDICT}))

QUERY = {"requiredField": "x"}
POINTS = {"x": [0, 1], "y": [0, 1], "trials": 1}


def test_everybody_sees_and_changes_their_own_and_admin_all() -> None:
    assert [sees(who, "key:ann") for who in (ANN, BOB, ADMIN, OPEN, ANONYMOUS)] == [True, False, True, False, False]
    assert [may_change(who, "key:ann") for who in (ANN, BOB, ADMIN, OPEN)] == [True, False, True, False]


def test_what_nobody_owns_is_seen_by_who_knows_its_id_and_changed_by_callers_without_a_key() -> None:
    assert [sees(who, "") for who in (ANN, ADMIN, OPEN)] == [True, True, True]
    assert [may_change(who, "") for who in (ANN, ADMIN, OPEN)] == [False, True, True]


def test_a_list_is_of_ones_own_jobs_and_for_admin_of_any() -> None:
    assert [listed(ANN, None), listed(ANN, "key:ann"), listed(ADMIN, None), listed(ADMIN, "key:ann")] == [
        "key:ann",
        "key:ann",
        None,
        "key:ann",
    ]
    with pytest.raises(Forbidden):
        listed(ANN, "key:bob")
    with pytest.raises(Unauthorized):
        listed(OPEN, None)


@pytest.mark.parametrize("principal", [ANN, BOB, ADMIN, OPEN, Principal("oidc:7", "token", ALL_SCOPES, frozenset())])
def test_a_job_runs_as_its_owner_was_when_it_was_accepted(principal: Principal) -> None:
    assert owner_of(principal.id, marks(principal)) == principal


def test_a_job_that_atoll_queued_itself_may_everything() -> None:
    assert owner_of("schedule", {"content-type": "application/json"}) == SYSTEM


class Caller:
    """Somebody with a key, or without."""

    def __init__(self, client: TrainingClient, key: str | None) -> None:
        self._client = client
        self.headers = {} if key is None else bearer(key)
        self.id = "" if key is None else f"key:{key[4:16]}"

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._client.request(method, path, headers=self.headers | more.pop("headers", {}), **more)

    def queue(self, path: str = "/sample_model/predict", **headers: str) -> Job:
        sent = {"Prefer": "respond-async"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.job(self.ask("POST", path, json=QUERY, headers=sent))

    def listed(self, query: str = "") -> list[str]:
        answer = self.ask("GET", f"/jobs{query}")
        assert answer.status_code == 200, answer.text
        return [job["id"] for job in answer.json()["jobs"]]


@dataclass
class Office:
    """An app with two people and an administrator; whoever has no key may predict."""

    app: FastAPI
    client: TrainingClient
    ann: Caller
    bob: Caller
    admin: Caller
    nobody: Caller


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    app = closed_app(tmp_path, anonymous=frozenset({Scope.PREDICT}))
    client = TrainingClient(app)
    keys = [
        make_key(app, Scope.PREDICT, Scope.TRAIN),
        make_key(app, Scope.PREDICT, Scope.TRAIN, Scope.SUBMIT),
        make_key(app, Scope.ADMIN),
        None,
    ]
    yield Office(app, client, *(Caller(client, key) for key in keys))
    client.jobs.stop(0)


PARTS = [("GET", ""), ("GET", "/result"), ("GET", "/logs"), ("GET", "/trials"), ("DELETE", ""), ("POST", "/retry")]


def test_a_job_belongs_to_the_key_it_was_asked_with(office: Office) -> None:
    assert office.ann.queue().owner == office.ann.id
    assert office.nobody.queue().owner == ""
    training = office.client.job(office.ann.ask("POST", "/sample_model/train", json=POINTS))
    assert training.owner == office.ann.id


@pytest.mark.parametrize(("method", "part"), PARTS)
def test_anothers_job_is_answered_as_one_that_does_not_exist(office: Office, method: str, part: str) -> None:
    job = office.ann.queue()
    known = office.bob.ask(method, f"/jobs/{job.id}{part}")
    unknown = office.bob.ask(method, f"/jobs/{'0' * len(job.id)}{part}")
    assert_problem(known, 404)
    assert known.json()["detail"].replace(job.id, "") == unknown.json()["detail"].replace("0" * len(job.id), "")
    assert_problem(office.nobody.ask(method, f"/jobs/{job.id}{part}"), 404)
    assert office.client.jobs.store.get(job.id) == job


def test_owner_and_admin_cancel_and_retry(office: Office) -> None:
    for caller in (office.ann, office.admin):
        job = office.ann.queue()
        assert caller.ask("DELETE", f"/jobs/{job.id}").json()["state"] == "cancelled"
        assert_problem(caller.ask("POST", f"/jobs/{job.id}/retry"), 409)


def test_each_lists_their_own_and_admin_those_of_all(office: Office) -> None:
    anns, bobs, nobodys = (caller.queue().id for caller in (office.ann, office.bob, office.nobody))
    assert office.ann.listed() == [anns]
    assert office.bob.listed(f"?owner={office.bob.id}") == [bobs]
    assert office.admin.listed() == [nobodys, bobs, anns]
    assert office.admin.listed(f"?owner={office.ann.id}") == [anns]
    assert_problem(office.ann.ask("GET", f"/jobs?owner={office.bob.id}"), 403)


def test_a_page_of_ones_own_jobs_is_full_whatever_others_queue(office: Office) -> None:
    mine = []
    for _ in range(3):
        mine.append(office.ann.queue().id)
        office.bob.queue()
    page = office.ann.ask("GET", "/jobs?limit=2").json()
    assert [job["id"] for job in page["jobs"]] == mine[:0:-1]
    assert office.ann.listed(f"?cursor={page['next']}") == mine[:1]
    # A cursor of somebody else's job shows no more.
    assert office.ann.listed(f"?cursor={office.bob.queue().id}") == mine[::-1]


def test_a_job_without_an_owner_is_shown_to_who_knows_its_id_but_in_no_list(office: Office) -> None:
    job = office.nobody.queue()
    assert office.nobody.ask("GET", f"/jobs/{job.id}").status_code == 200
    assert_problem(office.nobody.ask("GET", "/jobs"), 401, told="ask for one by its id")
    assert office.ann.listed() == []
    assert_problem(office.ann.ask("DELETE", f"/jobs/{job.id}"), 403)
    assert office.nobody.ask("DELETE", f"/jobs/{job.id}").json()["state"] == "cancelled"


def test_the_same_idempotency_key_of_two_owners_is_two_jobs(office: Office) -> None:
    same = {"Idempotency_Key": "mine"}
    anns, bobs = office.ann.queue(**same), office.bob.queue(**same)
    assert anns.id != bobs.id
    assert office.ann.queue(**same).id == anns.id


def test_a_queued_prediction_is_answered_though_its_key_is_needed_on_the_way(office: Office) -> None:
    ended = office.client.run(office.ann.queue())
    assert ended.state is State.SUCCEEDED
    assert office.ann.ask("GET", f"/jobs/{ended.id}/result").json() == {"resp1": "Hello x"}


def test_a_queued_request_may_no_more_than_its_owner(office: Office) -> None:
    body, kept = b'{"name": "mine", "scopes": ["admin"]}', {"content-type": "application/json"} | marks(ANN)
    submit = office.client.jobs.service.submit
    ended = office.client.run(submit(Kind.PREDICTION, "/keys", body, owner=office.ann.id, headers=kept).job)
    assert ended.state is State.FAILED
    assert ended.error == "answered 403: this needs the scope `admin`, which the caller does not have"


def test_no_header_makes_a_job_another_owners_or_gives_it_more(office: Office) -> None:
    job = office.ann.queue(atoll_scopes="admin", atoll_owner="key:admin", atoll_helps="0")
    assert job.owner == office.ann.id
    assert {name: value for name, value in job.headers.items() if name.startswith("atoll-")} == {
        "atoll-scopes": "predict train"
    }


def test_the_queued_jobs_of_a_revoked_key_fail_and_say_why(office: Office) -> None:
    job = office.ann.queue()
    training = office.client.job(office.ann.ask("POST", "/sample_model/train", json=POINTS))
    assert office.admin.ask("DELETE", f"/keys/{office.ann.id.removeprefix('key:')}").is_success
    for queued in (job, training):
        ended = office.client.run(queued)
        assert ended.state is State.FAILED
        assert ended.error is not None
        assert "key that is good no longer: this key was revoked" in ended.error
    assert office.client.run(office.bob.queue()).state is State.SUCCEEDED


def test_a_key_revoked_while_its_job_runs_does_not_stop_it(office: Office, tmp_path: Path) -> None:
    training = office.client.job(office.ann.ask("POST", "/sample_model/train", json=POINTS))
    executor = office.client.jobs.executors[Kind.TRAINING]
    run = executor.run

    def revoke_first(job: Job, context: Any) -> Any:
        assert office.admin.ask("DELETE", f"/keys/{office.ann.id.removeprefix('key:')}").is_success
        return run(job, context)

    executor.run = revoke_first  # type: ignore[method-assign]
    assert office.client.run(training).state is State.SUCCEEDED


LIMITED = """
    from fastapi import APIRouter, Request
    from common.security.authenticate import principal_of

    router = APIRouter(prefix="/limited")

    @router.post("/predict")
    async def predict(body: dict[str, int], request: Request) -> list[str]:
        caller = principal_of(request)
        return [caller.id, *sorted(caller.scopes), *sorted(caller.models or ())]
"""


def test_a_replay_has_the_owners_scopes_and_models(tmp_path: Path) -> None:
    app = closed_app(tmp_path / "state", path=(write_plugin(tmp_path, "limited", LIMITED),), serve=("limited",))
    client = TrainingClient(app)
    ann = Caller(client, make_key(app, Scope.PREDICT, Scope.SUBMIT, models=["limited"]))
    sent = {"Prefer": "respond-async"}
    ended = client.run(client.job(ann.ask("POST", "/limited/predict", json={}, headers=sent)))
    assert ann.ask("GET", f"/jobs/{ended.id}/result").json() == [ann.id, "predict", "submit", "limited"]
    client.jobs.stop(0)


def test_on_an_open_loopback_jobs_are_listed_and_changed_as_ever(tmp_path: Path) -> None:
    client = TrainingClient(make_app(tmp_path))
    nobody = Caller(client, None)
    job = nobody.queue()
    assert nobody.listed() == [job.id]
    assert nobody.ask("DELETE", f"/jobs/{job.id}").json()["state"] == "cancelled"
    client.jobs.stop(0)


def test_preference_applied_is_told_to_who_preferred_it_alone(office: Office) -> None:
    preferred = office.ann.ask("POST", "/sample_model/predict", json=QUERY, headers={"Prefer": "respond-async"})
    assert preferred.headers["preference-applied"] == "respond-async"
    training = office.ann.ask("POST", "/sample_model/train", json=POINTS)
    assert training.status_code == 202
    assert "preference-applied" not in training.headers
