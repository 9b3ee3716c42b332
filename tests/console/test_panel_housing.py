"""Housing on its page: a district on the map, and what a house in it costs."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import overflow_px, violations
from tests.support.servers import Server

Visit = Callable[..., Page]
PAGE = "/console/models/housing"
BERKELEY = {
    "MedInc": 8.3252,
    "HouseAge": 41,
    "AveRooms": 6.98,
    "AveBedrms": 1.02,
    "Population": 322,
    "AveOccup": 2.56,
    "Latitude": 37.88,
    "Longitude": -122.23,
}


def link(house: dict[str, float], **more: Any) -> str:
    return f"{PAGE}#house={quote(json.dumps({'house': house, **more}))}"


def price_of(page: Page) -> Any:
    return page.locator(".housing-price strong")


def dollars(value: float) -> str:
    """In 100,000 dollars, as the page writes it."""
    return f"${round(value * 1000) * 100:,}"


def test_a_link_shows_its_district_with_the_price_interval_curve_and_reasons(
    visit: Visit, console_server: Server
) -> None:
    page = visit(console_server, link(BERKELEY, along="HouseAge"))
    told = console_server.post("/housing/predict?interval=true", json=BERKELEY).json()
    expect(price_of(page)).to_have_text(dollars(told["prediction"]))
    interval = f"{dollars(told['lower'])} to {dollars(told['upper'])}"
    expect(page.get_by_text(f"90% of such districts: {interval}")).to_be_visible()
    expect(page.get_by_label("Median income", exact=True)).to_have_value("8.3252")
    for picture in ("Map of 2000 districts", "Price along one figure"):
        expect(page.get_by_role("img", name=re.compile(f"^{picture}")).locator("canvas").first).to_be_visible()
    expect(page.get_by_label("Figure", exact=True)).to_have_value("HouseAge")
    expect(page.locator(".housing-reasons li")).to_have_count(8)
    # What nobody has changed is not put into the address anew.
    assert page.url.endswith(link(BERKELEY, along="HouseAge"))


def test_the_pin_goes_by_keys_and_by_a_click_on_the_map_and_the_address_follows(
    visit: Visit, console_server: Server
) -> None:
    page = visit(console_server, link(BERKELEY))
    pin = page.get_by_role("slider", name="Place of the district")
    pin.press("ArrowDown")
    pin.press("Shift+ArrowRight")
    expect(page.get_by_label("Latitude", exact=True)).to_have_value("37.83")
    expect(page.get_by_label("Longitude", exact=True)).to_have_value("-121.73")
    expect(pin).to_have_attribute("aria-valuetext", "37.83° north, 121.73° west")
    there = BERKELEY | {"Latitude": 37.83, "Longitude": -121.73}
    told = console_server.post("/housing/predict", json=there).json()
    expect(price_of(page)).to_have_text(dollars(told["prediction"]))
    page.wait_for_url(re.compile("121.73"))
    assert json.loads(unquote(page.url.split("#house=")[1]))["house"] == there
    box = page.get_by_role("img", name=re.compile("^Map of")).bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_label("Latitude", exact=True)).not_to_have_value("37.83")
    expect(page.get_by_label("Median income", exact=True)).to_have_value("8.3252")


def test_fields_say_what_the_api_does_not_take_and_what_the_training_does_not_know(
    visit: Visit, console_server: Server
) -> None:
    page = visit(console_server, link(BERKELEY))
    income = page.get_by_label("Median income", exact=True)
    income.fill("-1")
    expect(income).to_have_accessible_description("At least 0, please.")
    expect(income).to_have_attribute("aria-invalid", "true")
    income.fill("20")
    expect(income).to_have_accessible_description(re.compile("No district of the training has so much"))
    page.get_by_role("slider", name="Median income, slider").fill("2")
    expect(income).to_have_value("2")
    expect(income).to_have_accessible_description(re.compile("Mostly 1.06 to 10.2"))
    told = console_server.post("/housing/predict", json=BERKELEY | {"MedInc": 2}).json()
    expect(price_of(page)).to_have_text(dollars(told["prediction"]))


def test_a_known_district_is_taken_as_it_is_and_another_model_may_be_asked(
    visit: Visit, console_server: Server
) -> None:
    page = visit(console_server, link(BERKELEY))
    page.get_by_role("button", name="Take its figures").click()
    expect(page.get_by_text("A known district lies here.")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("svr")
    expect(page.get_by_text("Support vectors tell no interval.")).to_be_visible()
    figures = {name: float(page.locator(f"#housing-{name}").input_value()) for name in BERKELEY}
    told = console_server.post("/housing/predict?model=svr", json=figures).json()
    expect(price_of(page)).to_have_text(dollars(told["prediction"]))


def test_where_no_model_answers_the_page_says_what_to_do(visit: Visit, console_server: Server) -> None:
    page = visit(console_server, "/console/models", expected=("status of 503",))
    problem = {"title": "The model is not available", "status": 503, "detail": "boosted.onnx is missing"}
    # Its files are there in every checkout: only the answer is made up.
    page.route(
        "**/housing/districts",
        lambda route: route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem)),
    )
    page.goto(console_server.url + PAGE)
    expect(page.get_by_text("boosted.onnx is missing")).to_be_visible()
    expect(page.get_by_text("Let a version serve under Versions, or make one under Train")).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(price_of(page)).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_stands_in_the_way_of_people_with_disabilities(
    visit: Visit, console_server: Server, dark: bool
) -> None:
    page = visit(console_server, PAGE, phone=not dark, dark=dark)
    expect(page.locator(".housing-reasons li")).to_have_count(8)
    expect(page.get_by_role("slider", name="Place of the district")).to_be_visible()
    assert violations(page) == []
    assert overflow_px(page) == 0
