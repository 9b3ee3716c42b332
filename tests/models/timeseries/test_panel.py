"""Several series in one call."""

from typing import Any

import httpx
import pandas as pd
import pytest

from tests.support.problems import assert_invalid
from tests.support.servers import Server

TARGETS = ["dev-literacy.adult", "dev-physicians"]
COUNTRIES = ["JAM", "COM", "COK"]


def panel(server: Server, **changed: Any) -> httpx.Response:
    body = {"targets": TARGETS, "countries": COUNTRIES, "method": "linear"}
    return server.post("/timeseries/panel", json=body | changed)


def test_rows_are_a_tidy_table_by_indicator_country_and_year(sample_server: Server) -> None:
    rows = pd.DataFrame(panel(sample_server).json()["rows"])
    assert list(rows.columns) == ["country", "indicator", "year", "value", "lower", "upper", "observed"]
    expected = [(target, country, year) for target in TARGETS for country in COUNTRIES for year in range(2000, 2021)]
    assert list(zip(rows.indicator, rows.country, rows.year, strict=True)) == expected


def test_rows_hold_what_the_single_series_hold(sample_server: Server) -> None:
    rows = pd.DataFrame(panel(sample_server, method="auto").json()["rows"])
    mine = rows[(rows.country == "COK") & (rows.indicator == TARGETS[0])]
    one = sample_server.post("/timeseries/predict", json={"target": TARGETS[0], "country": "COK"}).json()
    assert mine.value.tolist() == one["imputed_series"]["data"]
    assert mine.year[~mine.observed].tolist() == one["missing_years"]
    assert mine.lower[~mine.observed].tolist() == one["intervals"]["lower"]
    assert mine.lower[mine.observed].isna().all()


def test_series_are_lines_of_a_picture(sample_server: Server) -> None:
    body = panel(sample_server, method="auto", form="series").json()
    assert body["rows"] is None
    assert [(line["indicator"], line["country"]) for line in body["series"]] == [
        (target, country) for target in TARGETS for country in COUNTRIES
    ]
    line = body["series"][2]
    assert (line["country_name"], line["indicator_name"], line["unit"]) == ("Cook Islands", "Literacy rate, adult", "%")
    assert line["x"] == list(range(2000, 2021))
    assert {len(line[name]) for name in ("x", "y", "lower", "upper", "observed")} == {21}
    for seen, low, value, high in zip(line["observed"], line["lower"], line["y"], line["upper"], strict=True):
        assert (low is None) is (high is None) is seen
        assert seen or low <= value <= high


def test_a_series_that_cannot_be_filled_does_not_keep_the_others_from_it(sample_server: Server) -> None:
    body = panel(sample_server).json()
    nothing = [("JAM", TARGETS[0]), ("COM", TARGETS[0]), ("COM", TARGETS[1]), ("COK", TARGETS[1])]
    assert [(item["country"], item["indicator"]) for item in body["skipped"]] == nothing
    assert {item["code"] for item in body["skipped"]} == {"no_observations"}
    filled = [row for row in body["rows"] if row["country"] == "JAM" and row["indicator"] == TARGETS[1]]
    assert all(row["value"] is not None for row in filled)


def test_without_countries_the_small_island_states_are_taken(sample_server: Server) -> None:
    body = panel(sample_server, targets=TARGETS[:1], countries=None).json()
    countries = {row["country"] for row in body["rows"]}
    assert {"COK", "FJI", "TKL"} <= countries
    assert "AUS" not in countries


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"targets": []}, "targets", "at least 1"),
        ({"targets": ["nope"]}, "targets", "GET targets"),
        ({"targets": [TARGETS[0]] * 2}, "targets", "named twice: dev-literacy.adult"),
        ({"targets": [str(number) for number in range(101)]}, "targets", "at most 100"),
        ({"countries": ["nope"]}, "countries", "GET countries"),
        ({"countries": ["JAM", "JAM"]}, "countries", "named twice: JAM"),
        ({"method": "spline"}, "d", "required when method is spline"),
        ({"method": "spline", "d": 7}, "d", "order of 1 to 5"),
        ({"form": "table"}, "form", "'series'"),
    ],
)
def test_a_wrong_panel_is_refused_with_what_to_send(
    sample_server: Server, changed: dict[str, Any], field: str, told: str
) -> None:
    assert_invalid(panel(sample_server, **changed), f"body.{field}", told=told)
