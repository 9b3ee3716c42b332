"""Pages of models: the list, and the page that every plugin has without code of its own."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import PATIENCE_MS, overflow_px, violations
from tests.support.servers import Server

Visit = Callable[..., Page]
SAMPLE = "/console/models/sample"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose registry and jobs these tests change, with models whose choices depend on each other."""
    chosen = "sample,housing,imputation,timeseries"
    started = Server(tmp_path_factory.mktemp("models"), env={"SERVICE_MODEL": chosen})
    yield started
    started.stop()


def test_the_list_leads_to_the_page_of_each_model(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/models")
    row = page.get_by_role("row").filter(has_text="Sample Model")
    expect(row.locator(".badge").first).to_have_text("ready")
    row.get_by_role("link", name="Sample Model").click()
    expect(page.get_by_role("heading", name="Sample Model", level=1)).to_be_visible()
    expect(page).to_have_title("Sample Model · Atoll")


def test_an_example_is_one_click_away_and_ctrl_enter_runs_it(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, SAMPLE)
    page.get_by_role("button", name="hello").click()
    field = page.get_by_label("Required field")
    expect(field).to_have_value("required 123")
    field.press("Control+Enter")
    expect(page.get_by_role("region", name="Answer", exact=True)).to_contain_text("Hello required 123")


def test_the_answer_is_also_json_and_a_request_for_curl_and_python(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, SAMPLE)
    page.get_by_label("Required field").fill("it's")
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("tab", name="JSON").click()
    shown = page.get_by_role("region", name="Answer as JSON")
    assert json.loads(shown.inner_text()) == {"resp1": "Hello it's"}
    page.get_by_role("tab", name="curl").click()
    asked = page.get_by_role("region", name="Request for curl").inner_text()
    assert f"curl '{console_server.url}/sample_model/predict'" in asked
    assert r"""'{"requiredField":"it'\''s"}'""" in asked
    page.get_by_role("tab", name="Python").click()
    expect(page.get_by_role("region", name="Request in Python")).to_contain_text('json={"requiredField": "it\'s"}')


def test_the_address_holds_the_inputs_and_fills_the_form_again(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, SAMPLE)
    page.get_by_label("Required field").fill("a link & more")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("tab", name="JSON")).to_be_visible()
    assert json.loads(unquote(page.url.split("#in=")[1]))["body"] == {"requiredField": "a link & more"}
    other = visit(console_server, page.url.removeprefix(console_server.url))
    expect(other.get_by_label("Required field")).to_have_value("a link & more")


def test_what_is_missing_is_said_at_its_field_and_nothing_is_sent(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, SAMPLE)
    page.get_by_role("button", name="Run now").click()
    field = page.get_by_label("Required field")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("This is needed"))
    expect(page.get_by_role("region", name="Answer", exact=True)).to_contain_text("No answer yet")


def test_bounds_are_said_before_sending_and_what_the_api_refuses_stands_at_its_field(
    visit: Visit, server: Server
) -> None:
    page = visit(server, "/console/models/housing?tab=predict", expected=("status of 422", "status of 404"))
    page.get_by_role("button", name="near Berkeley").click()
    page.get_by_label("Latitude").fill("91")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_label("Latitude")).to_have_accessible_description(re.compile("At most 90"))
    page.goto(f"{server.url}/console/models/housing?tab=train")
    seconds = page.get_by_label("Seconds")
    expect(seconds).to_have_accessible_description(re.compile(r"More than 0\."))
    seconds.fill("0")
    page.get_by_role("button", name="Train").click()
    expect(seconds).to_have_accessible_description(re.compile("More than 0, please"))
    refused = server.post("/timeseries/predict", json={"target": "none", "country": "FJI"})
    assert refused.status_code == 422
    field = refused.json()["errors"][0]["field"].split(".")[-1]
    page.goto(f"{server.url}/console/models/timeseries")
    page.get_by_label("Target").fill("none")
    page.get_by_label("Country").fill("FJI")
    page.get_by_role("button", name="Run now").click()
    marked = page.locator(f"[data-field={field}] [aria-invalid=true]")
    expect(marked).to_be_visible()
    expect(page.locator(f"[data-field={field}] .field-error")).not_to_be_empty()


def test_choices_are_loaded_once_what_they_depend_on_is_there_and_can_be_searched(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/models/imputation")
    form = page.get_by_role("tabpanel", name="Predict")
    target = form.get_by_label("Target")
    expect(target).to_have_accessible_description(re.compile("First choose: Year, Data set"))
    year = form.get_by_label("Year")
    year.fill("201")
    page.get_by_role("option", name="2010").click()
    expect(target).to_have_accessible_description(re.compile("First choose: Data set"))
    form.get_by_label("Data set").click()
    page.get_by_role("option", name="development").click()
    expect(target).to_have_accessible_description(re.compile("Indicator to fill"))
    target.fill("broadband")
    target.press("ArrowDown")
    target.press("Enter")
    expect(target).to_have_value("Fixed broadband subscriptions")
    expect(target).to_have_attribute("aria-expanded", "false")


def test_fields_appear_when_another_has_the_value_that_asks_for_them(visit: Visit, server: Server) -> None:
    page = visit(server, "/console/models/imputation")
    number, manual = page.locator("[data-field=number_predictor]"), page.locator("[data-field=manual_predictors]")
    scheme = page.get_by_label("Choice of predictors")
    expect(scheme).to_be_visible()
    expect(number).not_to_be_visible()
    scheme.select_option("AFS")
    expect(number).to_be_visible()
    scheme.select_option("MANUAL")
    expect(manual).to_be_visible()
    expect(number).not_to_be_visible()


def test_the_time_is_told_before_a_prediction_that_is_queued_and_followed(visit: Visit, server: Server) -> None:
    body = {"target_year": "2010", "target": "dev-broadband", "scheme": "AFS", "number_predictor": 5, "estimators": 20}
    values = json.dumps({"body": body, "query": {}})
    page = visit(server, f"/console/models/imputation#in={values}")
    expect(page.get_by_text("Takes about")).to_be_visible()
    page.get_by_role("button", name="Queue").click()
    answer = page.get_by_role("region", name="Answer", exact=True)
    # A worker may have to be started for it, which loads all that the model needs.
    page.get_by_role("tab", name="Table").click(timeout=4 * PATIENCE_MS)
    expect(answer.get_by_text("rmse_deviation", exact=True)).to_be_visible()
    expect(answer.get_by_role("table", name="prediction")).to_be_visible()


def test_a_training_shows_its_trials_and_publishes_a_version_which_can_be_rolled_back(
    visit: Visit, server: Server
) -> None:
    page = visit(server, f"{SAMPLE}?tab=train")
    for number in (1, 2):
        page.locator("[data-field=x] input").fill("0, 1, 2, 3")
        page.locator("[data-field=y] input").fill("1 3 5 7")
        page.locator("[data-field=trials] input").fill("12")
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_text(f"Version {number} is published")).to_be_visible()
        expect(page.get_by_role("table", name="Trials of the search").get_by_role("row")).to_have_count(13)
    page.get_by_role("tab", name="Versions").click()
    serving = page.get_by_role("row").filter(has_text="serves")
    expect(serving).to_contain_text("v2")
    page.get_by_role("button", name="Roll back to v1").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back to v1").click()
    expect(serving).to_contain_text("v1")
    assert server.get("/registry/sample").json()["aliases"]["default"] == 1
    # Nothing served before it.
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
    small = visit(server, f"{SAMPLE}?tab=versions", phone=True)
    expect(small.get_by_role("button", name="Let it serve")).to_be_in_viewport(ratio=1)


def test_a_model_that_is_not_there_is_named_with_those_that_are(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/models/nobody")
    expect(page.get_by_role("heading", name="There is no model nobody")).to_be_visible()
    expect(page.get_by_text("This server has housing, sample, sentiment")).to_be_visible()


def test_a_table_of_the_answer_is_kept_as_a_file(visit: Visit, console_server: Server, tmp_path: Path) -> None:
    page = visit(console_server, "/console/models/sentiment?tab=predict")
    page.get_by_role("button", name="love and hate").click()
    page.get_by_role("button", name="Run now").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    begun.value.save_as(tmp_path / "answer.csv")
    lines = (tmp_path / "answer.csv").read_text().splitlines()
    assert lines[0] == "item,label,score"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["1", "POSITIVE"],
        ["1", "NEGATIVE"],
        ["2", "NEGATIVE"],
        ["2", "POSITIVE"],
    ]


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_stands_in_the_way_of_people_with_disabilities(
    visit: Visit, server: Server, phone: bool, dark: bool
) -> None:
    page = visit(server, "/console/models/imputation", phone=phone, dark=dark)
    page.get_by_label("Choice of predictors").select_option("MANUAL")
    page.get_by_role("tabpanel", name="Predict").get_by_label("Year").click()
    expect(page.get_by_role("option", name="2010")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
    page.goto(f"{server.url}/console/models")
    expect(page.get_by_role("row").filter(has_text="Sample Model")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0


IMPUTED = {"target_year": "2010", "target": "dev-agriculture.share", "scheme": "AFS", "number_predictor": 5}


def test_an_imputation_is_shown_as_a_map_bars_with_intervals_history_and_reasons(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    values = json.dumps({"body": {**IMPUTED, "estimators": 20}, "query": {}})
    page = visit(server, f"/console/models/imputation#in={values}")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("tab", name="Picture")).to_have_attribute("aria-selected", "true")
    for picture in (
        "Map of the world",
        "Values of ",
        "The series of dev-agriculture.share",
        "Importance of ",
        "Importance by category",
        "Correlations of",
    ):
        expect(page.get_by_role("img", name=re.compile(f"^{picture}")).locator("canvas").first).to_be_visible()
    page.get_by_role("combobox", name="Country").last.select_option(label="Fiji")
    assert violations(page) == []
    with page.expect_download() as begun:
        page.get_by_role("button", name="Countries as CSV").click()
    begun.value.save_as(tmp_path / "countries.csv")
    lines = (tmp_path / "countries.csv").read_text().splitlines()
    assert lines[0] == "code,country,value,lower,upper,imputed"
    answer = server.post("/imputation/predict", json={**IMPUTED, "estimators": 20}).json()
    filled = {line.split(",")[0] for line in lines if line.endswith("true")}
    assert filled == set(answer["prediction"]["Country Code"])
    with page.expect_download() as picture_begun:
        page.get_by_role("button", name="PNG").first.click()
    assert picture_begun.value.suggested_filename == "map-dev-agriculture.share-2010.png"
