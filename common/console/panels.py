"""Panels of plugins: ES modules that show an answer in a way of their own, from the folder `console` of their package.

A panel's address holds the digest of its content. It imports nothing: what it may use of the console comes as an
argument (`js/model/panels.js`), so that it works with whatever version of the console serves it.
"""

import sys
from functools import lru_cache
from pathlib import Path

from common.errors import NotFound
from common.http.content import Content
from common.plugins.record import PluginRecord
from common.telemetry.logs import get_logger

log = get_logger("atoll.console")

PREFIX = "/console/panels"
_SCRIPT = "text/javascript; charset=utf-8"


def urls(record: PluginRecord) -> list[str]:
    """The addresses of a plugin's panels; one whose file is not there is left out, and the log says so."""
    found = ((name, _read(record.module, name)) for name in record.plugin.panels)
    return [f"{PREFIX}/{record.name}/{_tag(content)}/{name}" for name, content in found if content is not None]


def read(record: PluginRecord, name: str) -> Content:
    """
    Raises
    ------
    NotFound
        The plugin declares no such panel, or its file is not there.
    """
    content = _read(record.module, name) if name in record.plugin.panels else None
    if content is None:
        raise NotFound(f"the model {record.name!r} has no panel {name[:80]!r}")
    return content


def is_current(content: Content, tag: str) -> bool:
    return _tag(content) == tag


def _tag(content: Content) -> str:
    return content.etag.strip('"')


@lru_cache(maxsize=256)
def _read(module: str, name: str) -> Content | None:
    """Once a process: a panel that changes needs a restart, as its plugin does."""
    file = getattr(sys.modules.get(module), "__file__", None)
    path = Path(file).parent / "console" / name if file else None
    if path is None or not path.is_file():
        log.error("a panel of a plugin has no file", module=module, expected=str(path))
        return None
    return Content.of(path.read_bytes(), _SCRIPT)
