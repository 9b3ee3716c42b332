"""Plugins whose routes are in routers of their own, and plugins whose types have no schema."""

import asyncio
from pathlib import Path

import pytest

from common.plugins.conformance import check
from tests.support.clients import Client
from tests.support.plugins import make_app, settings, write_plugin

NESTED = """
    from fastapi import APIRouter
    from common.plugins import BaseDefinition, Plugin, param

    inner = APIRouter(prefix="/v1")


    class Question(BaseDefinition):
        column: str = param(title="Column", req_endpoint="columns")


    @inner.get("/columns")
    async def columns() -> list[str]:
        return ["a"]


    @inner.post("/predict")
    async def predict(body: Question) -> str:
        return body.column


    router = APIRouter(prefix="/nested")
    router.include_router(inner)
    plugin = Plugin(examples={"a": {"column": "a"}})
"""

UNDOCUMENTED = """
    from typing import Callable
    from fastapi import APIRouter
    from pydantic import BaseModel

    router = APIRouter(prefix="/odd")


    class Odd(BaseModel):
        function: Callable[[int], int] = abs


    @router.post("/odd")
    async def odd(body: Odd) -> str:
        return "odd"


    @router.get("/even")
    async def even() -> str:
        return "even"
"""


@pytest.fixture
def client(tmp_path: Path) -> Client:
    write_plugin(tmp_path, "nested", NESTED)
    write_plugin(tmp_path, "odd", UNDOCUMENTED)
    return Client(make_app(tmp_path / "state", path=(tmp_path,), serve=("nested", "odd", "sample")))


def test_routes_of_a_router_within_the_router_are_listed(client: Client) -> None:
    nested = next(model for model in client.get("/models").json() if model["name"] == "nested")
    assert nested["routes"] == ["GET /nested/v1/columns", "POST /nested/v1/predict"]


def test_what_a_router_within_the_router_asks_for_is_listed(client: Client) -> None:
    (found,) = (model["inputs"] for model in client.get("/params").json() if model["model"] == "nested")
    assert found[0]["parameter"] == "column"
    assert found[0]["req_endpoint"]["endpoint"] == "/nested/v1/columns"


def test_a_prediction_of_a_router_within_the_router_answers_and_can_be_queued(client: Client) -> None:
    asked = {"json": {"column": "a"}}
    assert client.post("/nested/v1/predict", **asked).json() == "a"
    assert client.post("/nested/v1/predict", **asked, headers={"Prefer": "respond-async"}).status_code == 202


def test_examples_of_a_router_within_the_router_are_documented(client: Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/nested/v1/predict"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["examples"] == {"a": {"value": {"column": "a"}}}


def test_a_route_whose_type_has_no_schema_is_left_out_of_the_document_alone(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert "/odd/odd" not in paths
    assert {"/odd/even", "/sample_model/predict", "/nested/v1/predict"} <= paths.keys()
    assert client.post("/odd/odd", json={}).json() == "odd"


def test_the_check_of_a_plugin_names_the_route_that_has_no_schema(tmp_path: Path) -> None:
    write_plugin(tmp_path, "odd", UNDOCUMENTED)
    outcomes = asyncio.run(check("odd", settings(tmp_path / "state", path=(tmp_path,))))
    (documented,) = (outcome for outcome in outcomes if outcome.check == "documented")
    assert not documented.passed
    assert "/odd/odd" in documented.message
