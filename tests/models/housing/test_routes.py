"""Over HTTP: what is asked and answered, on the own prefix and on the old one."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Client
from tests.support.plugins import make_app
from tests.support.problems import assert_problem

HOUSE = {
    "MedInc": 8.3252,
    "HouseAge": 41.0,
    "AveRooms": 6.98,
    "AveBedrms": 1.02,
    "Population": 322.0,
    "AveOccup": 2.56,
    "Latitude": 37.88,
    "Longitude": -122.23,
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(make_app(tmp_path_factory.mktemp("state"), serve=("housing",)))


def ask(client: Client, path: str, body: Any) -> Any:
    got = client.post(path, json=body)
    assert got.status_code == 200, got.text
    return got.json()


@pytest.mark.parametrize("prefix", ["/housing", "/lab"])
def test_a_house_has_a_price(client: Client, prefix: str) -> None:
    found = ask(client, f"{prefix}/predict", HOUSE)
    assert list(found) == ["prediction"]
    assert 3 < found["prediction"] < 6


@pytest.mark.parametrize("prefix", ["/housing", "/lab"])
def test_many_houses_have_theirs_in_order(client: Client, prefix: str) -> None:
    poor = HOUSE | {"MedInc": 1.0}
    found = ask(client, f"{prefix}/bulk-predict", {"houses": [HOUSE, poor, HOUSE]})["predictions"]
    assert found[0] == found[2] == ask(client, "/housing/predict", HOUSE)["prediction"]
    assert found[1] < found[0]
    assert ask(client, f"{prefix}/bulk-predict", {"houses": []}) == {"predictions": []}


def test_each_house_is_kept_for_itself(client: Client) -> None:
    houses = [HOUSE | {"HouseAge": float(age)} for age in (11, 12, 13)]
    sent = client.post("/housing/bulk-predict", json={"houses": houses})
    again = client.post("/lab/bulk-predict", json={"houses": houses[::-1]})
    assert (sent.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
    assert again.json()["predictions"] == sent.json()["predictions"][::-1]


def test_numbers_may_be_texts_and_an_all_zero_house_is_one(client: Client) -> None:
    assert ask(client, "/lab/predict", {name: str(value) for name, value in HOUSE.items()}) == ask(
        client, "/lab/predict", HOUSE
    )
    assert isinstance(ask(client, "/lab/predict", dict.fromkeys(HOUSE, 0))["prediction"], float)


def test_the_other_model_gives_another_price(client: Client) -> None:
    trees, kernel = (ask(client, f"/housing/predict?model={name}", HOUSE)["prediction"] for name in ("boosted", "svr"))
    assert trees != kernel
    assert abs(trees - kernel) < 1.5


def test_an_interval_holds_the_price(client: Client) -> None:
    found = ask(client, "/housing/predict?interval=true", HOUSE)
    assert found["lower"] < found["prediction"] < found["upper"]
    assert set(ask(client, "/housing/bulk-predict?interval=true", {"houses": [HOUSE]})["predictions"][0]) == set(found)


@pytest.mark.parametrize("model", ["boosted", "svr"])
def test_an_explanation_adds_up(client: Client, model: str) -> None:
    found = ask(client, f"/housing/predict?explain=true&model={model}", HOUSE)
    told = found["explanation"]
    assert set(told["contributions"]) == set(HOUSE)
    assert told["base"] + sum(told["contributions"].values()) == pytest.approx(found["prediction"], abs=1e-5)


WRONG: list[tuple[str, Any]] = [
    ("Latitude", 90.5),
    ("Latitude", -91),
    ("Longitude", 181),
    ("MedInc", -0.1),
    ("AveOccup", -1),
    ("HouseAge", "old"),
    ("HouseAge", None),
    ("HouseAge", "nan"),
    ("HouseAge", True),
    ("Population", "inf"),
    ("extra", 1),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_figure_is_named_in_both_shapes(client: Client, field: str, value: Any) -> None:
    body = HOUSE | {field: value}
    problem = assert_problem(client.post("/housing/predict", json=body), 422)
    assert problem["errors"][0]["field"] == f"body.{field}"
    old = client.post("/lab/predict", json=body)
    assert old.status_code == 422
    (detail,) = old.json()["detail"]
    assert detail["loc"] == ["body", field]
    assert {"type", "loc", "msg", "input"} <= set(detail)


def test_the_old_words_for_a_wrong_place_are_kept(client: Client) -> None:
    (detail,) = client.post("/lab/predict", json=HOUSE | {"Latitude": 99}).json()["detail"]
    assert detail["msg"] == "Value error, Invalid value for Latitude"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(client: Client, number: str) -> None:
    others = ", ".join(f'"{name}": 1' for name in HOUSE if name != "MedInc")
    text = f'{{"MedInc": {number}, {others}}}'
    headers = {"Content-Type": "application/json"}
    assert client.post("/housing/predict", content=text, headers=headers).status_code == 422
    assert client.post("/lab/predict", content=text, headers=headers).status_code == 422


@pytest.mark.parametrize("path", ["/housing/predict", "/lab/predict", "/lab/bulk-predict"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"houses":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"MedInc": 1%s}' % (b"0" * 5000),
        b'{"houses":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"MedInc": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"houses": [null, 1, "a", []]}',
        b'"\\u0000"',
    ],
)
def test_strange_bodies_are_refused(client: Client, path: str, body: bytes) -> None:
    got = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert got.status_code in (400, 422)


def test_a_missing_figure_and_too_many_houses_are_refused(client: Client) -> None:
    assert_problem(client.post("/housing/predict", json={"MedInc": 1}), 422)
    too_many = client.post("/housing/bulk-predict", json={"houses": [HOUSE] * 10_001})
    assert_problem(too_many, 413, told="at most 10000")
    assert_problem(client.post("/housing/predict?model=svr&interval=true", json=HOUSE), 422)


def test_the_old_routes_beside(client: Client) -> None:
    assert client.get("/lab/hello", params={"name": "Ann"}).json() == {"message": "Hello Ann"}
    assert client.get("/lab/hello").status_code == 422
    told = datetime.fromisoformat(client.get("/lab/health").json()["time"])
    assert told.tzinfo is not None
    assert client.get("/lab/docs").headers["location"] == "/docs#/Housing"


def test_a_training_without_its_data_is_refused_at_once(client: Client) -> None:
    problem = assert_problem(client.post("/housing/train", json={}), 422)
    assert "PUT /datasets/housing/california_housing.csv.gz" in problem["detail"]


def test_the_state_folder_is_not_touched_by_predictions(tmp_path: Path) -> None:
    made = Client(make_app(tmp_path / "state", serve=("housing",)))
    ask(made, "/housing/predict", HOUSE)
    assert not (tmp_path / "state").exists()


def test_what_the_models_learned_from_is_told_once_and_then_unchanged(client: Client) -> None:
    got = client.get("/housing/districts")
    told = got.json()
    assert (told["version"], got.headers["x-model-version"]) == ("box", "box")
    assert set(told["ranges"]) == set(HOUSE)
    assert set(told["ranges"]["MedInc"]) == {"least", "low", "median", "high", "most"}
    house = dict(zip(told["columns"], told["rows"][7], strict=True))
    price = house.pop("prediction")
    assert ask(client, "/housing/predict", house)["prediction"] == pytest.approx(price, abs=6e-4)
    again = client.get("/housing/districts", headers={"If-None-Match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/lab/districts").json() == told
