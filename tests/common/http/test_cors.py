from pathlib import Path

import httpx
import pytest

from common.security.rules import RULES_STATE
from tests.support.clients import Client
from tests.support.plugins import make_app

DEFAULTS = (
    "https://lenseg.github.io",
    "https://sids-dashboard.github.io",
    "http://localhost",
    "http://localhost:8080",
)
STRANGERS = ("https://evil.example", "http://localhost:8081", "https://lenseg.github.io.evil.example", "null", "")


def preflight(client: Client, origin: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    return client.request("OPTIONS", "/sample_model/predict", headers={"Origin": origin} | asked)


def cors_headers(response: httpx.Response) -> list[str]:
    return [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", DEFAULTS)
def test_a_page_of_a_default_origin_may_read_answers(client: Client, origin: str) -> None:
    response = client.get("/models", headers={"Origin": origin})
    assert response.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", DEFAULTS)
def test_a_page_of_a_default_origin_may_post_json(client: Client, origin: str) -> None:
    response = preflight(client, origin)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "content-type" in response.headers["access-control-allow-headers"].lower()


def test_a_page_may_read_errors_and_their_request_id(client: Client) -> None:
    response = client.get("/nope", headers={"Origin": DEFAULTS[0]})
    assert response.headers["access-control-allow-origin"] == DEFAULTS[0]
    assert "X-Request-ID" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", STRANGERS)
def test_another_origin_gets_no_cors_header(client: Client, origin: str) -> None:
    assert cors_headers(client.get("/models", headers={"Origin": origin})) == []


@pytest.mark.parametrize("origin", STRANGERS)
def test_another_origin_gets_no_cors_header_to_a_preflight(client: Client, origin: str) -> None:
    response = preflight(client, origin)
    assert response.status_code == 405
    assert cors_headers(response) == []


def test_a_request_without_an_origin_gets_no_cors_header(client: Client) -> None:
    assert cors_headers(client.get("/models")) == []


def test_an_answer_to_an_allowed_origin_is_not_cached_for_another(client: Client) -> None:
    assert "Origin" in client.get("/models", headers={"Origin": DEFAULTS[0]}).headers["vary"]


def test_the_origins_of_the_setting_replace_the_defaults(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, cors_origins="https://one.example, https://two.example"))
    assert cors_headers(client.get("/models", headers={"Origin": DEFAULTS[0]})) == []
    answered = client.get("/models", headers={"Origin": "https://two.example"}).headers
    assert answered["access-control-allow-origin"] == "https://two.example"


def test_a_star_allows_every_origin(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, cors_origins="*"))
    response = client.get("/models", headers={"Origin": "https://evil.example"})
    assert response.headers["access-control-allow-origin"] == "*"


def test_none_allows_no_origin(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, cors_origins="none"))
    assert cors_headers(client.get("/models", headers={"Origin": DEFAULTS[0]})) == []


def test_an_origin_may_be_written_as_an_address_bar_shows_it(tmp_path: Path) -> None:
    client = Client(make_app(tmp_path, cors_origins="https://One.example/"))
    assert preflight(client, "https://one.example").status_code == 200


def test_a_page_may_use_every_method_that_a_route_takes_and_send_its_key(tmp_path: Path) -> None:
    app = make_app(tmp_path, cors_origins="https://one.example")
    taken = {method for rule in getattr(app.state, RULES_STATE) for method in rule.methods}
    assert {"PUT", "DELETE"} < taken
    for method in taken:
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization, x-api-key"}
        response = Client(app).request("OPTIONS", "/jobs/x", headers={"Origin": "https://one.example"} | asked)
        assert response.status_code == 200, method
        assert {"authorization", "x-api-key"} <= set(response.headers["access-control-allow-headers"].split(", "))
