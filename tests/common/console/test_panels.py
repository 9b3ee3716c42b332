"""Panels of plugins: what is declared is told and served, and nothing else."""

import logging
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from common.console import panels
from common.errors import NotFound
from common.plugins import Plugin
from common.plugins.record import PluginRecord
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.servers import CHECKOUT

SCRIPT = "export default function panel() { return null; }\n"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginRecord:
    """A plugin with one panel that is there, and one that is not."""
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "panel.js").write_text(SCRIPT)
    (tmp_path / "console" / "other.js").write_text(SCRIPT)
    module = ModuleType(f"panels_of_{tmp_path.name}")
    module.__file__ = str(tmp_path / "__init__.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return PluginRecord("mine", plugin=Plugin(panels=("panel.js", "gone.js")), module=module.__name__)


def test_a_panel_has_an_address_with_the_digest_of_its_content(record: PluginRecord) -> None:
    (url,) = panels.urls(record)
    content = panels.read(record, "panel.js")
    assert content.body.decode() == SCRIPT
    _, _, _, model, tag, name = url.split("/")
    assert (model, name) == ("mine", "panel.js")
    assert panels.is_current(content, tag)
    assert not panels.is_current(content, "another")


def test_a_panel_whose_file_is_missing_is_left_out_and_named_in_the_log(
    record: PluginRecord, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR):
        assert len(panels.urls(record)) == 1
    told = caplog.text + "".join(capsys.readouterr())
    assert "gone.js" in told


@pytest.mark.parametrize("name", ["gone.js", "other.js", "../__init__.py"])
def test_a_file_that_is_no_declared_panel_is_not_served(record: PluginRecord, name: str) -> None:
    with pytest.raises(NotFound, match="has no panel"):
        panels.read(record, name)


def test_the_api_names_the_panels_of_each_model_and_serves_them(tmp_path: Path) -> None:
    folder = write_plugin(
        tmp_path / "plugins",
        "pictured",
        """
        from fastapi import APIRouter
        from common.plugins import Plugin

        router = APIRouter(prefix="/pictured", tags=["Pictured"])
        plugin = Plugin(panels=("panel.js",))
        """,
    )
    (folder / "pictured" / "console").mkdir()
    (folder / "pictured" / "console" / "panel.js").write_text(SCRIPT)
    client = Client(make_app(tmp_path / "state", path=(folder,), serve=("sample", "pictured")))
    models = {one["name"]: one["panels"] for one in client.get("/models").json()}
    assert models["sample"] == []
    (url,) = models["pictured"]
    answer = client.get(url)
    assert (answer.status_code, answer.text) == (200, SCRIPT)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    # Of another version: good enough to be shown, but not to be kept.
    other = client.get(url.replace(url.split("/")[4], "0" * 16))
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")
    assert client.get("/console/panels/nobody/0/panel.js").status_code == 404


def test_a_panel_imports_nothing_of_the_console() -> None:
    files = list(CHECKOUT.glob("models/*/console/*.js"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        # Types in comments stand in braces, and Python that is shown has no quotes there.
        assert not re.search(r"""^import\b.*["']|[^{]\bimport\(""", text, re.MULTILINE), file
