import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from common.app import create_app
from common.registry.service import Registry
from common.security.scopes import Scope
from common.settings import PluginSettings, Settings, StorageSettings
from tests.support.keys import bearer, closed_app, make_key

WHO: dict[str, Any] = {"author": "tester", "code_version": "1.0"}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    storage = StorageSettings(state_dir=tmp_path / "state")
    return create_app(Settings(plugins=PluginSettings(service_model=("sample",)), storage=storage))


@pytest.fixture
def served(app: FastAPI, registry: Registry) -> FastAPI:
    app.state.runtime = SimpleNamespace(settings=app.state.runtime.settings, records=[], registry=registry)
    return app


def ask(app: FastAPI, method: str, path: str, **more: Any) -> httpx.Response:
    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(method, path, **more)

    return asyncio.run(request())


def test_versions_are_shown_with_artefacts_and_aliases(served: FastAPI, registry: Registry) -> None:
    registry.publish("housing", {"model.onnx": b"weights"}, metrics={"rmse": 0.5}, alias="default", **WHO)
    registry.publish("housing", {}, **WHO)
    told = {"model": "housing", "latest": 2, "count": 2, "aliases": {"default": 1}}
    assert ask(served, "GET", "/registry").json() == [told | {"description": "", "tags": {}, "traffic": None}]
    shown = ask(served, "GET", "/registry/housing").json()
    assert [version["number"] for version in shown["versions"]] == [2, 1]
    assert shown["aliases"] == {"default": 1}
    [artefact] = ask(served, "GET", "/registry/housing/versions/1").json()["artefacts"]
    assert (artefact["name"], artefact["size_bytes"], len(artefact["sha256"])) == ("model.onnx", 7, 64)


def test_a_key_for_some_models_is_told_of_these_only(tmp_path: Path) -> None:
    app = closed_app(tmp_path, serve=("sample", "timeseries"))
    try:
        for model in ("sample", "timeseries"):
            app.state.runtime.registry.publish(model, {}, **WHO)
        limited, full = make_key(app, Scope.PREDICT, models=["sample"]), make_key(app, Scope.PREDICT)
        listed = [
            [entry["model"] for entry in ask(app, "GET", "/registry", headers=bearer(key)).json()]
            for key in (limited, full)
        ]
        assert listed == [["sample"], ["sample", "timeseries"]]
    finally:
        app.state.runtime.stop()


def test_an_alias_is_put_again_and_again(served: FastAPI, registry: Registry) -> None:
    registry.publish("housing", {}, alias="default", **WHO)
    registry.publish("housing", {}, **WHO)
    answers = [ask(served, "PUT", "/registry/housing/aliases/default", json={"version": 2}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["previous"] for answer in answers] == [1, 2]
    assert registry.resolve("housing").number == 2


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/registry/other", "models with versions: housing"),
        ("GET", "/registry/%00", "models with versions: housing"),
        ("GET", "/registry/other/versions/1", "models with versions: housing"),
        ("GET", "/registry/housing/versions/9", "it has version 1"),
        ("PUT", "/registry/housing/aliases/default", "it has version 1"),
        ("PUT", "/registry/other/aliases/default", "models with versions: housing"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(
    served: FastAPI, registry: Registry, method: str, path: str, told: str
) -> None:
    registry.publish("housing", {}, **WHO)
    answer = ask(served, method, path, json={"version": 9} if method == "PUT" else None)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    ("alias", "body"),
    [
        ("Default", {"version": 1}),
        ("1", {"version": 1}),
        ("a" * 64, {"version": 1}),
        ("default", {"version": 0}),
        ("default", {"version": True}),
        ("default", {"version": "1"}),
        ("default", {"version": 2**40}),
        ("default", {}),
        ("default", {"version": 1, "more": 1}),
    ],
)
def test_an_alias_that_cannot_be_is_invalid(
    served: FastAPI, registry: Registry, alias: str, body: dict[str, object]
) -> None:
    registry.publish("housing", {}, **WHO)
    assert ask(served, "PUT", f"/registry/housing/aliases/{alias}", json=body).status_code == 422
    assert registry.get_model("housing").aliases == {}


def test_without_a_registry_the_answer_is_503(app: FastAPI) -> None:
    app.state.runtime = SimpleNamespace(settings=app.state.runtime.settings, records=[], registry=None)
    answer = ask(app, "GET", "/registry")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
