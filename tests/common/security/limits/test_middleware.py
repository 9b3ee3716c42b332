"""What a caller sees of the limits, in the whole app."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from common.app import create_app
from common.http.replay import replay
from common.security.scopes import Scope
from common.settings import (
    HttpSettings,
    LimitSettings,
    PluginSettings,
    SecuritySettings,
    ServingSettings,
    Settings,
    StorageSettings,
)
from common.telemetry import metrics
from tests.support.clients import Client
from tests.support.problems import assert_problem

ORIGIN = "https://dashboard.example"
KEY = "k" * 40
# Refilled so slowly that the time a test takes adds nothing.
SLOW: dict[str, Any] = {"rate_per_s": 0.001, "burst": 3}


def app(state: Path, *, host: str = "0.0.0.0", **limits: Any) -> FastAPI:  # noqa: S104 - only said, never bound
    return create_app(
        Settings(
            http=HttpSettings(host=host, cors_origins=(ORIGIN,)),
            plugins=PluginSettings(service_model=("sample",)),
            storage=StorageSettings(state_dir=state),
            serving=ServingSettings(threads=1),
            security=SecuritySettings(anonymous_scopes=frozenset({Scope.PREDICT}), admin_key=KEY),
            limits=LimitSettings(**limits),
        )
    )


@pytest.fixture
def limited(tmp_path: Path) -> Client:
    """Three requests, then nearly none."""
    return Client(app(tmp_path, **SLOW))


def statuses(client: Client, number: int, path: str = "/models", **more: Any) -> list[int]:
    return [client.get(path, **more).status_code for _ in range(number)]


def limit_headers(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("ratelimit")}


def refused() -> float:
    counted: float = metrics.LIMITED.labels("rate")._value.get()
    return counted


def test_every_answer_tells_how_much_is_left(limited: Client) -> None:
    answers = [limit_headers(limited.get("/models")) for _ in range(2)]
    assert answers == [
        {"ratelimit-limit": "3", "ratelimit-remaining": "2", "ratelimit-reset": "1000"},
        {"ratelimit-limit": "3", "ratelimit-remaining": "1", "ratelimit-reset": "2000"},
    ]


def test_whoever_asks_too_much_is_answered_429_and_told_when_to_come_back(limited: Client) -> None:
    assert statuses(limited, 3) == [200] * 3
    response = limited.get("/models")
    assert_problem(
        response, 429, told="from this address: 0.001 a second are allowed, 3 at once", kind="too-many-requests"
    )
    assert 990 <= int(response.headers["retry-after"]) <= 1000
    assert limit_headers(response)["ratelimit-remaining"] == "0"


def test_whoever_waits_as_long_as_retry_after_says_is_answered(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        transport = httpx.ASGITransport(app(tmp_path, rate_per_s=2, burst=1))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            await client.get("/models")
            second = await client.get("/models")
            await asyncio.sleep(int(second.headers["retry-after"]))
            return [second.status_code, (await client.get("/models")).status_code]

    assert asyncio.run(scenario()) == [429, 200]


def test_a_key_is_counted_apart_from_the_address_that_it_is_used_from(limited: Client) -> None:
    assert statuses(limited, 4) == [200, 200, 200, 429]
    assert statuses(limited, 4, headers={"X-API-Key": KEY}) == [200, 200, 200, 429]


def test_requests_that_are_refused_for_want_of_a_key_count_too(limited: Client) -> None:
    assert statuses(limited, 4, "/jobs") == [401, 401, 401, 429]


def test_paths_that_do_not_exist_count_too(limited: Client) -> None:
    assert statuses(limited, 4, "/no/such/path") == [404, 404, 404, 429]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_checks_are_never_refused(limited: Client, path: str) -> None:
    answers = [limited.get(path) for _ in range(20)]
    assert 429 not in {answer.status_code for answer in answers}
    assert limit_headers(answers[0]) == {}


def test_what_a_worker_asks_on_somebodys_behalf_is_not_counted(tmp_path: Path) -> None:
    limited = app(tmp_path, **SLOW)

    async def asked() -> list[int]:
        return [(await replay(limited, "GET", "/models")).status for _ in range(10)]

    assert asyncio.run(asked()) == [200] * 10


def test_a_page_of_another_origin_can_read_the_limits_and_the_refusal(limited: Client) -> None:
    statuses(limited, 3)
    response = limited.get("/models", headers={"Origin": ORIGIN})
    assert response.status_code == 429
    assert response.headers["access-control-allow-origin"] == ORIGIN
    exposed = {name.strip() for name in response.headers["access-control-expose-headers"].split(",")}
    assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"} <= exposed


def test_a_preflight_is_not_counted(limited: Client) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answers = [limited.request("OPTIONS", "/sample_model/predict", headers=asked).status_code for _ in range(10)]
    assert answers == [200] * 10


def test_refusals_are_counted(limited: Client) -> None:
    before = refused()
    statuses(limited, 5)
    assert refused() - before == 2


def test_zero_is_no_limit(tmp_path: Path) -> None:
    unlimited = Client(app(tmp_path, rate_per_s=0))
    assert statuses(unlimited, 300) == [200] * 300
    assert limit_headers(unlimited.get("/models")) == {}


def test_where_only_this_machine_can_call_nothing_is_limited_unless_it_is_set(tmp_path: Path) -> None:
    here = Client(app(tmp_path / "a", host="127.0.0.1"))
    assert limit_headers(here.get("/models")) == {}
    assert statuses(Client(app(tmp_path / "b", host="127.0.0.1", **SLOW)), 4) == [200, 200, 200, 429]


def test_where_others_can_call_fifty_a_second_are_allowed_and_a_hundred_at_once(tmp_path: Path) -> None:
    response = Client(app(tmp_path)).get("/models")
    assert limit_headers(response)["ratelimit-limit"] == "100"


def test_keys_that_are_no_good_are_refused_before_they_are_looked_at(tmp_path: Path) -> None:
    client = Client(app(tmp_path, rate_per_s=0, failures_per_min=2))
    answers = [client.get("/jobs", headers={"X-API-Key": f"atl_{'a' * 12}_{'b' * 43}"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert_problem(answers[-1], 429, told="more than 2 failed authentications a minute")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 30


def test_a_health_check_with_a_key_that_is_no_good_is_answered(tmp_path: Path) -> None:
    client = Client(app(tmp_path, failures_per_min=1))
    key = {"X-API-Key": f"atl_{'a' * 12}_{'b' * 43}"}
    assert statuses(client, 5, "/health/live", headers=key) == [200] * 5


def test_a_caller_may_have_so_many_jobs_open_and_admin_any_number(tmp_path: Path) -> None:
    client = Client(app(tmp_path, jobs_per_owner=2))

    def queue(**headers: str) -> httpx.Response:
        asked = {"Prefer": "respond-async"} | headers
        return client.post("/sample_model/predict", json={"requiredField": "x"}, headers=asked)

    assert [queue().status_code for _ in range(3)] == [202, 202, 429]
    assert_problem(queue(), 429, told="at most 2 jobs of yours may wait or run", kind="too-many-requests")
    assert [queue(**{"X-API-Key": KEY}).status_code for _ in range(3)] == [202] * 3
