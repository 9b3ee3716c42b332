"""The time series over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from models._indicators import IndicatorSet
from models.timeseries import choices
from models.timeseries.interpolation import least_points
from models.timeseries.spec import Method
from tests.support.problems import assert_invalid, assert_problem
from tests.support.servers import Server

PREFIXES = ("/timeseries", "/statimpute")
NAMED = [method.name for method in Method if method is not Method.auto]
TARGET, COUNTRY = "dev-literacy.adult", "COK"
# As the first dashboard sends it.
OLD = {"target": "key-wdi-EG.ELC.ACCS.ZS", "country": "GNB", "method": "linear", "direction": "both", "d": None}


def ask(server: Server, route: str = "/timeseries/predict", **changed: Any) -> httpx.Response:
    return server.post(route, json={"target": TARGET, "country": COUNTRY} | changed)


def constant(data: IndicatorSet) -> tuple[str, str]:
    """Target and country of a series with gaps whose observations are all equal."""
    known = choices.shape(data)
    country, target = np.argwhere((known.count > 1) & (known.count < len(data.years)) & ~known.varied)[0].tolist()
    return data.indicators[target], data.countries[country]


@pytest.mark.parametrize("route", ["predict", "impute"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_request_of_the_first_dashboard_is_answered_as_it_stands(
    series_server: Server, sids: IndicatorSet, prefix: str, route: str
) -> None:
    response = series_server.post(f"{prefix}/{route}", json=OLD)
    assert response.status_code == 200
    body = response.json()
    series = pd.Series(
        sids.values[:, sids.country_index["GNB"], sids.indicator_index[str(OLD["target"])]], index=sids.years
    )
    filled = series.interpolate("linear", limit_direction="both")
    assert body["missing_years"] == sorted(series.index[series.isna()])
    assert body["imputed_series"]["name"] == "GNB"
    assert body["imputed_series"]["index"] == list(sids.years)
    assert body["imputed_series"]["data"] == pytest.approx(filled.tolist(), rel=1e-12)


def test_the_answer_is_read_by_pandas_as_it_stands(sample_server: Server) -> None:
    split = ask(sample_server).json()["imputed_series"]
    series = pd.Series(**split)
    assert series.notna().all()
    assert series.name == COUNTRY


@pytest.mark.parametrize("method", NAMED)
def test_real_series_get_what_pandas_gives(series_server: Server, sids: IndicatorSet, method: str) -> None:
    known = choices.shape(sids)
    order = 3
    enough = known.fillable & (known.count >= least_points(Method[method], order))
    pairs = np.random.default_rng(1).permutation(np.argwhere(enough))[:25].tolist()
    for country, target in pairs:
        asked = {"target": sids.indicators[target], "country": sids.countries[country], "method": method}
        more = {"d": order} if method in ("spline", "polynomial") else {}
        response = series_server.post(
            "/timeseries/predict", json=asked | more | {"direction": "forward", "bounded": False}
        )
        assert response.status_code == 200, response.text
        series = pd.Series(sids.values[:, country, target], index=sids.years)
        filled = series.interpolate(
            method,  # type: ignore[arg-type]
            order=order,
            limit_direction="forward",
        )
        expected = filled.to_numpy()
        given = np.array(response.json()["imputed_series"]["data"], dtype=np.float64)
        slack = 1e-9 * float(np.nanmax(np.abs(expected)))
        np.testing.assert_allclose(given, expected, rtol=1e-6, atol=slack, err_msg=str(asked))


def test_auto_tells_what_it_compared_and_how_sure_it_is(sample_server: Server) -> None:
    body = ask(sample_server).json()
    missing = body["missing_years"]
    assert missing == sorted(missing)
    assert body["unfilled_years"] == []
    intervals = body["intervals"]
    assert intervals["index"] == missing
    values = dict(zip(body["imputed_series"]["index"], body["imputed_series"]["data"], strict=True))
    for year, low, high in zip(missing, intervals["lower"], intervals["upper"], strict=True):
        assert low <= values[year] <= high
    for part in ("inside", "ends"):
        items = [item for item in body["comparison"] if item["part"] == part]
        (chosen,) = [item for item in items if item["chosen"]]
        assert chosen["method"] == body["method"][part]
        assert chosen["score"] == min(item["score"] for item in items)
        assert {"linear", "level", "trend"} <= {item["method"] for item in items}


def test_equal_requests_get_equal_bytes_in_any_process(start_server: Callable[..., Server]) -> None:
    answers = set()
    for threads in ("1", "2"):
        server = start_server(env={"SERVICE_MODEL": "timeseries", "PREDICT_THREADS": threads})
        answers |= {ask(server, f"{prefix}/{name}").content for prefix in PREFIXES for name in ("predict", "impute")}
        fresh = server.post(
            "/timeseries/predict", json={"target": TARGET, "country": COUNTRY}, headers={"Cache-Control": "no-cache"}
        )
        assert fresh.headers["x-cache"] == "miss"
        answers.add(fresh.content)
    assert len(answers) == 1


def test_countries_are_those_with_gaps_and_enough_observations(sample_server: Server, sample: IndicatorSet) -> None:
    listed = sample_server.get("/timeseries/countries", params={"target": TARGET}).json()
    seen = np.isfinite(sample.values[:, :, sample.indicator_index[TARGET]]).sum(axis=0)
    with_gaps = {sample.countries[at] for at in np.flatnonzero((seen >= 2) & (seen < len(sample.years)))}
    assert listed == sorted(listed)
    assert set(listed) <= with_gaps
    assert COUNTRY in listed
    for country in listed[:5]:
        assert ask(sample_server, country=country, method="linear").status_code == 200


def test_targets_can_be_narrowed_to_a_data_set_and_a_country(sample_server: Server) -> None:
    everything = sample_server.get("/timeseries/targets").json()
    narrowed = sample_server.get("/timeseries/targets", params={"dataset": "env", "country": COUNTRY}).json()
    assert narrowed.items() < everything.items()
    assert all(code.startswith("env-") for code in narrowed)


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"target": "nope"}, "target", "GET targets"),
        ({"country": "nope"}, "country", "GET countries?target="),
        ({"country": "COM"}, "country", "no observation"),
        ({"method": "polynom"}, "method", "'pchip'"),
        ({"direction": "left"}, "direction", "'both'"),
        ({"method": "spline"}, "d", "required when method is spline"),
        ({"method": "spline", "d": 6}, "d", "order of 1 to 5"),
        ({"method": "polynomial", "d": 12}, "d", "send 1 to 9"),
        ({"method": "polynomial", "d": 0}, "d", "greater than or equal to 1"),
        ({"method": "polynomial", "d": "3"}, "d", "valid integer"),
        ({"bounded": 0}, "bounded", "valid boolean"),
        ({"order": 3}, "order", "not permitted"),
    ],
)
def test_a_wrong_question_is_refused_with_what_to_send(
    sample_server: Server, changed: dict[str, Any], field: str, told: str
) -> None:
    assert_invalid(ask(sample_server, **changed), f"body.{field}", told=told)


def test_a_constant_series_is_refused_with_its_value(series_server: Server, sids: IndicatorSet) -> None:
    target, country = constant(sids)
    for method in ("auto", "linear"):
        response = series_server.post(
            "/timeseries/predict", json={"target": target, "country": country, "method": method}
        )
        assert_invalid(response, "body.country", told="take that value")
    assert country not in series_server.get("/timeseries/countries", params={"target": target}).json()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"target": "nope"}, "target: no such indicator; GET targets lists them"),
        ({"method": "polynomial", "d": 12}, "d: order 12 needs 13 observations and there are 10; send 1 to 9"),
    ],
)
def test_the_old_prefix_answers_errors_in_their_old_shape(
    sample_server: Server, changed: dict[str, Any], told: str
) -> None:
    response = ask(sample_server, "/statimpute/impute", **changed)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"detail": {"msg": told, "type": "value_error.invalid"}}


def test_the_old_prefix_names_the_field_of_a_body_that_does_not_fit(sample_server: Server) -> None:
    response = ask(sample_server, "/statimpute/predict", method="spline")
    assert response.status_code == 422
    (error,) = response.json()["detail"]
    assert error == {
        "loc": ["body", "d"],
        "msg": "Field required when method is spline",
        "type": "required_if",
    }


def test_params_lists_what_may_be_asked(sample_server: Server) -> None:
    model = next(item for item in sample_server.get("/params").json() if item["model"] == "timeseries")
    inputs = {item["parameter"]: item for item in model["inputs"]}
    assert model["label"] == "Functional Imputation"
    assert inputs["target"]["req_endpoint"]["endpoint"] == "/timeseries/targets"
    assert inputs["country"]["req_endpoint"] == {
        "endpoint": "/timeseries/countries",
        "method": "GET",
        "inputs": ["target"],
    }
    assert set(inputs["method"]["values"]) == {*NAMED, "auto"}
    assert inputs["d"]["conditions"] == [{"required": [{"method": "spline"}, {"method": "polynomial"}]}]


def test_a_prediction_can_be_queued(sample_server: Server) -> None:
    response = sample_server.post(
        "/timeseries/predict", json={"target": TARGET, "country": COUNTRY}, headers={"Prefer": "respond-async"}
    )
    assert response.status_code == 202
    refused = sample_server.post(
        "/timeseries/predict", json={"target": TARGET, "country": "COM"}, headers={"Prefer": "respond-async"}
    )
    assert_invalid(refused, "body.country", told="no observation")


def test_too_many_series_at_once_are_refused_with_the_limit(sample_server: Server) -> None:
    targets = list(sample_server.get("/timeseries/targets").json())[:30]
    response = sample_server.post("/timeseries/panel", json={"targets": targets})
    assert_problem(response, 413, told="at most 250 at once with method auto")


def test_equal_keys_are_not_shared_between_one_series_and_a_panel(sample_server: Server) -> None:
    one = ask(sample_server, method="linear").json()
    many = sample_server.post(
        "/timeseries/panel", json={"targets": [TARGET], "countries": [COUNTRY], "method": "linear"}
    ).json()
    assert [row["value"] for row in many["rows"]] == one["imputed_series"]["data"]
    assert json.dumps(one) != json.dumps(many)


def test_the_data_set_is_listed_as_used(series_server: Server) -> None:
    found = next(item for item in series_server.get("/datasets").json() if item["name"] == "sids_small")
    assert found["used_by"] == ["timeseries"]
