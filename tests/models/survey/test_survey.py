"""Surveys over HTTP: what is refused, and how."""

import json
from typing import Any

import httpx
import pytest

from tests.models.survey.surveys import question, request, survey
from tests.support.problems import assert_invalid, assert_problem
from tests.support.servers import Server

_, DATA, METADATA = survey()
GOOD = request(DATA, METADATA, max_k=5)
PATH = "/survey_analysis/clustering"


def ask(server: Server, body: dict[str, Any], path: str = PATH) -> httpx.Response:
    # By hand: the client refuses to write NaN.
    return server.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("path", [PATH, "/survey/clustering"])
def test_every_row_has_a_label(sample_server: Server, path: str) -> None:
    response = ask(sample_server, GOOD, path)
    assert response.status_code == 200
    assert set(response.json()["cluster_label"]) == {0, 1, 2}


def test_a_fresh_answer_has_equal_bytes_and_a_kept_one_too(sample_server: Server) -> None:
    fresh = sample_server.post(PATH, json=GOOD, headers={"Cache-Control": "no-cache"})
    again = sample_server.post(PATH, json=GOOD, headers={"Cache-Control": "no-cache"})
    kept = sample_server.post(PATH, json=GOOD)
    assert [item.headers["x-cache"] for item in (fresh, again, kept)] == ["miss", "miss", "hit"]
    assert fresh.content == again.content == kept.content


def test_the_same_survey_as_rows_gets_the_same_answer(sample_server: Server) -> None:
    rows = [dict(zip(DATA, row, strict=True)) for row in zip(*DATA.values(), strict=True)]
    given = ask(sample_server, GOOD | {"data": rows})
    assert given.json() == ask(sample_server, GOOD).json()


def with_column(name: str, column: list[Any], kind: str) -> dict[str, Any]:
    return {"data": {name: column}, "metadata": [question(name, kind)]}


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("no table", {"data": "text"}, "data", "send a list of rows"),
    ("null", {"data": None}, "data", "send a list of rows"),
    ("no rows", {"data": []}, "data", "send a list of rows"),
    ("ragged columns", {"data": DATA | {"how often 0": ["never"]}}, "data.how often 0", "has 1 values where"),
    ("ragged rows", {"data": {"columns": ["a"], "data": [[1], [1, 2]]}}, "data.data.1", "null for none"),
    ("NaN", with_column("q", [1.0, float("nan"), 2.0], "continuous"), "data.q.1", "send null"),
    ("NaN in words", with_column("q", ["a", float("nan"), "b"], "categorical"), "data.q.1", "send null"),
    ("infinity", with_column("q", [1.0, float("inf")], "continuous"), "data.q.1", "send null"),
    ("a word for a number", with_column("q", [1, "two"], "continuous"), "data.q.1", "call it categorical"),
    ("several answers", with_column("q", [["a"], ["b"]], "categorical"), "data.q.0", "a column for each"),
    ("no metadata", {"metadata": []}, "metadata", "send a list of rows"),
    ("metadata without factor", {"metadata": [{"Type": "x", "Question Name": "y"}]}, "metadata", "no column 'Factor'"),
    ("metadata of anything", {"metadata": {"a": [1]}}, "metadata", "send 'Question Name', 'Type' and 'Factor'"),
    ("two types", {"metadata": [*METADATA, question("how often 0", "continuous")]}, "metadata.12", "two types"),
    (
        "a question without name",
        {"metadata": [*METADATA, question(" ", "continuous")]},
        "metadata.12",
        "name the column",
    ),
    ("unknown factor", {"factor": "death"}, "factor", "send one of 'life'"),
    ("no factor", {"factor": ""}, "factor", "send one of 'life'"),
    ("only text", {"metadata": [question("how often 0", "text")]}, "factor", "neither categorical nor continuous"),
    ("constant", with_column("q", ["a"] * 9, "categorical"), "factor", "all answers are the same"),
    ("constant number", with_column("q", [3.5] * 9, "continuous"), "factor", "all answers are the same"),
    ("all missing", with_column("q", [None] * 9, "continuous"), "factor", "nobody answered it"),
    ("names only", with_column("q", ["a", "b", "c"], "categorical"), "factor", "every answer is different"),
    ("another column", {"metadata": [question("nope", "categorical")]}, "factor", "data has no such column"),
    (
        "nowhere",
        {"data": DATA | {"lon": [None] * 120}, "metadata": [*METADATA, question("lon", "GPS longitude")]},
        "data",
        "metadata without GPS questions",
    ),
    ("one cluster", {"max_k": 1}, "max_k", "greater than or equal to 2"),
    ("no cluster", {"max_k": 0}, "max_k", "greater than or equal to 2"),
    ("too many clusters", {"max_k": 31}, "max_k", "less than or equal to 30"),
    ("more clusters than rows", with_column("q", [1, 2, 2, 4], "continuous"), "max_k", "send 2 to 4"),
    ("a word for the clusters", {"max_k": "5"}, "max_k", "valid integer"),
    ("an extra field", {"k": 3}, "k", "not permitted"),
]


@pytest.mark.parametrize(("changed", "field", "told"), [item[1:] for item in WRONG], ids=[item[0] for item in WRONG])
def test_a_wrong_survey_is_refused_and_the_message_tells_what_to_send(
    sample_server: Server, changed: dict[str, Any], field: str, told: str
) -> None:
    assert_invalid(ask(sample_server, GOOD | changed), f"body.{field}", told=told)


@pytest.mark.parametrize("field", ["data", "metadata", "factor"])
def test_a_missing_field_is_named(sample_server: Server, field: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != field}
    assert_invalid(ask(sample_server, body), f"body.{field}", told="Field required")


def test_a_million_rows_are_refused_before_they_are_read(sample_server: Server) -> None:
    body = GOOD | {"data": {"how often 0": [None] * 10**6}}
    assert_problem(ask(sample_server, body), 413, told="data has 1000000 rows; send at most 100000")


def test_too_many_answers_are_refused(sample_server: Server) -> None:
    names = [f"q{at}" for at in range(60)]
    body = request([{"q0": 1}] * 100_000, [question(name, "continuous") for name in names])
    assert_problem(ask(sample_server, body), 413, told="more than 5000000 answers")


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"factor": "death"}, 422), ({"data": {"q": [None] * 10**6}}, 413), ({"data": {"a": [1], "b": []}}, 422)],
)
def test_the_old_prefix_refuses_in_its_old_shape(sample_server: Server, changed: dict[str, Any], status: int) -> None:
    response = ask(sample_server, GOOD | changed, "/survey/clustering")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    detail = response.json()["detail"]
    assert {name: type(value) for name, value in detail.items()} == {"msg": str, "type": str}
    assert "send" in detail["msg"]


def test_after_every_refusal_a_good_survey_gets_the_same_bytes(sample_server: Server) -> None:
    before = ask(sample_server, GOOD)
    for _, changed, _, _ in WRONG:
        assert ask(sample_server, GOOD | changed).status_code == 422
    after = sample_server.post(PATH, json=GOOD, headers={"Cache-Control": "no-cache"})
    assert (after.status_code, after.json()) == (200, before.json())


def test_params_lists_what_a_survey_is_asked_by(sample_server: Server) -> None:
    (model,) = (item for item in sample_server.get("/params").json() if item["model"] == "survey")
    kinds = {item["parameter"]: item["type"] for item in model["inputs"]}
    assert kinds == {"data": "array", "metadata": "array", "factor": "string", "max_k": "integer"}
