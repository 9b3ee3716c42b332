"""The pages that `make docs` builds."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.support.blocks import pages
from tests.support.markdown import DOCS

TOKENS = DOCS.parent / "common/console/static/css/tokens.css"
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")


def html_pages(site: Path) -> list[Path]:
    # The page for what is not there has addresses of its own, and is not served.
    return [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]


def test_every_page_of_the_docs_is_built(site: Path) -> None:
    built = {path.stem for path in html_pages(site)}
    by_hand = {name.removesuffix(".md") for name in pages() if name != "README.md"}
    assert by_hand | {"reference-api", "reference-settings", "reference-metrics"} == built


def test_the_pages_by_hand_lead_to_those_made_of_the_code(site: Path) -> None:
    for name in ("api", "settings", "metrics"):
        assert f'href="reference-{name}.html"' in (site / f"{name}.html").read_text(encoding="utf-8")
    assert 'id="post-jobs-job-id-retry"' in (site / "reference-api.html").read_text(encoding="utf-8")


def test_no_page_asks_another_origin(site: Path) -> None:
    asked = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bhref=\"?(?:https?:)?//"
    )
    assert [path.name for path in html_pages(site) if asked.search(path.read_text(encoding="utf-8"))] == []
    imported = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//")
    assert [path.name for path in site.rglob("*.css") if imported.search(path.read_text(encoding="utf-8"))] == []


def test_every_link_within_the_site_leads_to_a_file(site: Path) -> None:
    dead = []
    for path in html_pages(site):
        for target in re.findall(r"(?:href|src)=\"([^\"]+)\"", path.read_text(encoding="utf-8")):
            parts = urlsplit(target)
            # Those with a slash in front are Atoll's own: the console, the API reference.
            if parts.scheme or target.startswith(("/", "#")) or not parts.path:
                continue
            found = (path.parent / unquote(parts.path)).resolve()
            if not (found.is_file() or (found / "index.html").is_file()):
                dead.append(f"{path.name}: {target}")
    assert dead == []


def test_the_pages_have_the_colours_of_the_console() -> None:
    used = set(_COLOUR.findall((DOCS / "site/help.css").read_text(encoding="utf-8")))
    assert len(used) > 8
    assert sorted(used - set(_COLOUR.findall(TOKENS.read_text(encoding="utf-8")))) == []


def test_every_figure_of_the_comparison_stands_among_the_measurements() -> None:
    rows = [line for line in (DOCS / "comparison.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    figures = {
        cell for line in rows for cell in re.findall(r"\d[\d,.]*\d|\d", re.sub(r"\bc=\d+|60 s|1\.5\.4", "", line))
    }
    measured = set(re.findall(r"\d[\d,.]*\d|\d", (DOCS / "performance.md").read_text(encoding="utf-8")))
    # The measurements have times both with and without a separator.
    known = measured | {figure.replace(",", "") for figure in measured}
    assert len(figures) > 30
    assert sorted(figure for figure in figures if figure not in known and figure.replace(",", "") not in known) == []
