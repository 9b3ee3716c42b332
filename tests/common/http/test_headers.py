import re
from pathlib import Path

import pytest

from common.http.headers import completed
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin

PAGE = """
    from fastapi import APIRouter
    from fastapi.responses import HTMLResponse, Response

    router = APIRouter(prefix="/page")

    @router.get("/framed")
    async def framed() -> HTMLResponse:
        headers = {"Content-Security-Policy": "frame-ancestors *", "Cache-Control": "max-age=60"}
        return HTMLResponse("<p>hello</p>", headers=headers)

    @router.get("/tagged")
    async def tagged() -> Response:
        return Response("hello", headers={"ETag": '"1"'})

    @router.get("/broken")
    async def broken() -> str:
        raise RuntimeError("no luck")
"""
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
STRICT = "default-src 'none'; frame-ancestors 'none'"
LOCAL = {"type": "http", "scheme": "https", "headers": [(b"host", b"localhost:7071")]}
PUBLIC = {"type": "http", "scheme": "https", "headers": [(b"host", b"atoll.example")]}


@pytest.fixture
def page(tmp_path: Path) -> Client:
    return Client(
        make_app(tmp_path / "state", path=(write_plugin(tmp_path / "plugins", "page", PAGE),), serve=("page",))
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/health/live", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/", 405),
        ("GET", "/page/broken", 500),
        ("GET", "/page/framed", 200),
        ("GET", "/docs", 200),
        ("GET", "/docs/start.js", 200),
    ],
)
def test_every_answer_has_the_security_headers(page: Client, method: str, path: str, status: int) -> None:
    answer = page.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/page/broken", "/openapi.json", "/metrics", "/docs/start.js"])
def test_an_answer_that_is_no_page_may_do_nothing_in_a_browser(page: Client, path: str) -> None:
    assert page.get(path).headers["content-security-policy"] == STRICT


def test_the_docs_may_run_scripts_of_this_server_only(page: Client) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in page.get("/docs").headers["content-security-policy"].split(";")
    )
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["default-src"] == "'none'"


def test_a_plugin_may_set_its_own(page: Client) -> None:
    headers = page.get("/page/framed").headers
    assert headers.get_list("content-security-policy") == ["frame-ancestors *"]
    assert headers.get_list("cache-control") == ["max-age=60"]


def test_no_cache_keeps_what_a_route_does_not_let_it_keep(page: Client) -> None:
    assert page.get("/models").headers["cache-control"] == "no-store"
    assert page.get("/page/broken").headers["cache-control"] == "no-store"
    assert page.get("/page/tagged").headers["cache-control"] == "private, no-cache"
    assert page.get("/docs/swagger-ui.css").headers["cache-control"] == "max-age=86400"


def test_only_https_is_told_to_be_kept_to(page: Client) -> None:
    assert "strict-transport-security" not in page.get("/").headers
    assert dict(completed([], PUBLIC))[b"strict-transport-security"] == b"max-age=31536000"


def test_a_browser_is_not_told_to_use_https_for_all_of_localhost() -> None:
    assert b"strict-transport-security" not in dict(completed([], LOCAL))


def test_an_answer_names_no_software(page: Client) -> None:
    for path in ("/", "/nowhere", "/page/broken"):
        headers = page.get(path).headers
        assert not {"server", "x-powered-by"} & set(headers)
        assert not re.search(r"uvicorn|starlette|fastapi|python", str(headers), re.IGNORECASE)
