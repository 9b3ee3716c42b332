"""Panels of plugins in the browser: one of the test's own, with a tab of the page and one of the answer."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.blocks import blocks
from tests.support.plugins import write_plugin
from tests.support.servers import Server

Visit = Callable[..., Page]
PAGE = "/console/models/pictured"

PLUGIN = """
from fastapi import APIRouter
from pydantic import BaseModel

from common.plugins import BaseDefinition, Plugin, param

router = APIRouter(prefix="/pictured", tags=["Pictured"])


class Question(BaseDefinition):
    number: int = param(title="Number")


class Answer(BaseModel):
    values: list[int]


@router.post("/predict")
async def predict(body: Question) -> Answer:
    return Answer(values=list(range(body.number)))


plugin = Plugin(title="Pictured", panels=("panel.js", "part.js", "broken.js"))
"""
PANEL = """
export default async function panel({ answer, body }, kit) {
  if (!answer.values.length) return null;
  const { doubled } = await kit.part("part.js");
  const place = kit.dom.h("div", { class: "chart" });
  const series = [{ type: "bar", data: doubled(answer.values) }];
  const bars = () => ({ xAxis: { type: "category" }, yAxis: {}, series });
  kit.chart(place, bars, { label: `Twice ${body.number} values` });
  return { title: "Chart", element: place };
}

export function page({ model }, kit) {
  const told = kit.dom.h("p", { class: "told" }, `This is ${model.name}.`);
  kit.styles(".told { letter-spacing: 3px; }");
  let seen = 0;
  return {
    title: "Mine",
    element: told,
    onShow: () => kit.dom.setText(told, `This is ${model.name}, seen ${(seen += 1)} times.`),
    onHide: () => (document.title = "hidden"),
  };
}
"""
PART = "export const doubled = (values) => values.map((one) => 2 * one);\n"
BROKEN = "export function page() { throw new Error('it is broken'); }\n"

# Asked for a number, it has names and values, as the example of docs/console.md takes for granted.
DOCUMENTED = (
    PLUGIN.replace("pictured", "documented")
    .replace("    values: list[int]\n", "    names: list[str]\n    values: list[int]\n")
    .replace("Answer(values", "Answer(names=[f'n{at}' for at in range(body.number)], values")
    .replace('("panel.js", "part.js", "broken.js")', '("panel.js",)')
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = write_plugin(tmp_path_factory.mktemp("plugins"), "pictured", PLUGIN)
    console = folder / "pictured" / "console"
    console.mkdir()
    for name, script in {"panel.js": PANEL, "part.js": PART, "broken.js": BROKEN}.items():
        (console / name).write_text(script, encoding="utf-8")
    (shown,) = blocks("js")
    write_plugin(folder, "documented", DOCUMENTED)
    (folder / "documented/console").mkdir()
    (folder / "documented/console/panel.js").write_text(shown.text, encoding="utf-8")
    env = {"ATOLL_PLUGIN_PATH": str(folder), "SERVICE_MODEL": "pictured,documented"}
    started = Server(tmp_path_factory.mktemp("pictured"), env=env)
    yield started
    started.stop()


def test_a_panel_gives_the_page_a_tab_which_is_told_when_it_is_seen(visit: Visit, server: Server) -> None:
    page = visit(server, PAGE)
    expect(page.get_by_role("tab").first).to_have_text("Mine")
    told = page.get_by_text("This is pictured, seen 1 times.")
    expect(told).to_be_visible()
    expect(told).to_have_css("letter-spacing", "3px")
    page.get_by_role("tab", name="Predict").click()
    expect(page).to_have_title("hidden")
    page.get_by_role("tab", name="Mine").click()
    expect(page.get_by_text("This is pictured, seen 2 times.")).to_be_visible()


def test_a_panel_that_fails_is_named_and_the_page_is_there_as_ever(visit: Visit, server: Server) -> None:
    page = visit(server, PAGE)
    expect(page.get_by_text("it is broken")).to_be_visible()
    expect(page.get_by_role("tab", name="Predict")).to_be_visible()


def test_a_panel_draws_the_answer_and_leaves_out_what_it_has_no_picture_for(visit: Visit, server: Server) -> None:
    page = visit(server, f"{PAGE}?tab=predict")
    field = page.get_by_label("Number")
    field.fill("3")
    field.press("Control+Enter")
    expect(page.get_by_role("img", name="Twice 3 values").locator("canvas").first).to_be_visible()
    field.fill("0")
    field.press("Control+Enter")
    expect(page.get_by_role("tab", name="Table")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Chart")).to_have_count(0)


def test_the_panel_that_the_docs_show_draws_bars(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/models/documented")
    field = page.get_by_label("Number")
    field.fill("3")
    field.press("Control+Enter")
    expect(page.get_by_role("img", name="Value of each name").locator("canvas").first).to_be_visible()


def test_a_link_to_inputs_leads_to_their_form(visit: Visit, server: Server) -> None:
    page = visit(server, f"{PAGE}#in=%7B%22body%22%3A%7B%22number%22%3A7%7D%7D")
    expect(page.get_by_role("tab", name="Predict")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Number")).to_have_value("7")


def test_the_tab_that_is_open_stands_in_the_address(visit: Visit, server: Server) -> None:
    page = visit(server, PAGE)
    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("tab", name="Mine").click()
    expect(page).to_have_url(f"{server.url}{PAGE}?tab=page-panel")
