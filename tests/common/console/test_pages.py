"""Pages and files as programs see them: headers, compression, addresses."""

import gzip
import json
import re
from pathlib import Path

import pytest

from common.console import assets, packages
from common.console.pages import PAGES, Page
from common.console.policy import POLICY
from common.errors import NotFound
from common.http.content import Content
from common.security.rules import OWN, PUBLIC
from tests.support.clients import Client

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_is_led_to_the_console_and_a_program_gets_json(client: Client) -> None:
    led = client.get("/", headers=BROWSER)
    assert (led.status_code, led.headers["location"]) == (303, "/console")
    assert client.get("/").json()["name"] == "Atoll"
    assert "Accept" in led.headers["vary"]


@pytest.mark.parametrize("page", [page.path for page in PAGES if "{" not in page.path])
def test_each_page_is_sent_with_the_strict_policy_and_holds_no_inline_script_or_style(
    client: Client, page: str
) -> None:
    answer = client.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert re.findall(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon[a-z]+=|<style", answer.text) == []


@pytest.mark.parametrize("page", [page.path for page in PAGES if "{" not in page.path])
def test_every_file_that_a_page_names_is_there_and_kept_for_ever(client: Client, page: str) -> None:
    named = set(re.findall(r'(?:href|src)="(/console/static/[^"#]+)', client.get(page).text))
    assert len(named) > 10
    answers = {name: client.get(name) for name in named}
    assert {name for name, answer in answers.items() if answer.status_code != 200} == set()
    assert all("immutable" in answer.headers["cache-control"] for answer in answers.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_page_is_declared_public_because_it_holds_no_data(page: object) -> None:
    assert OWN[f"GET {page.path}"] == PUBLIC  # type: ignore[attr-defined]


def test_a_page_that_has_not_changed_is_not_sent_again(client: Client) -> None:
    first = client.get("/console")
    again = client.get("/console", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_of_another_version_is_answered_but_not_kept(client: Client) -> None:
    answer = client.get("/console/static/0000/js/dom.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.js", "../pages.py", "..%2fpages.py", "js", "js/../../router.py"])
def test_nothing_but_the_consoles_files_is_served(client: Client, name: str) -> None:
    assert client.get(f"/console/static/0000/{name}").status_code == 404


def test_an_address_without_a_page_is_answered_404_as_a_page(client: Client) -> None:
    answer = client.get("/console/nowhere")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_pages_stand_in_no_list_of_operations(client: Client) -> None:
    assert [path for path in client.get("/openapi.json").json()["paths"] if path.startswith("/console")] == []


def test_content_is_compressed_only_for_who_takes_it(client: Client) -> None:
    packed = client.get("/console", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    plain = client.get("/console", headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text


def test_every_relative_import_of_a_module_leads_to_a_file() -> None:
    missing = [
        f"{path.relative_to(assets.FOLDER)}: {name}"
        for path in assets.FOLDER.rglob("*.js")
        for name in re.findall(r'(?:from|import\()\s*"(\.[^"]+)"', path.read_text(encoding="utf-8"))
        if not (path.parent / name).is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_asks_at_once_for_all_modules_that_it_imports_and_for_no_other(client: Client, page: Page) -> None:
    files = assets.own()
    asked = re.findall(r'modulepreload" href="/console/static/[^/]+/([^"]+)"', client.get(page.path).text)
    assert asked == files.modules("js/shell/shell.js", f"js/{page.script}")
    assert {"js/api.js", "js/dom.js", "js/shell/shell.js", f"js/{page.script}"} <= set(asked)


def test_what_a_module_imports_is_found_however_it_is_written() -> None:
    script = """// @ts-check
import { a } from "./a.js";
import * as b from "../b.js";
import {
  c,
  d as e,
} from "./c.js";
import "./d.js";
export { f } from "./e.js";
/** @type {import("./types.js").T} */
const later = () => import("./later.js");
"""
    assert assets.imported(script) == ["./a.js", "../b.js", "./c.js", "./d.js", "./e.js"]


def test_comments_that_fill_lines_are_left_out_and_lines_keep_their_numbers() -> None:
    script = """// @ts-check
/** What it does. */

/**
 * @param {string} a `b`
 */
export function f(a) {
  // Why.
  const url = "https://x"; // said
  /** @type {any} */ (a).b();
  return a /* here */ + `//`;
  /** Later. */
}
"""
    left = assets.without_comments(script)
    code = [line for line in left.splitlines() if line]
    assert code == [
        "export function f(a) {",
        '  const url = "https://x"; // said',
        "  /** @type {any} */ (a).b();",
        "  return a /* here */ + `//`;",
        "}",
    ]
    numbers = {line: script.splitlines().index(line) for line in code}
    assert {line: left.splitlines().index(line) for line in code} == numbers


def test_no_text_of_a_module_is_taken_for_a_comment() -> None:
    """Within a text of several lines, one that begins as a comment does would be lost."""
    for path in assets.FOLDER.rglob("*.js"):
        script = path.read_text(encoding="utf-8")
        for found in assets._COMMENT.finditer(script):
            before = assets.without_comments(script[: found.start()])
            assert before.count("`") % 2 == 0, f"{path.name}: {found[0][:60]}"


def test_every_icon_that_is_named_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (assets.FOLDER / "icons.svg").read_text(encoding="utf-8")))
    templates = assets.FOLDER.parent / "templates"
    named = {page.icon for page in PAGES if page.icon}
    for path in [*assets.FOLDER.rglob("*.js"), *templates.rglob("*.html")]:
        named |= set(re.findall(r"""\bicon\(["']([a-z-]+)["']""", path.read_text(encoding="utf-8")))
    assert named - drawn == set()


def test_the_digest_of_the_files_changes_with_any_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.css").write_text("1")
    first = assets.Assets.read(tmp_path).digest
    (tmp_path / "b.css").write_text("2")
    assert assets.Assets.read(tmp_path).digest != first


def test_compression_of_the_same_bytes_is_the_same_in_every_process() -> None:
    body = b"a" * 5000
    found = Content.of(body, "text/css")
    assert found.compressed is not None
    assert gzip.decompress(found.compressed) == body
    assert found.compressed == Content.of(body, "text/css").compressed


def test_the_chart_library_is_the_one_that_its_authors_publish(client: Client) -> None:
    answer = client.get(packages.url("echarts.js"))
    assert answer.status_code == 200
    assert b"Apache" in answer.content
    assert "immutable" in answer.headers["cache-control"]


def test_a_file_of_a_package_that_was_changed_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = packages.PackageFile("vizly", "__init__.py", packages.FILES["echarts.js"].sha256)
    monkeypatch.setattr(packages, "FILES", {"changed.js": changed})
    with pytest.raises(NotFound, match="is another"):
        packages.read("changed.js")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "FILES", {"x.js": packages.PackageFile("no_such_package", "x.js", "0")})
    with pytest.raises(NotFound, match="no_such_package is not installed"):
        packages.read("x.js")


def test_the_shapes_have_all_small_island_states(client: Client) -> None:
    from models._indicators import SIDS

    address = re.findall(r'data-shapes="([^"]+)"', client.get("/console").text)[0]
    answer = client.get(address)
    features = json.loads(answer.content)["features"]
    found = {feature["properties"]["iso3"] for feature in features}
    # Natural Earth has Tokelau as a part of New Zealand.
    assert set(SIDS) - found == set()
    assert all(feature["geometry"]["coordinates"] for feature in features)
    assert len(gzip.compress(answer.content, 9)) < 120_000
