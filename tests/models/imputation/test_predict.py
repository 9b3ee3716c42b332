"""Predictions over HTTP: the requests that the first dashboard sends, and what it may get wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.datasets import AFS, MANUAL, real_dataset
from tests.support.problems import assert_invalid, assert_problem
from tests.support.servers import Server

PREFIXES = ("/imputation", "/twolvlImp")
REQUESTS = {"MANUAL": MANUAL, "AFS": AFS}
LONG = "x" * 201


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_request_of_the_first_dashboard_is_answered_as_it_stands(sids_server: Server, prefix: str, name: str) -> None:
    response = sids_server.post(f"{prefix}/predict", json=REQUESTS[name])
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    prediction = body["prediction"]
    assert prediction["Country Code"]
    assert {len(column) for column in prediction.values()} == {len(prediction["Country Code"])}
    for low, middle, high in zip(prediction["lower"], prediction["prediction"], prediction["upper"], strict=True):
        assert low <= middle <= high


@pytest.mark.parametrize("name", REQUESTS)
def test_two_fresh_servers_give_equal_bytes_on_both_prefixes(start_server: Callable[..., Server], name: str) -> None:
    env = {"SERVICE_MODEL": "imputation", "DATASET_PATH": str(real_dataset("sids_small"))}
    answers = set()
    for threads in ("1", "2"):
        server = start_server(env=env | {"PREDICT_THREADS": threads})
        answers |= {server.post(f"{prefix}/predict", json=REQUESTS[name]).content for prefix in PREFIXES}
        fresh = server.post("/imputation/predict", json=REQUESTS[name], headers={"Cache-Control": "no-cache"})
        assert fresh.headers["x-cache"] == "miss"
        answers.add(fresh.content)
    assert len(answers) == 1


def test_the_answer_has_what_the_dashboard_draws(sids_server: Server) -> None:
    body = sids_server.post("/imputation/predict", json=AFS).json()
    features = body["model_feature_names"]
    assert len(features) == 10
    assert sum(body["model_feature_importance"]) == pytest.approx(1)
    assert body["correlation"]["columns"] == features
    assert body["model"] == "rfr"
    by_year = body["indicatorJson"]
    countries = body["prediction"]["Country Code"]
    assert set(by_year["upperIntervals"]["2001"]) == set(countries)
    assert set(countries) < set(by_year["data"]["2001"])
    assert sum(body["feature_importance_pie"]["value"]) == pytest.approx(1)


def test_the_answer_fits_its_documented_schema(sids_server: Server) -> None:
    from models.imputation.definitions import PredictResponse

    PredictResponse.model_validate(sids_server.post("/imputation/predict", json=AFS).json())


def test_the_second_of_two_equal_requests_is_a_hit_with_equal_bytes(sids_server: Server) -> None:
    first, second = (sids_server.post("/imputation/predict", json=MANUAL) for _ in range(2))
    assert second.headers["x-cache"] == "hit"
    assert first.content == second.content


def test_the_order_of_fields_and_spaces_does_not_matter_to_the_cache(sids_server: Server) -> None:
    first = sids_server.post("/imputation/predict", json=MANUAL)
    turned = json.dumps(dict(reversed(MANUAL.items())), indent=2)
    second = sids_server.post("/imputation/predict", content=turned, headers={"Content-Type": "application/json"})
    assert (second.headers["x-cache"], second.content) == ("hit", first.content)


def test_a_year_as_a_number_is_the_same_question(sids_server: Server) -> None:
    sids_server.post("/imputation/predict", json=MANUAL)
    assert sids_server.post("/imputation/predict", json=MANUAL | {"target_year": 2001}).headers["x-cache"] == "hit"


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown year", {"target_year": "1066"}, "target_year", "use 2000 to 2019"),
    ("year without data", {"target_year": "2020"}, "target_year", "use 2000 to 2019"),
    ("unknown target", {"target": "nope"}, "target", "GET targets?target_year=2001"),
    ("empty target", {"target": ""}, "target", "GET targets"),
    ("long target", {"target": LONG}, "target", "at most 200 characters"),
    ("complete target", {"target": "wdi-SP.POP.TOTL"}, "target", "GET targets"),
    ("unknown data set", {"dataset": "nope"}, "dataset", "GET datasets?target_year=2001"),
    ("target of another data set", {"dataset": "wdi"}, "target", "belongs to data set 'key', not 'wdi'"),
    ("no predictors", {"manual_predictors": []}, "manual_predictors", "at least one"),
    ("null predictors", {"manual_predictors": None}, "manual_predictors", "required when scheme is MANUAL"),
    ("unknown predictor", {"manual_predictors": ["nope"]}, "manual_predictors", "POST predictors"),
    (
        "a predictor twice",
        {"manual_predictors": MANUAL["manual_predictors"] * 2},
        "manual_predictors",
        "named twice: wdi-AG.LND.AGRI.K2",
    ),
    ("the target as predictor", {"manual_predictors": [MANUAL["target"]]}, "manual_predictors", "of itself"),
    ("predictors as text", {"manual_predictors": "wdi-AG.LND.AGRI.K2"}, "manual_predictors", "valid list"),
    ("a number as predictor", {"manual_predictors": [1]}, "manual_predictors.0", "valid string"),
    ("too many predictors", {"manual_predictors": ["x"] * 1001}, "manual_predictors", "at most 1000 items"),
    ("no trees", {"estimators": 0}, "estimators", "greater than or equal to 1"),
    ("fewer than no trees", {"estimators": -1}, "estimators", "greater than or equal to 1"),
    ("a million trees", {"estimators": 10**6}, "estimators", "less than or equal to 1000"),
    ("half a tree", {"estimators": 0.5}, "estimators", "valid integer"),
    ("trees as a word", {"estimators": "many"}, "estimators", "valid integer"),
    ("trees beyond 64 bits", {"estimators": 10**30}, "estimators", "less than or equal to 1000"),
    ("a label for the scheme", {"scheme": "Manual"}, "scheme", "'MANUAL'"),
    ("a label for the model", {"model": "Random Forest"}, "model", "'rfr'"),
    ("a label for the interpolator", {"interpolator": "KNN Imputer"}, "interpolator", "'KNNImputer'"),
    ("a number for the interval", {"interval": 1}, "interval", "'quantile'"),
    ("null for the scheme", {"scheme": None}, "scheme", "'MANUAL'"),
    ("an object for the year", {"target_year": {}}, "target_year.str", "valid string"),
    ("an extra field", {"estimator": 10}, "estimator", "not permitted"),
]


def wrong_afs() -> list[tuple[str, dict[str, Any], str, str]]:
    return [
        ("no number of predictors", {"number_predictor": 0}, "number_predictor", "greater than or equal to 1"),
        ("more predictors than there are", {"number_predictor": 5000}, "number_predictor", "ask for 1 to"),
        ("a null number", {"number_predictor": None}, "number_predictor", "required when scheme is AFS"),
        ("a word for the number", {"number_predictor": "ten"}, "number_predictor", "valid integer"),
    ]


@pytest.mark.parametrize(
    ("base", "changed", "field", "told"),
    [(MANUAL, *item[1:]) for item in WRONG] + [(AFS, *item[1:]) for item in wrong_afs()],
    ids=[item[0] for item in WRONG] + [item[0] for item in wrong_afs()],
)
def test_a_wrong_field_is_refused_and_the_message_tells_what_to_send(
    sids_server: Server, base: dict[str, Any], changed: dict[str, Any], field: str, told: str
) -> None:
    assert_invalid(sids_server.post("/imputation/predict", json=base | changed), f"body.{field}", told=told)


@pytest.mark.parametrize("field", ["target_year", "target", "scheme", "manual_predictors"])
def test_a_missing_field_is_named(sids_server: Server, field: str) -> None:
    body = {name: value for name, value in MANUAL.items() if name != field}
    assert_invalid(sids_server.post("/imputation/predict", json=body), f"body.{field}", told="Field required")


@pytest.mark.parametrize(("base", "field"), [(MANUAL, "manual_predictors"), (AFS, "number_predictor")])
def test_an_estimate_refuses_what_a_prediction_refuses(sids_server: Server, base: dict[str, Any], field: str) -> None:
    body = {name: value for name, value in base.items() if name != field}
    assert_invalid(sids_server.post("/imputation/estimate", json=body), f"body.{field}")


def test_after_every_refusal_the_next_good_request_gets_the_same_bytes(sids_server: Server) -> None:
    def ask() -> httpx.Response:
        return sids_server.post("/imputation/predict", json=MANUAL, headers={"Cache-Control": "no-cache"})

    before = ask()
    for _, changed, _, _ in WRONG:
        assert sids_server.post("/imputation/predict", json=MANUAL | changed).status_code == 422
    after = ask()
    assert (after.status_code, after.content) == (200, before.content)


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"target_year": "1066"}, {"msg": str, "type": str}),
        ({"target": "nope"}, {"msg": str, "type": str}),
        ({"estimators": 0}, [{"loc": list, "msg": str, "type": str}]),
    ],
)
def test_the_old_prefix_refuses_in_its_old_shape(sids_server: Server, changed: dict[str, Any], detail: object) -> None:
    response = sids_server.post("/twolvlImp/predict", json=MANUAL | changed)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/json"
    assert shape(response.json()) == {"detail": detail}


def shape(value: Any, depth: int = 0) -> Any:
    """Names and types, to the depth of one error."""
    if isinstance(value, dict):
        return {name: shape(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list) and depth < 2:
        return [shape(value[0], depth + 1)]
    return type(value)


def test_a_data_set_without_a_required_file_leaves_the_sample_served(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    folder = tmp_path / "partial"
    shutil.copytree(real_dataset("sids_small"), folder)
    (folder / "indicatorMeta.csv.gz").unlink()
    server = start_server(env={"DATASET_PATH": str(folder)})
    assert server.post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200
    assert server.get("/health/live").status_code == 200
    told = "partial/indicatorMeta"
    assert_problem(server.post("/imputation/predict", json=MANUAL), 503, told=told, kind="model-unavailable")
    assert_problem(server.get("/health/ready"), 503, told=told)
    models = {model["name"]: model for model in server.get("/models").json()}
    assert models["imputation"]["state"] == "unavailable"
    assert told in models["imputation"]["reason"]


def test_where_only_the_sample_is_served_missing_data_does_not_matter(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "DATASET_PATH": "/no/such/folder"})
    assert server.get("/health/ready").status_code == 200
