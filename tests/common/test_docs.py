"""The reference pages name what the code has: no less, no more."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.plugins import Plugin
from common.settings import AREAS
from common.telemetry import metrics
from tests.support.markdown import DOCS, anchors, assert_same, links, names, page, row_names
from tests.support.plugins import make_app

BUNDLED = ("countries", "hosted", "housing", "imputation", "sample", "scaleout", "sentiment", "survey", "timeseries")


def pages() -> list[Path]:
    root = DOCS.parent
    others = (root / "terraform/README.md", root / "models/scaleout/traces/README.md")
    return [root / "README.md", *sorted(DOCS.glob("*.md")), *others]


def operations(app: FastAPI) -> set[str]:
    """Method and path of each documented operation."""
    return {
        f"{method.upper()} {path}"
        for path, item in app.openapi()["paths"].items()
        for method in item
        if method in ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    }


def test_every_setting_is_listed_and_nothing_else() -> None:
    aliases = {str(field.validation_alias) for area in AREAS for field in area.model_fields.values()}
    assert_same(row_names(page("settings.md")), aliases, "docs/settings.md")


def test_every_metric_is_listed_and_nothing_else() -> None:
    exposed = set(re.findall(r"^# HELP (atoll_\w+)", metrics.exposition().decode(), re.MULTILINE))
    listed = [name for name in row_names(page("metrics.md")) if name.startswith("atoll_")]
    assert_same(listed, exposed, "docs/metrics.md")


def test_every_route_is_listed_and_nothing_else(tmp_path: Path) -> None:
    app = make_app(tmp_path, serve=BUNDLED)
    # The pages of the console and the docs are routes too, but not of the API.
    rows = [name for name in row_names(page("api.md")) if re.match(r"[A-Z]+ /", name)]
    listed = [name for name in rows if not re.match(r"GET /(console|docs|openapi)", name)]
    assert_same(listed, operations(app), "docs/api.md")


def test_the_bundled_models_are_those_that_the_route_test_serves() -> None:
    models = DOCS.parent / "models"
    found = [path.parent.name for path in models.glob("*/__init__.py") if not path.parent.name.startswith("_")]
    assert sorted(found) == sorted(BUNDLED)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Plugin)])
def test_every_declaration_of_a_plugin_is_described(field: str) -> None:
    assert field in names(page("plugins.md"))


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for group in project["optional-dependencies"].values() for item in group),
    ]
    direct = {re.split(r"[\s\[<>=!~;]", item)[0] for item in wanted}
    explained = names(page("dependencies.md"))
    assert sorted(direct - explained) == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(DOCS.parent)))
def test_links_within_the_docs_lead_somewhere(path: Path) -> None:
    assert [
        f"{name}#{anchor}" for name, anchor in links(path.read_text(encoding="utf-8")) if _is_dead(path, name, anchor)
    ] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {DOCS.parent / "README.md"}
    todo = list(reached)
    while todo:
        path = todo.pop()
        for name, _ in links(path.read_text(encoding="utf-8")):
            target = (path.parent / name).resolve()
            if target.suffix == ".md" and target not in reached:
                reached.add(target)
                todo.append(target)
    assert sorted(set(DOCS.glob("*.md")) - reached) == []


def test_anchors_are_those_that_github_makes() -> None:
    text = "# One `two`: it's\n\n## 20 users, at once\n\n## A [link](b.md)\n\n```sh\n# no heading\n```\n\n## A link\n"
    assert anchors(text) == {"one-two-its", "20-users-at-once", "a-link", "a-link-1"}


def _is_dead(page_of_link: Path, name: str, anchor: str) -> bool:
    target = page_of_link.parent / name if name else page_of_link
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8"))


def test_each_test_that_the_threat_table_names_exists() -> None:
    table = page("security.md").partition("## Threats")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| threat ")]
    named = {row: set(re.findall(r"`(test_\w+)`", row)) for row in rows}
    there = {
        name
        for path in (DOCS.parent / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(rows) > 20
    assert [row for row, names in named.items() if not names] == []
    assert sorted(name for names in named.values() for name in names - there) == []


def test_the_pictures_of_the_console_are_shown_in_both_themes_and_stay_small() -> None:
    folder = DOCS / "images"
    pictures = {path.name for path in folder.glob("console-*.webp")}
    shown = set(re.findall(r"images/(console-[\w-]+\.webp)", (DOCS / "console.md").read_text(encoding="utf-8")))
    assert pictures == shown
    assert {name.replace("-dark.", "-light.") for name in pictures if "-dark." in name} == {
        name for name in pictures if "-light." in name
    }
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2_000_000
