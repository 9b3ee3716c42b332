import textwrap
from pathlib import Path

import httpx
import pytest

from common.plugins import OldPrefix
from common.plugins.discovery import discover
from common.settings import PluginSettings
from common.telemetry import metrics
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin
from tests.support.problems import assert_problem

OLD_PREFIXES = {"/twolvlImp", "/statimpute", "/correlation", "/survey", "/lab", "/project", "/api", "/help"}
# Of the scale-out of Spark jobs.
OLD_PREFIXES |= {"/training", "/prediction", "/preload", "/submission", "//prediction", "//preload"}

BARE = """
    from fastapi import APIRouter
    router = APIRouter()

    @router.get("/hello")
    async def hello() -> str:
        return "hello"
"""
MOVED = """
    from fastapi import APIRouter, HTTPException
    from pydantic import BaseModel
    from common.plugins import OldPrefix, Plugin

    router = APIRouter(prefix="/moved")

    class Question(BaseModel):
        number: int

    @router.post("/predict", status_code=201)
    async def predict(question: Question) -> dict[str, int]:
        return {"double": 2 * question.number}

    @router.get("/items/{name}")
    async def item(name: str) -> str:
        if name == "none":
            raise HTTPException(404, "no such item")
        if name == "broken":
            raise RuntimeError("hunter2")
        return name

    plugin = Plugin(prefixes=[OldPrefix("/before", lambda error: {"wrong": error.detail, "code": error.status})])
"""


@pytest.fixture
def moved(tmp_path: Path) -> Client:
    return Client(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "moved", MOVED),), serve=("moved",)))


def test_a_router_without_a_prefix_is_mounted_under_the_plugins_name(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "bare", BARE)
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("bare",)))
    assert client.get("/bare/hello").json() == "hello"
    assert_problem(client.get("/hello"), 404)


def test_a_route_mounted_under_the_plugins_name_is_counted_with_its_whole_path(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "bare", BARE)
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("bare",)))
    client.get("/bare/hello")
    assert b'atoll_http_requests_total{method="GET",route="/bare/hello",status="200"}' in metrics.exposition()


def test_a_router_without_tags_is_grouped_under_the_plugins_name(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "bare", BARE)
    app = make_app(tmp_path / "state", path=(path,), serve=("bare",))
    assert app.openapi()["paths"]["/bare/hello"]["get"]["tags"] == ["bare"]


def test_these_are_the_old_prefixes_that_bundled_plugins_answer_on() -> None:
    found = {old.path for record in discover(PluginSettings()) for old in record.plugin.prefixes}
    assert found == OLD_PREFIXES


def test_an_old_prefix_answers_as_the_new_one(moved: Client) -> None:
    old, new = (moved.post(f"{prefix}/predict", json={"number": 2}) for prefix in ("/before", "/moved"))
    assert (old.status_code, old.content) == (new.status_code, new.content) == (201, b'{"double":4}')


def test_an_old_prefix_has_the_routes_with_path_parameters(moved: Client) -> None:
    assert moved.get("/before/items/x").json() == "x"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/before/predict", b'{"number": "x"}', 422),
        ("/before/predict", b"[" * 100_000, 400),
        ("/before/nothing", b"{}", 404),
    ],
)
def test_an_old_prefix_answers_errors_in_its_old_shape(moved: Client, path: str, body: bytes, status: int) -> None:
    response = moved.post(path, content=body, headers={"Content-Type": "application/json"})
    assert_old(response, status)


def test_an_error_raised_by_the_route_has_the_old_shape_too(moved: Client) -> None:
    assert_old(moved.get("/before/items/none"), 404)


def test_a_500_on_an_old_prefix_has_the_old_shape_and_tells_nothing(moved: Client) -> None:
    response = moved.get("/before/items/broken")
    assert_old(response, 500)
    assert "hunter2" not in response.text


def test_a_wrong_method_on_an_old_prefix_has_the_old_shape_and_allow(moved: Client) -> None:
    response = moved.get("/before/predict")
    assert_old(response, 405)
    assert response.headers["allow"] == "POST"


def test_a_body_too_large_for_an_old_prefix_is_refused_in_the_old_shape(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, "moved", MOVED)
    client = Client(make_app(tmp_path / "state", path=(path,), serve=("moved",), max_body_bytes=1024))
    assert_old(client.post("/before/predict", content=b"x" * 2000), 413)


def test_a_path_that_only_begins_like_an_old_prefix_is_none(moved: Client) -> None:
    assert_problem(moved.get("/beforehand/predict"), 404)


def test_the_new_prefix_answers_errors_as_problems(moved: Client) -> None:
    assert_problem(moved.post("/moved/predict", json={"number": "x"}), 422)


def test_old_prefixes_are_not_documented_but_listed(moved: Client) -> None:
    assert not any(path.startswith("/before") for path in moved.get("/openapi.json").json()["paths"])
    assert moved.get("/models").json()[0]["old_prefixes"] == ["/before"]


@pytest.mark.parametrize("path", ["//before", "///before", "//health", "/health", "//"])
def test_an_old_prefix_may_begin_with_two_slashes_but_takes_nothing_of_atoll_s_own(tmp_path: Path, path: str) -> None:
    if path == "//":
        with pytest.raises(ValueError, match="end it without one"):
            OldPrefix(path, lambda error: error.detail)
        return
    source = textwrap.dedent(MOVED).replace('OldPrefix("/before"', f'OldPrefix("{path}"')
    folder = write_plugin(tmp_path, "moved", source)
    client = Client(make_app(tmp_path / "state", path=(folder,), serve=("moved",)))
    (listed,) = client.get("/models").json()
    assert (listed["state"] != "unavailable") is (path == "//before")
    assert client.get("http://localhost/health/live").status_code == 200
    if path == "//before":
        assert client.post("http://localhost//before/predict", json={"number": 2}).json() == {"double": 4}
        assert_old(client.post("http://localhost//before/predict", json={"number": "x"}), 422)


def assert_old(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    body = response.json()
    assert set(body) == {"wrong", "code"}
    assert body["code"] == status


OPTIONS = """
    from fastapi import APIRouter, Header, HTTPException, Depends
    from fastapi.responses import PlainTextResponse
    from pydantic import BaseModel, Field
    from common.plugins import OldPrefix, Plugin

    class Answer(BaseModel):
        kept: int = Field(1, alias="renamed")
        secret: int = 2
        nothing: int | None = None

    def key(x_key: str | None = Header(None)) -> None:
        if x_key is None:
            raise HTTPException(401, "no key")

    router = APIRouter(prefix="/new", dependencies=[Depends(key)])
    inner = APIRouter(prefix="/inner")

    @router.get("/model", response_model_exclude={"secret"}, response_model_exclude_none=True,
                response_model_by_alias=False)
    async def model() -> Answer:
        return Answer()

    @router.get("/text", response_class=PlainTextResponse)
    async def text() -> str:
        return "plain"

    @inner.get("/deep")
    async def deep() -> str:
        return "deep"

    router.include_router(inner)
    plugin = Plugin(prefixes=[OldPrefix("/old", lambda error: {"wrong": error.detail})])
"""


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("/model", "application/json", '{"kept":1}'),
        ("/text", "text/plain; charset=utf-8", "plain"),
        ("/inner/deep", "application/json", '"deep"'),
    ],
)
@pytest.mark.parametrize("prefix", ["/new", "/old"])
def test_a_route_keeps_its_options_under_an_old_prefix(
    tmp_path: Path, prefix: str, path: str, kind: str, text: str
) -> None:
    folder = write_plugin(tmp_path, "optional", OPTIONS)
    client = Client(make_app(tmp_path / "state", path=(folder,), serve=("optional",)))
    answer = client.get(prefix + path, headers={"x-key": "mine"})
    assert (answer.headers["content-type"], answer.text) == (kind, text)
    assert client.get(prefix + path).status_code == 401


APART = """
    from fastapi import APIRouter
    from common.plugins import OldPrefix, Plugin

    router = APIRouter(prefix="/apart")
    old = APIRouter()
    alone = APIRouter()

    @router.post("/predict")
    async def predict() -> int:
        return 1

    @old.get("/v1/{name}")
    async def told(name: str) -> str:
        return name

    @alone.get("")
    async def help() -> str:
        return "ask"

    def shape(error):
        return {"wrong": error.detail, "code": error.status}

    plugin = Plugin(
        scopes={"GET /v1/{name}": "admin"},
        prefixes=[OldPrefix("/before", shape, old), OldPrefix("/alone", shape, alone)],
    )
"""


@pytest.fixture
def apart(tmp_path: Path) -> Client:
    return Client(make_app(tmp_path / "state", path=(write_plugin(tmp_path, "apart", APART),), serve=("apart",)))


def test_an_old_prefix_may_have_routes_of_its_own(apart: Client) -> None:
    assert apart.get("/before/v1/x").json() == "x"
    assert apart.get("/alone").json() == "ask"
    assert_old(apart.post("/before/predict"), 404)
    assert not any(path.startswith(("/before", "/alone")) for path in apart.get("/openapi.json").json()["paths"])


def test_errors_at_the_very_path_of_an_old_prefix_have_its_shape(apart: Client) -> None:
    assert_old(apart.post("/alone"), 405)


def test_what_a_route_of_an_old_prefix_asks_is_declared_like_the_others(apart: Client) -> None:
    need = apart.app.state.rules.under("GET", "/before/v1/{name}")  # type: ignore[attr-defined]
    assert need.scope == "admin"
