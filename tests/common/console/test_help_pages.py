"""The help at /console/help: files of a folder, with a policy that allows their own scripts and no other ones."""

import base64
import hashlib
from pathlib import Path

import pytest

from common.console import help_pages
from common.security.rules import OWN, PUBLIC
from tests.support.clients import Client

PAGE = "<!doctype html><title>Help</title><script>start()</script><script src=a.js></script>"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "a.js").write_text("stop()")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr(help_pages, "SITE", folder)
    return folder


def test_the_address_without_a_slash_leads_to_the_one_with_it(client: Client) -> None:
    led = client.get("/console/help")
    assert (led.status_code, led.headers["location"]) == (308, "/console/help/")


def test_a_page_is_sent_with_a_policy_that_allows_its_own_script_alone(client: Client, site: Path) -> None:
    answer = client.get("/console/help/")
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    digest = base64.b64encode(hashlib.sha256(b"start()").digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_a_file_is_sent_with_its_type_and_not_sent_again(client: Client, site: Path) -> None:
    answer = client.get("/console/help/assets/a.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    again = client.get("/console/help/assets/a.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_page_that_is_built_anew_is_sent_anew(client: Client, site: Path) -> None:
    client.get("/console/help/index.html")
    (site / "index.html").write_text("<!doctype html><title>New</title>")
    assert "New" in client.get("/console/help/index.html").text


@pytest.mark.parametrize(
    "path", ["nothing.html", "assets", "../secret.txt", "%2e%2e/secret.txt", "..%5csecret.txt", "link.txt", "a%00b"]
)
def test_what_is_no_file_of_the_site_is_not_there(client: Client, site: Path, path: str) -> None:
    answer = client.get(f"/console/help/{path}")
    assert answer.status_code in (400, 404)
    assert "secret" not in answer.text


def test_where_the_help_is_not_built_a_page_says_how_to(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(help_pages, "SITE", tmp_path / "absent")
    answer = client.get("/console/help/")
    assert answer.status_code == 404
    assert "make docs" in answer.text
    assert 'href="/console/jobs"' in answer.text, "the way back to the console"


@pytest.mark.parametrize("route", ["GET /console/help", "GET /console/help/{path:path}"])
def test_everybody_may_read_it(route: str) -> None:
    assert OWN[route] == PUBLIC
