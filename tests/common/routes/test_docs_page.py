"""`/docs` works without a network."""

import re
from html.parser import HTMLParser

import pytest

from tests.support.clients import Client
from tests.support.problems import assert_problem

ASSETS = ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/docs/favicon.png"]


class Links(HTMLParser):
    """Collects what a page loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline_scripts = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [str(given[name]) for name in ("src", "href") if name in given]
        self.inline_scripts += tag == "script" and "src" not in given


def test_the_page_is_html(client: Client) -> None:
    response = client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_the_page_asks_no_other_origin_for_anything(client: Client) -> None:
    html = client.get("/docs").text
    assert re.findall(r"(?:https?:)?//[^\s\"'<>]+", html) == []
    assert all(link.startswith("/") for link in Links(html).found)


def test_the_page_has_no_inline_script(client: Client) -> None:
    assert Links(client.get("/docs").text).inline_scripts == 0


def test_everything_the_page_loads_is_here(client: Client) -> None:
    links = Links(client.get("/docs").text).found
    assert sorted(links) == sorted(ASSETS)
    assert [client.get(link).status_code for link in links] == [200] * len(links)


@pytest.mark.parametrize(
    ("path", "kind"), list(zip(ASSETS, ["text/css", "text/javascript", "text/javascript", "image/png"], strict=True))
)
def test_an_asset_has_its_type_and_is_not_empty(client: Client, path: str, kind: str) -> None:
    response = client.get(path)
    assert response.headers["content-type"].split(";")[0] == kind
    assert len(response.content) > 100


def test_the_page_starts_with_the_document_of_this_server(client: Client) -> None:
    script = client.get("/docs/start.js").text
    assert 'url: "/openapi.json"' in script
    # Else Swagger UI sends the document to a validator elsewhere.
    assert "validatorUrl: null" in script


@pytest.mark.parametrize("name", ["redoc.standalone.js", "__init__.py", "..%2f..%2fcore.py", "%2e%2e", "x" * 5000])
def test_nothing_else_of_the_package_is_served(client: Client, name: str) -> None:
    assert_problem(client.get(f"/docs/{name}"), 404)
