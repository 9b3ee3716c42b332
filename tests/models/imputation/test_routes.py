"""What imputation offers to choose from, over HTTP."""

from typing import Any

import httpx
import pytest

from tests.support.datasets import AFS, MANUAL
from tests.support.problems import assert_invalid
from tests.support.servers import Server

YEAR = MANUAL["target_year"]
TARGET = MANUAL["target"]


def test_the_years_are_those_with_something_to_fill(sids_server: Server) -> None:
    years = sids_server.get("/imputation/target_years").json()
    assert years == [str(year) for year in range(2000, 2020)]


@pytest.mark.parametrize("route", ["target_sample_size", "predictor_sample_size"])
def test_a_sample_size_is_a_number_of_countries(sids_server: Server, route: str) -> None:
    response = sids_server.get(f"/imputation/{route}")
    assert response.status_code == 200
    assert 0 < response.json() <= 50


def test_the_data_sets_of_a_year_are_names_by_code(sids_server: Server) -> None:
    found = sids_server.get("/imputation/datasets", params={"target_year": YEAR}).json()
    assert found["key"] == "SIDS Key Indicators"
    assert set(found) == {"hdr", "key", "mvi", "wdi"}


def test_every_data_set_of_a_year_has_targets(sids_server: Server) -> None:
    for code in sids_server.get("/imputation/datasets", params={"target_year": YEAR}).json():
        found = sids_server.get("/imputation/targets", params={"target_year": YEAR, "dataset": code})
        assert found.status_code == 200
        assert found.json(), code


def test_the_targets_of_a_data_set_are_names_by_code(sids_server: Server) -> None:
    found = sids_server.get("/imputation/targets", params={"target_year": YEAR, "dataset": "key"}).json()
    assert TARGET in found
    assert all(code and name for code, name in found.items())


def test_a_target_has_its_variants(sids_server: Server) -> None:
    found = dimensions(sids_server, TARGET)
    assert {"label": "None", "value": TARGET} in found


def test_a_target_may_be_named_by_name_as_the_dashboard_does(sids_server: Server) -> None:
    named = sids_server.get("/imputation/targets", params={"target_year": YEAR, "dataset": "key"}).json()[TARGET]
    assert dimensions(sids_server, named) == dimensions(sids_server, TARGET)


def dimensions(server: Server, target: str) -> Any:
    response = server.get("/imputation/dimensions", params={"target_year": YEAR, "dataset": "key", "target": target})
    assert response.status_code == 200
    return response.json()


def predictors(server: Server, **changed: Any) -> httpx.Response:
    body = {"target_year": YEAR, "target": TARGET, "scheme": "MANUAL"} | changed
    return server.post("/imputation/predictors", json=body)


def test_predictors_by_hand_are_names_by_code_without_the_target(sids_server: Server) -> None:
    found = predictors(sids_server).json()
    assert set(MANUAL["manual_predictors"]) <= set(found)
    assert TARGET not in found
    assert len(found) > 100


@pytest.mark.parametrize("scheme", ["AFS", "PCA"])
def test_predictors_chosen_by_the_model_are_numbers(sids_server: Server, scheme: str) -> None:
    assert predictors(sids_server, scheme=scheme).json() == {str(n): str(n) for n in range(10, 51)}


@pytest.mark.parametrize("body", [MANUAL, AFS], ids=["MANUAL", "AFS"])
def test_an_estimate_is_a_number_of_seconds(sids_server: Server, body: dict[str, Any]) -> None:
    response = sids_server.post("/imputation/estimate", json=body)
    assert response.status_code == 200
    assert 0 < response.json() < 230


def test_a_year_may_be_given_as_a_number(sids_server: Server) -> None:
    assert predictors(sids_server, target_year=2001).json() == predictors(sids_server).json()


@pytest.mark.parametrize("year", ["1066", "2001.0", "٢٠٠١", " 2001", "", "year", "99999", "x" * 200])
def test_an_unknown_year_is_refused_and_the_years_are_told(sids_server: Server, year: str) -> None:
    response = sids_server.get("/imputation/datasets", params={"target_year": year})
    assert_invalid(response, "query.target_year", told="use 2000 to 2019")


@pytest.mark.parametrize(
    ("route", "params", "field", "told"),
    [
        ("datasets", {}, "query.target_year", "Field required"),
        ("targets", {"target_year": YEAR}, "query.dataset", "Field required"),
        ("targets", {"target_year": YEAR, "dataset": "nope"}, "query.dataset", "GET datasets?target_year=2001"),
        ("dimensions", {"target_year": YEAR, "dataset": "key"}, "query.target", "Field required"),
        ("dimensions", {"target_year": YEAR, "dataset": "key", "target": "x"}, "query.target", "GET targets"),
        ("dimensions", {"target_year": YEAR, "dataset": "wdi", "target": TARGET}, "query.target", "GET targets"),
    ],
)
def test_a_wrong_choice_is_refused_with_the_route_that_lists_them(
    sids_server: Server, route: str, params: dict[str, str], field: str, told: str
) -> None:
    assert_invalid(sids_server.get(f"/imputation/{route}", params=params), field, told=told)


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"target_year": "1066"}, "target_year", "use 2000 to 2019"),
        ({"target": "nope"}, "target", "GET targets"),
        ({"dataset": "nope"}, "dataset", "GET datasets"),
        ({"dataset": "wdi"}, "target", "belongs to data set 'key'"),
        ({"scheme": "by hand"}, "scheme", "'MANUAL'"),
        ({"extra": 1}, "extra", "not permitted"),
    ],
)
def test_a_wrong_question_for_predictors_is_refused(
    sids_server: Server, changed: dict[str, Any], field: str, told: str
) -> None:
    assert_invalid(predictors(sids_server, **changed), f"body.{field}", told=told)


def test_every_list_answers_on_the_old_prefix_too(sids_server: Server) -> None:
    asked: list[tuple[str, dict[str, str]]] = [
        ("target_sample_size", {}),
        ("predictor_sample_size", {}),
        ("target_years", {}),
        ("datasets", {"target_year": YEAR}),
        ("targets", {"target_year": YEAR, "dataset": "key"}),
        ("dimensions", {"target_year": YEAR, "dataset": "key", "target": TARGET}),
    ]
    for route, params in asked:
        new, old = (sids_server.get(f"/{prefix}/{route}", params=params) for prefix in ("imputation", "twolvlImp"))
        assert (old.status_code, old.content) == (200, new.content), route


def test_what_params_offers_for_imputation_can_be_asked(sids_server: Server) -> None:
    inputs = params(sids_server)
    assert inputs["target_year"]["req_endpoint"] == {
        "endpoint": "/imputation/target_years",
        "method": "GET",
        "inputs": [],
    }
    assert inputs["target"]["req_endpoint"]["inputs"] == ["target_year", "dataset"]
    assert inputs["manual_predictors"]["req_endpoint"]["method"] == "POST"
    for item in inputs.values():
        if "req_endpoint" in item:
            endpoint = item["req_endpoint"]
            assert sids_server.client.request(endpoint["method"], endpoint["endpoint"]).status_code in (200, 422)


def test_params_tells_which_fields_are_required_and_when(sids_server: Server) -> None:
    inputs = params(sids_server)
    required = {name for name, item in inputs.items() if item.get("conditions") == [{"required": True}]}
    assert required == {"target_year", "target", "scheme"}
    assert inputs["manual_predictors"]["conditions"] == [{"required": [{"scheme": "MANUAL"}]}]
    assert inputs["number_predictor"]["conditions"] == [{"required": [{"scheme": "AFS"}, {"scheme": "PCA"}]}]


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("interpolator", {"KNNImputer", "IterativeImputer", "SimpleImputer"}),
        ("scheme", {"AFS", "PCA", "MANUAL"}),
        ("model", {"rfr", "etr", "gbr", "all"}),
        ("interval", {"quantile", "bootstrap"}),
    ],
)
def test_params_gives_the_values_of_an_enum_by_name(sids_server: Server, field: str, names: set[str]) -> None:
    item = params(sids_server)[field]
    assert item["type"] == "enum"
    assert set(item["values"]) == names
    assert all(item["values"].values())


def params(server: Server) -> dict[str, dict[str, Any]]:
    model = next(item for item in server.get("/params").json() if item["model"] == "imputation")
    return {item["parameter"]: item for item in model["inputs"]}


def test_the_data_set_in_use_is_listed_with_rows_years_and_sizes(sids_server: Server) -> None:
    found = next(item for item in sids_server.get("/datasets").json() if item["name"] == "sids_small")
    assert found["used_by"] == ["imputation"]
    assert found["origin"] == "DATASET_PATH"
    assert found["rows"] == 44_778
    assert found["years"] == list(range(2000, 2020))
    assert found["size_bytes"] == sum(file["size_bytes"] for file in found["files"])
    assert {file["name"]: file["rows"] for file in found["files"]} == {
        "datasetMeta.csv.gz": 4,
        "indicatorData.csv.gz": 44_778,
        "indicatorMeta.csv.gz": 1353,
    }


def test_the_generated_data_set_is_listed_with_rows_and_years(sample_server: Server) -> None:
    (found,) = sample_server.get("/datasets").json()
    assert (found["name"], found["origin"]) == ("sample", "generated")
    assert "imputation" in found["used_by"]
    assert found["years"] == list(range(2000, 2021))
    assert found["rows"] > 1000
    assert len(found["files"]) == 4


def test_without_any_data_of_ones_own_the_generated_one_can_be_asked(sample_server: Server) -> None:
    year = sample_server.get("/imputation/target_years").json()[-2]
    dataset = next(iter(sample_server.get("/imputation/datasets", params={"target_year": year}).json()))
    chosen = {"target_year": year, "dataset": dataset}
    target = next(iter(sample_server.get("/imputation/targets", params=chosen).json()))
    asked = chosen | {"target": target, "scheme": "MANUAL"}
    predictor = next(iter(sample_server.post("/imputation/predictors", json=asked).json()))
    response = sample_server.post(
        "/imputation/predict", json=asked | {"manual_predictors": [predictor], "estimators": 10}
    )
    assert response.status_code == 200
    assert response.json()["model_feature_names"] == [predictor]
