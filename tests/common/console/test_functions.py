"""The console under the Azure Functions adapter, which buffers answers and has ways of its own with headers."""

import asyncio
import gzip
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import azure.functions as func
import pytest

from common.functions import Bridge
from tests.support.keys import closed_app

CONTEXT = cast(func.Context, SimpleNamespace(invocation_id="1"))
OWN = {"Sec-Fetch-Site": "same-origin", "Host": "atoll.example.org"}


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    return Bridge(closed_app(tmp_path))


def ask(bridge: Bridge, method: str, path: str, headers: dict[str, str] | None = None) -> func.HttpResponse:
    request = func.HttpRequest(method, f"https://atoll.example.org{path}", headers=headers or {}, body=b"")
    return asyncio.run(bridge.handle(request, CONTEXT))


def test_a_page_and_its_files_are_answered_compressed(bridge: Bridge) -> None:
    page = ask(bridge, "GET", "/console", {"Accept-Encoding": "gzip"})
    assert page.status_code == 200
    text = gzip.decompress(page.get_body()).decode()
    script = re.findall(r'src="(/console/static/[^"]+/overview/page.js)"', text)[0]
    assert ask(bridge, "GET", script).status_code == 200


def test_a_browser_is_led_to_the_console(bridge: Bridge) -> None:
    answer = ask(bridge, "GET", "/", {"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


def test_signing_out_clears_every_cookie(bridge: Bridge) -> None:
    answer = ask(bridge, "DELETE", "/console/session", OWN)
    assert answer.status_code == 204
    cleared = answer.headers.get_all("set-cookie")
    assert len(cleared) == 10
