"""Routes that change the registry: what they answer, refuse, and write into the audit log."""

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from common.database import Database
from common.registry.service import Registry
from common.security.audit.tables import records
from tests.common.registry.test_routes import WHO, app, ask, served

__all__ = ["app", "served"]


@pytest.fixture
def housing(registry: Registry) -> Registry:
    registry.publish("housing", {"model.onnx": b"weights"}, metrics={"rmse": 1.0}, alias="default", **WHO)
    registry.publish("housing", {}, metrics={"rmse": 2.0}, alias="candidate", **WHO)
    return registry


def actions(database: Database) -> list[tuple[str, str]]:
    chosen = sa.select(records.c.action, records.c.target).order_by(records.c.id)
    return [(row.action, row.target) for row in database.read(lambda connection: connection.execute(chosen).all())]


def test_an_artefact_is_downloaded_whole(served: FastAPI, housing: Registry) -> None:
    answer = ask(served, "GET", "/registry/housing/versions/1/artefacts/model.onnx")
    assert (answer.status_code, answer.content) == (200, b"weights")
    sha256 = housing.get("housing", 1).artefacts[0].sha256
    assert (answer.headers["etag"], answer.headers["content-length"]) == (f'"{sha256}"', "7")
    assert 'filename="model.onnx"' in answer.headers["content-disposition"]
    missing = ask(served, "GET", "/registry/housing/versions/1/artefacts/other")
    assert missing.status_code == 404
    assert "it has model.onnx" in missing.json()["detail"]


def test_a_damaged_artefact_is_not_downloaded(served: FastAPI, housing: Registry) -> None:
    ref = housing.get("housing", 1).artefacts[0].ref
    housing.blobs.share.write(ref.share_path, [b"weightz"])
    assert ask(served, "GET", "/registry/housing/versions/1/artefacts/model.onnx").status_code == 424


def test_models_and_versions_are_described(served: FastAPI, housing: Registry) -> None:
    about = {"description": "Prices.", "tags": ["tried"]}
    assert ask(served, "PATCH", "/registry/housing", json=about).json()["tags"] == {"tried": ""}
    answer = ask(served, "PATCH", "/registry/housing/versions/1", json={"tags": {"team": "blue"}}).json()
    assert (answer["number"], answer["description"], answer["tags"]) == (1, "", {"team": "blue"})
    assert ask(served, "GET", "/registry/housing").json()["description"] == "Prices."


def test_a_version_is_deleted_and_one_that_serves_is_not(
    served: FastAPI, housing: Registry, database: Database
) -> None:
    refused = ask(served, "DELETE", "/registry/housing/versions/2")
    assert refused.status_code == 409
    assert "is what candidate points to" in refused.json()["detail"]
    assert ask(served, "DELETE", "/registry/housing/aliases/candidate").status_code == 204
    assert ask(served, "DELETE", "/registry/housing/versions/2").status_code == 204
    assert ask(served, "GET", "/registry/housing/versions/2").status_code == 404
    assert actions(database) == [("alias.deleted", "housing:candidate"), ("version.deleted", "housing:2")]


def test_a_model_is_deleted(served: FastAPI, housing: Registry) -> None:
    assert ask(served, "DELETE", "/registry/housing").status_code == 204
    assert ask(served, "GET", "/registry").json() == []
    assert ask(served, "DELETE", "/registry/housing").status_code == 404


def test_an_alias_is_rolled_back_with_or_without_a_body(served: FastAPI, housing: Registry, database: Database) -> None:
    for number in (2, 1):
        ask(served, "PUT", "/registry/housing/aliases/default", json={"version": number})
    back = "/registry/housing/aliases/default/rollback"
    assert ask(served, "GET", "/registry/housing").json()["rollbacks"] == {"default": 2}
    assert ask(served, "POST", back, json={"current": 1}).json()["version"] == 2
    assert ask(served, "POST", back, json={"current": 1}).status_code == 409
    assert ask(served, "POST", back).json()["version"] == 1
    assert ask(served, "POST", back).status_code == 409
    assert housing.resolve("housing").number == 1
    assert actions(database) == [("alias.moved", "housing:default")] * 4


def test_a_promotion_is_refused_with_both_figures_and_done_where_it_is_good_enough(
    served: FastAPI, housing: Registry
) -> None:
    refused = ask(served, "POST", "/registry/housing/promote", json={"metric": "rmse", "direction": "lower"})
    assert refused.status_code == 409
    problem = refused.json()
    assert (problem["candidate"], problem["current"]) == (2.0, 1.0)
    assert "version 2 has rmse 2, version 1 has 1" in problem["detail"]
    assert housing.resolve("housing").number == 1
    done = ask(served, "POST", "/registry/housing/promote", json={"metric": "rmse", "direction": "higher"})
    assert (done.status_code, done.json()["version"], done.json()["previous"]) == (200, 2, 1)


def test_requests_are_shared_and_shared_no_more(served: FastAPI, housing: Registry, database: Database) -> None:
    shares = {"weights": {"default": 0.9, "candidate": 0.1}, "shadow": "candidate", "shadow_share": 0.5}
    assert ask(served, "PUT", "/registry/housing/traffic", json=shares).json() == shares
    assert ask(served, "GET", "/registry/housing").json()["traffic"] == shares
    refused = ask(served, "DELETE", "/registry/housing/aliases/candidate")
    assert refused.status_code == 409
    assert ask(served, "DELETE", "/registry/housing/traffic").status_code == 204
    assert ask(served, "GET", "/registry/housing").json()["traffic"] is None
    assert actions(database) == [("traffic.shared", "housing"), ("traffic.cleared", "housing")]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("PATCH", "", {"tags": {"a b": "x"}}, 422, "a name has letters"),
        ("PATCH", "", {"name": "x"}, 422, "name"),
        ("PATCH", "", {"description": "x" * 10_001}, 422, "description"),
        ("PATCH", "/versions/9", {"description": "x"}, 404, "it has versions 1 to 2"),
        ("DELETE", "/versions/9", None, 404, "it has versions 1 to 2"),
        ("DELETE", "/aliases/other", None, 404, "no alias 'other'; it has candidate, default"),
        ("POST", "/aliases/other/rollback", None, 404, "no alias 'other'"),
        ("POST", "/aliases/default/rollback", {"current": "1"}, 422, "current"),
        ("POST", "/promote", {"metric": "rmse"}, 422, "direction"),
        ("POST", "/promote", {"metric": "rmse", "direction": "up"}, 422, "direction"),
        ("POST", "/promote", {"metric": "mae", "direction": "lower"}, 409, "it has rmse"),
        ("POST", "/promote", {"metric": "rmse", "direction": "lower", "version": "A"}, 422, "no alias and no number"),
        ("POST", "/promote", {"metric": "rmse", "direction": "lower", "version": 9}, 404, "it has versions 1 to 2"),
        ("POST", "/promote", {"metric": "rmse", "direction": "lower", "margin": -1}, 422, "margin"),
        ("PUT", "/traffic", {"weights": {"default": 0.9}}, 422, "add up to 0.9"),
        ("PUT", "/traffic", {"weights": {}}, 422, "add up to 0"),
        ("PUT", "/traffic", {"weights": {"default": 2, "candidate": -1}}, 422, "no number from 0 to 1"),
        ("PUT", "/traffic", {"weights": {"default": "most"}}, 422, "weights"),
        ("PUT", "/traffic", {"weights": {"third": 1}}, 409, "the model has candidate, default"),
        ("PUT", "/traffic", {"weights": {"default": 1}, "shadow": "third"}, 409, "the model has candidate, default"),
        ("PUT", "/traffic", {"weights": {"default": 1}, "shadow": "default"}, 422, "with itself"),
        ("PUT", "/traffic", {"weights": {"default": 1}, "shadow_share": 0}, 422, "shadow_share"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    served: FastAPI,
    housing: Registry,
    database: Database,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    told: str,
) -> None:
    before = housing.get_model("housing"), housing.list_versions("housing")
    answer = ask(served, method, f"/registry/housing{path}", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in str(answer.json())
    assert (housing.get_model("housing"), housing.list_versions("housing")) == before
    assert actions(database) == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("model", ["other", "%00", "a%20b"])
def test_a_model_that_is_not_there_is_answered_with_those_that_are(
    served: FastAPI, housing: Registry, method: str, model: str
) -> None:
    answer = ask(served, method, f"/registry/{model}", json={"description": "x"} if method == "PATCH" else None)
    assert answer.status_code == 404
    assert "models with versions: housing" in answer.json()["detail"]
