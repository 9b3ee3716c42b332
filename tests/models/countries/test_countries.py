"""Countries over HTTP: what may be asked, what comes, and what is refused."""

from typing import Any

import httpx
import pytest

from models.countries.definitions import CountryClusterResponse, CountryResponse
from tests.support.problems import assert_invalid
from tests.support.servers import Server

# Bodies that the first dashboard sends.
CORRELATE: dict[str, Any] = {"dataset": "wdi", "category": "Financial Sector", "country": "SGP", "year": 2014}
CLUSTER: dict[str, Any] = {"dataset": "wdi", "category": "Financial Sector", "year": 2014, "k": 5}
QUERY = {"dataset": "wdi", "category": "Financial Sector"}


@pytest.mark.parametrize("path", ["/countries/correlate", "/countries/predict", "/correlation/correlate"])
def test_countries_stand_by_correlation_beside_their_codes(countries_server: Server, path: str) -> None:
    response = countries_server.post(path, json=CORRELATE)
    assert response.status_code == 200
    body = response.json()
    CountryResponse.model_validate(body)
    table = body["country_corr"]
    assert list(table) == ["Country Code", "SGP"]
    assert table["SGP"] == sorted(table["SGP"], reverse=True)
    assert len(table["SGP"]) == len(table["Country Code"]) == len(set(table["Country Code"])) > 30
    assert "SGP" not in table["Country Code"]
    assert len(body["shared_indicators"]) == len(table["SGP"])
    assert min(body["shared_indicators"]) >= body["min_shared"] == len(body["indicators"]) // 4
    assert not {item["country"] for item in body["left_out"]} & set(table["Country Code"])


@pytest.mark.parametrize("path", ["/countries/cluster", "/correlation/cluster"])
def test_every_country_with_data_has_a_label(countries_server: Server, path: str) -> None:
    response = countries_server.post(path, json=CLUSTER)
    assert response.status_code == 200
    body = response.json()
    CountryClusterResponse.model_validate(body)
    known = countries_server.get("/countries/countries", params=QUERY | {"year": "2014"}).json()
    assert body["country"] == sorted(known)
    assert sorted(set(body["label"])) == [0, 1, 2, 3, 4]
    sizes = [body["label"].count(label) for label in range(5)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes == [item["size"] for item in body["clusters"]]
    for item in body["clusters"]:
        assert body["label"][body["country"].index(item["typical"])] == item["label"]
        assert item["traits"]


def test_more_shared_indicators_leave_fewer_countries(countries_server: Server) -> None:
    few, many = (
        countries_server.post("/countries/correlate", json=CORRELATE | {"min_shared": least}).json()
        for least in (3, 25)
    )
    assert set(many["country_corr"]["Country Code"]) < set(few["country_corr"]["Country Code"])
    assert {item["reason"] for item in many["left_out"]} == {"too few indicators in common"}


def test_ranks_give_another_answer(countries_server: Server) -> None:
    scaled, ranked = (
        countries_server.post("/countries/correlate", json=CORRELATE | {"scale": scale}).json()
        for scale in ("zscore", "rank")
    )
    assert scaled["country_corr"]["SGP"] != ranked["country_corr"]["SGP"]
    assert set(scaled["indicators"]) == set(ranked["indicators"])


def test_auto_takes_the_number_with_the_best_silhouette(countries_server: Server) -> None:
    body = countries_server.post("/countries/cluster", json=CLUSTER | {"k": "auto"}).json()
    assert [item["k"] for item in body["tried"]] == list(range(2, 11))
    best = max(body["tried"], key=lambda item: item["silhouette"])
    assert (body["k"], body["silhouette"]) == (best["k"], best["silhouette"])
    again = countries_server.post("/countries/cluster", json=CLUSTER | {"k": best["k"]}).json()
    assert again["label"] == body["label"]


def test_as_many_clusters_as_countries_are_possible(countries_server: Server) -> None:
    n = len(countries_server.post("/countries/cluster", json=CLUSTER).json()["country"])
    body = countries_server.post("/countries/cluster", json=CLUSTER | {"k": n}).json()
    assert body["k"] == len(set(body["label"]))
    assert countries_server.post("/countries/cluster", json=CLUSTER | {"k": 1}).json()["label"] == [0] * n


@pytest.mark.parametrize(("path", "body"), [("correlate", CORRELATE), ("cluster", CLUSTER)])
def test_a_fresh_answer_has_equal_bytes_and_a_kept_one_too(
    countries_server: Server, path: str, body: dict[str, Any]
) -> None:
    fresh, second, kept = (
        countries_server.post(f"/countries/{path}", json=body, headers=headers)
        for headers in ({"Cache-Control": "no-cache"}, {"Cache-Control": "no-cache"}, {})
    )
    assert [item.headers["x-cache"] for item in (fresh, second, kept)] == ["miss", "miss", "hit"]
    assert fresh.content == second.content == kept.content


def test_a_year_as_text_is_the_same_question(countries_server: Server) -> None:
    countries_server.post("/countries/cluster", json=CLUSTER)
    assert countries_server.post("/countries/cluster", json=CLUSTER | {"year": "2014"}).headers["x-cache"] == "hit"


def test_whatever_the_lists_offer_can_be_asked(countries_server: Server) -> None:
    for dataset in countries_server.get("/countries/datasets").json():
        for category in countries_server.get("/countries/categories", params={"dataset": dataset}).json():
            chosen = {"dataset": dataset, "category": category}
            years = countries_server.get("/countries/years", params=chosen).json()
            if not years:
                continue
            chosen["year"] = years[-1]
            assert len(countries_server.get("/countries/countries", params=chosen).json()) >= 2
            response = countries_server.post("/countries/cluster", json=chosen | {"k": 1})
            if response.status_code != 200:
                assert_invalid(response, "body.category", told="no indicator of it varies")


COMMON: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown data set", {"dataset": "nope"}, "dataset", "GET datasets lists them"),
    ("empty data set", {"dataset": ""}, "dataset", "GET datasets"),
    ("unknown category", {"category": "nope"}, "category", "GET categories?dataset=wdi"),
    ("category of another data set", {"category": "Digital"}, "category", "GET categories?dataset=wdi"),
    ("unknown year", {"year": 1066}, "year", "has 2000 to 2019; GET years?dataset=wdi&category=Financial+Sector"),
    ("foreign digits", {"year": "٢٠١٤"}, "year", "GET years"),
    ("year that is none", {"year": "soon"}, "year", "GET years"),
    ("year without values", {"dataset": "mvi", "category": "Geographic", "year": 2001}, "year", "GET years"),
    ("unknown scale", {"scale": "log"}, "scale", "'rank'"),
    ("a number for a flag", {"sids_only": 1}, "sids_only", "valid boolean"),
    ("an extra field", {"K": 3}, "K", "not permitted"),
]
OF_CORRELATE: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown country", {"country": "XXX"}, "country", "GET countries?dataset=wdi&category=Financial+Sector&year=2014"),
    ("name of a country", {"country": "Singapore"}, "country", "send a code such as"),
    ("country without values", {"category": "Gender", "country": "NIU"}, "country", "lists the countries that do"),
    ("two shared", {"min_shared": 2}, "min_shared", "greater than or equal to 3"),
    ("more than there are", {"min_shared": 500}, "min_shared", "ask for at most so many"),
]
OF_CLUSTER: list[tuple[str, dict[str, Any], str, str]] = [
    ("no clusters", {"k": 0}, "k", "send 1 to"),
    ("fewer than none", {"k": -1}, "k", "send 1 to"),
    ("more than countries", {"k": 100}, "k", "send 1 to"),
    ("beyond 64 bits", {"k": 10**30}, "k", "send 1 to"),
    ("half a cluster", {"k": 2.5}, "k", "whole number"),
    ("a word", {"k": "many"}, "k", '"auto"'),
    ("a flag", {"k": True}, "k", "whole number"),
    ("null", {"k": None}, "k", "whole number"),
]
WRONG = [("correlate", CORRELATE, item) for item in COMMON + OF_CORRELATE]
WRONG += [("cluster", CLUSTER, item) for item in COMMON + OF_CLUSTER]


@pytest.mark.parametrize(
    ("route", "base", "changed", "field", "told"),
    [(route, base, *item[1:]) for route, base, item in WRONG],
    ids=[f"{route}-{item[0]}" for route, _, item in WRONG],
)
def test_a_wrong_field_is_refused_and_the_message_tells_what_to_send(
    countries_server: Server, route: str, base: dict[str, Any], changed: dict[str, Any], field: str, told: str
) -> None:
    assert_invalid(countries_server.post(f"/countries/{route}", json=base | changed), f"body.{field}", told=told)


@pytest.mark.parametrize(("route", "body"), [("correlate", CORRELATE), ("cluster", CLUSTER)])
def test_a_missing_field_is_named(countries_server: Server, route: str, body: dict[str, Any]) -> None:
    for field in body:
        rest = {name: value for name, value in body.items() if name != field}
        assert_invalid(countries_server.post(f"/countries/{route}", json=rest), f"body.{field}", told="Field required")


@pytest.mark.parametrize(
    ("route", "params", "field"),
    [
        ("categories", {"dataset": "nope"}, "query.dataset"),
        ("years", {"dataset": "wdi"}, "query.category"),
        ("years", {"dataset": "wdi", "category": "nope"}, "query.category"),
        ("countries", QUERY | {"year": "1066"}, "query.year"),
    ],
)
def test_a_list_of_what_there_is_not_is_refused(
    countries_server: Server, route: str, params: dict[str, str], field: str
) -> None:
    assert_invalid(countries_server.get(f"/countries/{route}", params=params), field)


def test_a_country_that_is_no_small_island_state_is_refused_among_them(sample_server: Server) -> None:
    body = {"dataset": "dev", "category": "Health", "year": 2010, "country": "DEU"}
    assert sample_server.post("/countries/correlate", json=body).status_code == 200
    refused = sample_server.post("/countries/correlate", json=body | {"sids_only": True})
    assert_invalid(refused, "body.country", told="sids_only false")


def test_the_old_prefix_refuses_in_its_old_shape(countries_server: Server) -> None:
    def refused(route: str, body: dict[str, Any]) -> httpx.Response:
        response = countries_server.post(f"/correlation/{route}", json=body)
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/json"
        return response

    detail = refused("correlate", CORRELATE | {"country": "XXX"}).json()["detail"]
    assert set(detail) == {"msg", "type"}
    assert "GET countries?" in detail["msg"]
    assert set(refused("cluster", CLUSTER | {"k": 0}).json()["detail"]) == {"msg", "type"}


def test_params_lists_what_a_country_is_asked_by(countries_server: Server) -> None:
    (model,) = countries_server.get("/params").json()
    inputs = {item["parameter"]: item for item in model["inputs"]}
    assert model["label"] == "Country Correlation Model"
    assert inputs["country"]["req_endpoint"] == {
        "endpoint": "/countries/countries",
        "method": "GET",
        "inputs": ["dataset", "category", "year"],
    }
    assert {name for name, item in inputs.items() if item.get("conditions")} == set(CORRELATE)
