"""Signing in and out by the routes, and what the cookie is good for."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from common.security.scopes import Scope
from tests.support.clients import Client
from tests.support.keys import bearer, closed_app, make_key
from tests.support.problems import assert_problem

OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost", "Host": "localhost"}
FOREIGN = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.org", "Host": "localhost"}
TRAINING = {"x": [0, 1], "y": [1, 3], "trials": 1}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return closed_app(tmp_path)


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


def signed_in(client: Client, key: str) -> dict[str, str]:
    """The header that a browser sends after signing in with this key."""
    answer = client.post("/console/session", headers=OWN | bearer(key))
    assert answer.status_code == 200
    return {"Cookie": "; ".join(value.partition(";")[0] for value in answer.headers.get_list("set-cookie"))}


def test_signing_in_says_who_one_is_and_sets_a_cookie_that_no_script_reads(app: FastAPI, client: Client) -> None:
    answer = client.post("/console/session", headers=OWN | bearer(make_key(app, Scope.PREDICT, name="nightly")))
    assert answer.json()["name"] == "nightly"
    (value,) = answer.headers.get_list("set-cookie")
    assert "HttpOnly" in value
    assert "SameSite=Strict" in value
    assert "Max-Age" not in value


def test_who_stays_signed_in_does_so_for_the_days_asked_for(app: FastAPI, client: Client) -> None:
    answer = client.post("/console/session?days=30", headers=OWN | bearer(make_key(app, Scope.PREDICT)))
    assert "Max-Age=2592000" in answer.headers["set-cookie"]


def test_the_cookie_opens_what_the_key_is_for_and_no_more(app: FastAPI, client: Client) -> None:
    cookie = signed_in(client, make_key(app, Scope.PREDICT))
    assert client.get("/models", headers=OWN | cookie).status_code == 200
    assert_problem(client.post("/sample_model/train", json=TRAINING, headers=OWN | cookie), 403)


def test_another_sites_requests_are_not_those_of_who_is_signed_in(app: FastAPI, client: Client) -> None:
    cookie = signed_in(client, make_key(app, Scope.ADMIN))
    problem = assert_problem(client.post("/keys", json={"name": "stolen"}, headers=FOREIGN | cookie), 403)
    assert "own pages" in problem["detail"]
    assert_problem(client.get("/keys", headers=FOREIGN | cookie), 403)


def test_a_program_that_sends_the_cookie_may_read_but_is_told_to_send_its_key(app: FastAPI, client: Client) -> None:
    cookie = signed_in(client, make_key(app, Scope.ADMIN))
    assert client.get("/keys", headers=cookie).status_code == 200
    problem = assert_problem(client.post("/keys", json={"name": "more"}, headers=cookie), 403)
    assert "Authorization: Bearer" in problem["detail"]


def test_a_key_in_the_header_goes_before_the_cookie(app: FastAPI, client: Client) -> None:
    cookie = signed_in(client, make_key(app, Scope.PREDICT))
    both = OWN | cookie | bearer(make_key(app, Scope.ADMIN, name="header"))
    assert client.get("/keys/self", headers=both).json()["name"] == "header"


def test_a_revoked_key_ends_its_sessions(app: FastAPI, client: Client) -> None:
    key = make_key(app, Scope.PREDICT)
    cookie = signed_in(client, key)
    admin = bearer(make_key(app, Scope.ADMIN))
    assert client.request("DELETE", f"/keys/{key[:16]}", headers=admin).status_code == 200
    assert_problem(client.get("/models", headers=OWN | cookie), 401)


def test_signing_out_clears_the_cookies_even_of_a_key_that_is_no_good(client: Client) -> None:
    answer = client.request("DELETE", "/console/session", headers=OWN | {"Cookie": "atoll=1.atl_nonsense"})
    assert answer.status_code == 204
    values = answer.headers.get_list("set-cookie")
    assert {value.partition("=")[0] for value in values} >= {"atoll", "__Host-atoll", "atoll-1"}
    assert all("Max-Age=0" in value for value in values)


def test_a_key_that_is_no_good_signs_nobody_in(client: Client) -> None:
    answer = client.post("/console/session", headers=OWN | bearer("atl_000000000000_" + "x" * 43))
    assert_problem(answer, 401)
    assert "set-cookie" not in answer.headers


def test_without_a_key_it_says_what_to_send(tmp_path: Path) -> None:
    client = Client(closed_app(tmp_path, anonymous=frozenset({Scope.PREDICT})))
    problem = assert_problem(client.post("/console/session", headers=OWN), 400)
    assert "Authorization: Bearer" in problem["detail"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_another_site_signs_nobody_in_or_out(app: FastAPI, client: Client, method: str) -> None:
    headers = FOREIGN | bearer(make_key(app, Scope.PREDICT))
    answer = client.request(method, "/console/session", headers=headers)
    assert_problem(answer, 403)
    assert "set-cookie" not in answer.headers


def test_an_old_cookie_shuts_nobody_out_of_what_is_open_to_all(tmp_path: Path) -> None:
    client = Client(closed_app(tmp_path, anonymous=frozenset({Scope.PREDICT})))
    cookie = {"Cookie": "atoll=1.atl_000000000000_" + "x" * 43}
    assert client.get("/models", headers=OWN | cookie).status_code == 200
    # Where it is not open, it is said that the key is no good, and not only that there is none.
    problem = assert_problem(client.get("/keys", headers=OWN | cookie), 401)
    assert "key" in problem["detail"]
