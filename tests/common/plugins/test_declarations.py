"""A plugin that declares something wrong is unavailable with the reason; the app and the others go on."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from common.plugins import OldPrefix, Plugin
from tests.support.clients import Client
from tests.support.plugins import make_app, write_plugin

HELLO = """
    from fastapi import APIRouter
    from fastapi.routing import APIRoute
    from common.plugins import OldPrefix, Plugin

    router = APIRouter(prefix="{prefix}")

    @router.get("/hello")
    async def hello() -> str:
        return "{said}"

    {more}
"""


def hello(folder: Path, name: str, prefix: str | None = None, more: str = "") -> Path:
    return write_plugin(
        folder, name, HELLO.format(prefix=f"/{name}" if prefix is None else prefix, said=name, more=more)
    )


@pytest.fixture(autouse=True)
def _forget_imports(tmp_path: Path) -> Iterator[None]:
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def serving(tmp_path: Path, *names: str) -> tuple[FastAPI, Client]:
    app = make_app(tmp_path / "state", path=(tmp_path,), serve=names)
    return app, Client(app)


def listed(client: Client) -> dict[str, Any]:
    return {model["name"]: model for model in client.get("/models").json()}


async def _load() -> None:
    raise NotImplementedError


class _Loader:
    async def __call__(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"title": 5}, "title=5"),
        ({"description": 5}, "description=5"),
        ({"load": "load"}, "load='load'"),
        ({"load": _load}, "a plain `def`"),
        ({"load": _Loader()}, "a plain `def`"),
        ({"datasets": []}, "datasets="),
        ({"datasets": _load}, "a plain `def`"),
        ({"prefixes": ["/before"]}, "OldPrefix"),
        ({"prefixes": OldPrefix("/before", str)}, "OldPrefix"),
        ({"examples": [{"x": 1}]}, "mapping"),
        ({"examples": {"bad": 1}}, "'bad'"),
        ({"examples": {"bad": {"x": {1, 2}}}}, "'bad' is not JSON"),
        ({"examples": {"bad": {"x": float("nan")}}}, "'bad' is not JSON"),
        ({"pulls": {"somewhere": "an address"}}, "Plugin(pulls=…)"),
        ({"large_bodies": "POST /files"}, "Plugin(large_bodies='POST /files')"),
        ({"cli": {"push": "mine:push"}}, "Plugin(cli="),
        ({"cli": {"registry push": "mine"}}, "Plugin(cli="),
        ({"tensors": object()}, "names, versions, find, known"),
        ({"leaves": "folder"}, "Plugin(leaves='folder')"),
        ({"leaves": [""]}, "Plugin(leaves=[''])"),
        ({"panels": "panel.js"}, "Plugin(panels='panel.js')"),
        ({"panels": ["../panel.js"]}, "Plugin(panels=['../panel.js'])"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_is_made(declared: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError) as refused:
        Plugin(**declared)
    assert told in str(refused.value)


@pytest.mark.parametrize("path", ["before", "", "/", "/before/", 5])
def test_an_old_prefix_begins_with_a_slash_and_ends_without(path: Any) -> None:
    with pytest.raises(ValueError, match="begin it with a slash"):
        OldPrefix(path, str)


def test_what_answers_at_an_old_prefix_is_a_router() -> None:
    with pytest.raises(TypeError, match="router"):
        OldPrefix("/before", str, "router")  # type: ignore[arg-type]


def test_the_shape_of_old_errors_is_a_function() -> None:
    with pytest.raises(TypeError, match="error_shape"):
        OldPrefix("/before", "shape")  # type: ignore[arg-type]


BAD_ROUTE = """
    class Once(APIRoute):
        def __init__(self, path, *given, **options):
            if path.startswith("/before"):
                raise RuntimeError("once only")
            super().__init__(path, *given, **options)

    router.route_class = Once

    @router.get("/again")
    async def again() -> str:
        return "again"

    def load():
        pass

    plugin = Plugin(title="Odd", load=load, prefixes=[OldPrefix("/before", lambda error: {})])
"""


def test_what_cannot_be_mounted_is_unavailable_and_the_others_are_served(tmp_path: Path) -> None:
    hello(tmp_path, "odd", more=BAD_ROUTE)
    _, client = serving(tmp_path, "odd", "sample")
    odd = listed(client)["odd"]
    assert (odd["title"], odd["state"], odd["routes"], odd["old_prefixes"]) == ("Odd", "unavailable", [], [])
    assert "RuntimeError: once only" in odd["reason"]
    assert client.get("/odd/again").status_code == 404
    assert client.post("/sample_model/predict", json={"requiredField": "you"}).status_code == 200
    assert client.get("/openapi.json").status_code == 200


def test_what_cannot_be_mounted_does_not_become_ready_when_its_load_succeeds(tmp_path: Path) -> None:
    hello(tmp_path, "odd", more=BAD_ROUTE)
    app, _ = serving(tmp_path, "odd")
    (record,) = app.state.runtime.records
    asyncio.run(asyncio.to_thread(record.load))
    assert record.state == "unavailable"


@pytest.mark.parametrize(
    "route",
    [
        '@router.post("/predict")\n    async def predict(text: str) -> str:\n        return text',
        '@router.post("/predict", include_in_schema=False)\n    async def predict(body: dict[str, int]) -> str:\n'
        '        return ""',
    ],
    ids=["no body", "not documented"],
)
def test_an_example_that_has_no_place_in_the_document_is_left_out(tmp_path: Path, route: str) -> None:
    hello(tmp_path, "quiet", more=route + '\n\n    plugin = Plugin(examples={"short": {"x": 1}})')
    _, client = serving(tmp_path, "quiet", "sample")
    assert client.get("/openapi.json").status_code == 200


def test_the_later_of_two_plugins_that_claim_a_path_is_unavailable_and_told_what_to_change(tmp_path: Path) -> None:
    hello(tmp_path, "alpha", "/shared")
    hello(tmp_path, "beta", "/shared")
    _, client = serving(tmp_path, "alpha", "beta")
    found = listed(client)
    assert client.get("/shared/hello").json() == "alpha"
    assert (found["alpha"]["state"], found["beta"]["state"]) == ("ready", "unavailable")
    assert "taken by plugin alpha" in found["beta"]["reason"]
    assert "change the prefix of its router" in found["beta"]["reason"]


def test_a_bundled_plugin_keeps_its_paths_whatever_the_others_are_called(tmp_path: Path) -> None:
    hello(tmp_path, "a_copy", "/sample_model")
    _, client = serving(tmp_path, "a_copy", "sample")
    found = listed(client)
    assert (found["a_copy"]["state"], found["sample"]["state"]) == ("unavailable", "ready")


def test_an_old_prefix_may_not_be_anothers(tmp_path: Path) -> None:
    hello(tmp_path, "alpha")
    hello(tmp_path, "beta", more='plugin = Plugin(prefixes=[OldPrefix("/alpha", lambda error: {})])')
    _, client = serving(tmp_path, "alpha", "beta")
    assert "old prefix /alpha" in listed(client)["beta"]["reason"]
    assert client.get("/beta/hello").status_code == 404


def test_routes_are_the_same_whatever_their_parameters_are_called(tmp_path: Path) -> None:
    item = '@router.get("{path}")\n    async def item(key: str) -> str:\n        return key'
    hello(tmp_path, "alpha", "/shared", more=item.format(path="/deep/{key}"))
    hello(tmp_path, "beta", "/shared/deep", more=item.format(path="/{key:path}"))
    _, client = serving(tmp_path, "alpha", "beta")
    assert "GET /shared/deep/{}" in listed(client)["beta"]["reason"]


@pytest.mark.parametrize("prefix", ["/docs", "/health/mine", "/openapi.json", "/{anything}"])
def test_a_router_may_not_claim_atolls_own_paths(tmp_path: Path, prefix: str) -> None:
    hello(tmp_path, "greedy", prefix)
    _, client = serving(tmp_path, "greedy", "sample")
    assert "change the prefix of its router" in listed(client)["greedy"]["reason"]


def test_an_old_prefix_may_not_be_atolls_own(tmp_path: Path) -> None:
    hello(tmp_path, "greedy", more='plugin = Plugin(prefixes=[OldPrefix("/jobs", lambda error: {})])')
    _, client = serving(tmp_path, "greedy", "sample")
    assert "change or drop its old prefix /jobs" in listed(client)["greedy"]["reason"]


def test_a_model_is_described_by_its_package_or_by_what_the_plugin_says(tmp_path: Path) -> None:
    hello(tmp_path, "plain")
    hello(tmp_path, "told", more="__doc__ = 'Tells a price. Slowly.'")
    hello(
        tmp_path, "named", more="plugin = __import__('common.plugins').plugins.Plugin(description='Guesses a price.')"
    )
    _, client = serving(tmp_path, "plain", "told", "named")
    found = {name: one["description"] for name, one in listed(client).items()}
    assert found == {"plain": None, "told": "Tells a price.", "named": "Guesses a price."}
