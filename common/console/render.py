"""Pages from templates: each is rendered once a process, for it holds nothing of the request."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from common.console import assets, packages, shapes
from common.console.pages import PAGES, Page
from common.http.content import Content
from common.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent / "templates"
_HTML = "text/html; charset=utf-8"
MISSING = Page("/console/missing", "missing.html", "Page not found", "missing/page.js")
HELP_MISSING = Page("/console/help", "help_missing.html", "Help", "missing/page.js")


@lru_cache(maxsize=256)
def render(page: Page, provider: str = "") -> Content:
    """The page; the first call imports the template engine and reads all files (some 50 ms).

    Parameters
    ----------
    provider : at whom people may sign in, beside keys; empty for nobody.
    """
    template = _environment().get_template(page.template)
    text = template.render(page=page, current=page.section or page.path, provider=provider)
    return Content.of(text.encode(), _HTML)


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files = assets.own()
    made.globals.update(
        asset=files.url,
        version=VERSION,
        charts=packages.url("echarts.js"),
        shapes=shapes.url(),
        navigation=[page for page in PAGES if page.nav is not None],
        # So that a browser asks for all of a page's modules at once and not for one after the other.
        modules=files.modules,
    )
    return made
