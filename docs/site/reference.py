"""Adds the pages of every route, every setting and every metric to the site; `deployment/reference` makes them."""

import tempfile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Page by hand -> the generated one beside it.
BESIDE = {
    "api.md": ("reference-api.md", "every route, with its parameters and fields"),
    "settings.md": ("reference-settings.md", "every setting, with its type and bounds"),
    "metrics.md": ("reference-metrics.md", "every metric, with its labels"),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs once it has listed the files."""
    from common.app import create_app
    from common.settings import AREAS, Settings, StorageSettings
    from common.telemetry import metrics
    from deployment.reference import api_page, metrics_page, settings_page

    with tempfile.TemporaryDirectory() as state:
        # Nothing is started: the document comes from the routes alone.
        document = create_app(Settings(storage=StorageSettings(state_dir=Path(state)))).openapi()
    pages = {
        "reference-api.md": api_page(document),
        "reference-settings.md": settings_page(AREAS),
        "reference-metrics.md": metrics_page(vars(metrics).values()),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Called by MkDocs with the text of each page: that by hand leads to the generated one."""
    if page.file.src_uri not in BESIDE:
        return markdown
    name, about = BESIDE[page.file.src_uri]
    heading, _, rest = markdown.partition("\n")
    return f"{heading}\n\nMade of the code: [{about}]({name}).\n{rest}"
