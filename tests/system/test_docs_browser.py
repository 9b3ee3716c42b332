"""`/docs` in a real browser, under the policy that it is sent with."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.backends import missing
from tests.support.chromium import program
from tests.support.plugins import write_plugin
from tests.support.servers import Server


@pytest.fixture(scope="module")
def browser() -> str:
    found = program()
    if found is None:
        missing("Chromium is not installed: `apt install chromium-headless-shell` brings it")
    return found


def opened(browser: str, url: str, profile: Path) -> tuple[str, list[str]]:
    """The page's elements once its scripts have run, and what the console says."""
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return run.stdout, re.findall(r":CONSOLE:?\(?\d*\)?\] (.*)", run.stderr)


def test_the_docs_show_every_route_and_the_console_stays_empty(
    browser: str, sample_server: Server, tmp_path: Path
) -> None:
    page, console = opened(browser, f"{sample_server.url}/docs", tmp_path)
    shown = set(re.findall(r'data-path="([^"]+)"', page))
    document = sample_server.get("/openapi.json").json()
    assert shown == {*document["paths"], *document["webhooks"]}
    assert console == []


def test_a_script_in_an_answer_of_the_api_does_not_run(
    browser: str, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    source = """
        from fastapi import APIRouter
        from fastapi.responses import HTMLResponse

        router = APIRouter(prefix="/echo")

        @router.get("/echo")
        async def echo() -> HTMLResponse:
            return HTMLResponse("<p id=p>before</p><script>document.getElementById('p').textContent = 'after'</script>")
    """
    plugins = write_plugin(tmp_path / "plugins", "echo", source)
    server = start_server(env={"ATOLL_PLUGIN_PATH": str(plugins), "SERVICE_MODEL": "echo"})
    page, console = opened(browser, f"{server.url}/echo/echo", tmp_path / "profile")
    assert "before" in page
    assert any("Content Security Policy" in line for line in console)
