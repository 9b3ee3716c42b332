from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import schemathesis
from fastapi import FastAPI

from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return make_app(tmp_path_factory.mktemp("state"), serve=("imputation", "sample"))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    loaded: dict[str, Any] = Client(app).get("/openapi.json").json()
    return loaded


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": item[method]
        for path, item in document["paths"].items()
        for method in METHODS & item.keys()
    }


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


def test_every_schema_in_it_is_a_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_to_a_component(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) - known == set()


def test_bounds_of_whole_numbers_are_called_as_json_schema_calls_them(document: dict[str, Any]) -> None:
    number, _ = document["components"]["schemas"]["BatchRequest"]["properties"]["number_predictor"]["anyOf"]
    assert (number["minimum"], number["maximum"]) == (1, 100_000)

    def keys(node: object) -> set[str]:
        if isinstance(node, dict):
            own = set(node) if node.get("type") in ("integer", "number") else set()
            return own.union(*map(keys, node.values()))
        return set().union(*map(keys, node)) if isinstance(node, list) else set()

    assert keys(document) & {"ge", "le", "gt", "lt"} == set()


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(ids)) == len(ids)


def test_operation_ids_stay_unique_with_two_plugins_of_equal_routes(tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        write_plugin(
            tmp_path,
            name,
            """
            from fastapi import APIRouter
            router = APIRouter()

            @router.post("/predict")
            async def predict() -> str:
                return ""
            """,
        )
    written = make_app(tmp_path / "state", path=(tmp_path,), serve=("alpha", "beta")).openapi()
    ids = [operation["operationId"] for operation in operations(written).values()]
    assert len(set(ids)) == len(ids)


def test_every_operation_has_a_summary_and_a_tag(document: dict[str, Any]) -> None:
    bare = [name for name, item in operations(document).items() if not item.get("summary") or not item.get("tags")]
    assert bare == []


def test_errors_are_documented_as_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}, (name, status)


def test_operations_with_a_body_document_what_may_be_wrong_with_it(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name


def test_the_document_is_the_same_every_time(app: FastAPI) -> None:
    assert Client(app).get("/openapi.json").content == Client(app).get("/openapi.json").content


def test_the_document_is_compressed_and_sent_once_to_who_keeps_it(app: FastAPI) -> None:
    packed = Client(app).get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(packed.content) / 5
    again = Client(app).get("/openapi.json", headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert packed.headers["cache-control"] == "no-cache"
    assert packed.headers["content-type"] == "application/json"


def test_the_part_of_a_model_has_its_own_routes_and_all_schemas_that_they_need(app: FastAPI) -> None:
    part = Client(app).get("/openapi.json?model=sample").json()
    whole = Client(app).get("/openapi.json").json()
    assert "/sample_model/predict" in part["paths"]
    assert part["paths"] == {path: whole["paths"][path] for path in whole["paths"] if path.startswith("/sample_model")}
    schemas = part["components"]["schemas"]
    assert {reference.rpartition("/")[2] for reference in references(part)} == set(schemas)
    assert schemas == {name: whole["components"]["schemas"][name] for name in schemas}
    assert part["components"]["securitySchemes"] == whole["components"]["securitySchemes"]


def test_the_part_of_an_unknown_model_is_answered_404_with_where_they_are_listed(app: FastAPI) -> None:
    answer = Client(app).get("/openapi.json?model=nobody")
    assert answer.status_code == 404
    assert "GET /models" in answer.json()["detail"]


def test_the_examples_of_a_plugin_are_offered(document: dict[str, Any]) -> None:
    body = document["paths"]["/sample_model/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["examples"] == {"hello": {"value": {"requiredField": "required 123"}}}


def test_headers_of_jobs_are_named_where_a_request_makes_one(document: dict[str, Any]) -> None:
    named = {
        name: [item["name"] for item in operation.get("parameters", ()) if item["in"] == "header"]
        for name, operation in operations(document).items()
    }
    of_jobs = ["Idempotency-Key", "X-Callback-Url", "X-Timeout-Ms"]
    assert named["POST /sample_model/train"] == of_jobs
    assert named["POST /imputation/train"] == of_jobs
    assert named["POST /sample_model/predict"] == named["POST /imputation/predict"] == ["Prefer", *of_jobs]
    assert named["POST /sample_model/test_endpoint1"] == []
