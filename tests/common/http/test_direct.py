"""What is answered directly is answered as the framework answers it.

The framework's way is had by an entry in `dependency_overrides`, which the direct one leaves to it.
"""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.provisional import urls

from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin

PLUGIN = """
    from typing import Annotated

    from fastapi import APIRouter, Body, Header, Request
    from fastapi.responses import JSONResponse, Response
    from pydantic import BaseModel, Field

    from common.errors import Invalid

    router = APIRouter(prefix="/forms")


    class Asked(BaseModel):
        number: int
        share: float = 0.5
        text: str | None = None
        items: list[Annotated[float, Field(ge=0)]] = []


    class Told(BaseModel):
        number: int
        again: dict[str, object] = {}
        hidden: str = Field("x", exclude=True)


    @router.post("/model")
    async def model(body: Asked) -> Told:
        return Told(number=body.number, again=body.model_dump())


    @router.post("/request")
    async def request(body: Asked, request: Request) -> dict[str, object]:
        return {"is_direct": "fastapi_inner_astack" not in request.scope, "raw": (await request.body()).decode()}


    @router.post("/query")
    async def query(body: Asked, explain: bool = False, count: int = 3) -> list[object]:
        return [body.number, explain, count]


    @router.post("/path/{name}/{number}")
    async def path(name: str, number: int, body: Asked) -> list[object]:
        return [name, number, body.number]


    @router.post("/header")
    async def header(body: Asked, x_one: Annotated[str | None, Header()] = None) -> str | None:
        return x_one


    @router.post("/plain")
    def plain(body: Asked) -> int:
        return body.number


    @router.post("/created", status_code=201)
    async def created(body: Asked) -> Told:
        return Told(number=body.number)


    @router.post("/response", response_model=Told)
    async def response(body: Asked) -> Response:
        return JSONResponse({"own": body.number}, 203, {"X-Own": "1"})


    @router.post("/refused")
    async def refused(body: Asked) -> Told:
        raise Invalid("not this one")


    @router.post("/broken")
    async def broken(body: Asked) -> Told:
        return {"number": "no number"}


    @router.post("/untyped")
    async def untyped(body: Asked):
        return {"asked": body, "number": body.number, "none": None}


    @router.post("/nothing")
    async def nothing(body: Asked):
        pass


    @router.post("/embedded")
    async def embedded(body: Annotated[Asked, Body(embed=True)]) -> int:
        return body.number


    @router.post("/anything")
    async def anything(body: dict[str, object]) -> dict[str, object]:
        return body
"""
ROUTES = (
    "model", "request", "query", "query?count=4&explain=yes", "query?count=x", "path/a/7", "path/a/b", "header",
    "plain", "created", "response", "refused", "broken", "embedded", "untyped", "nothing", "anything",
)  # fmt: skip
BODIES = (
    b'{"number": 1}',
    b' {"number": 1, "share": 1e-7, "text": "\xc3\xa9", "items": [0, 1.5]}\n',
    b'{"number": 1, "number": 2}',
    b'{"number": "3"}',
    b'{"number": 18446744073709551617}',
    b'{"number": 1, "share": NaN}',
    b'{"number": 1, "share": 1e400}',
    b'{"number": 1, "text": "\\ud800"}',
    b'{"number": 1, "items": [-1]}',
    b'{"number": 1.5}',
    b'{"number": 1, "more": ' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"body": {"number": 1}}',
    b"{}",
    b"[]",
    b"null",
    b"",
    b"{",
    b"\xff\xfe",
    '{"number": 1}'.encode("utf-16"),
)
TYPES = ("application/json", "Application/JSON; charset=utf-8", "application/problem+json", "text/plain", None)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("direct")
    path = write_plugin(folder / "plugins", "forms", PLUGIN)
    return make_app(folder / "state", path=(path,), serve=("forms",))


def answers(app: FastAPI, path: str, body: bytes, kind: str | None = "application/json") -> list[object]:
    """Status, headers and body of both ways' answers, without what differs between any two."""
    headers = {"Content-Type": kind} if kind else {}
    client = Client(app)
    found: list[object] = []
    for overrides in ({}, {print: print}):
        app.dependency_overrides.clear()
        app.dependency_overrides.update(overrides)
        answer = client.post(f"/forms/{path}", content=body, headers=headers)
        said = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
        try:
            told = answer.json()
        except ValueError:
            told = answer.content
        if isinstance(told, dict):
            told = {name: value for name, value in told.items() if name not in ("request_id", "is_direct")}
        found.append((answer.status_code, said, told))
    app.dependency_overrides.clear()
    return found


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:24]))
def test_each_form_of_route_answers_each_body_as_the_framework_does(app: FastAPI, path: str, body: bytes) -> None:
    direct, framework = answers(app, path, body)
    assert direct == framework


@pytest.mark.parametrize("kind", TYPES)
def test_the_type_of_the_body_counts_as_it_does_there(app: FastAPI, kind: str | None) -> None:
    direct, framework = answers(app, "model", BODIES[0], kind)
    assert direct == framework


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | urls(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["number", "share", "text", "items", "x"]) | st.text(max_size=4), VALUES))
@settings(deadline=None, max_examples=40)
def test_any_json_is_read_to_the_same_values(app: FastAPI, body: dict[str, object]) -> None:
    for path in ("model", "anything"):
        direct, framework = answers(app, path, json.dumps(body).encode())
        assert direct == framework


def test_the_usual_form_is_answered_directly_and_others_are_not(app: FastAPI) -> None:
    client = Client(app)
    answer = client.post("/forms/request", json={"number": 1})
    assert answer.json() == {"is_direct": True, "raw": '{"number":1}'}
    unusual = client.post("/forms/request?x=1", json={"number": 1})
    assert unusual.json() == {"is_direct": False, "raw": '{"number":1}'}


def test_all_bundled_models_predict_directly(tmp_path: Path) -> None:
    app = make_app(tmp_path / "state", serve=())
    direct = app.router.middleware_stack
    rules = {rule.path: rule for rule in app.state.rules}
    for record in app.state.runtime.records:
        if (record.prefix or record.router.prefix) + "/predict" not in rules:
            # Uploaded models have routes of their own form.
            continue
        path = f"{record.prefix or record.router.prefix}/predict"
        form = direct._form(rules[path].context)  # type: ignore[attr-defined]  # the compiled one, else it is not seen
        assert form is not None, path
