"""Every route of the app, asked by everybody there may be. A new route is among them by itself, and needs a line."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from common.console.pages import PAGES
from common.security.rules import OWN as DECLARATIONS
from common.security.rules import RULES_STATE, Rules
from common.security.scopes import Scope
from tests.support.clients import connected
from tests.support.keys import bearer, closed_app, make_key
from tests.support.plugins import write_plugin

ANYBODY, HOLDER = "anybody", "whoever holds a key"
# Atoll's own routes, and who they are for.
OWN: dict[str, str] = {
    # Shells, whose data is asked for by routes of their own.
    **{f"GET {page.path}": ANYBODY for page in PAGES},
    "GET /": ANYBODY,
    "GET /console/static/{digest}/{name:path}": ANYBODY,
    "GET /console/help": ANYBODY,
    "GET /console/help/{path:path}": ANYBODY,
    "GET /console/sign-in/oidc": ANYBODY,
    "GET /console/sign-in/callback": ANYBODY,
    "POST /console/session": HOLDER,
    "DELETE /console/session": ANYBODY,
    "GET /console/packages/{digest}/{name}": ANYBODY,
    "GET /console/panels/{model}/{digest}/{name}": ANYBODY,
    "GET /console/shapes/{tag}/world.json": ANYBODY,
    "GET /console/{rest:path}": ANYBODY,
    "GET /docs": ANYBODY,
    "GET /docs/start.js": ANYBODY,
    "GET /docs/{name}": ANYBODY,
    "GET /openapi.json": ANYBODY,
    "GET /health/live": ANYBODY,
    "GET /health/ready": ANYBODY,
    "GET /metrics": HOLDER,
    "GET /models": HOLDER,
    "GET /params": HOLDER,
    "GET /datasets": Scope.PREDICT,
    "GET /datasets/{name}/{file}": Scope.PREDICT,
    "PUT /datasets/{name}/{file}": Scope.ADMIN,
    "DELETE /datasets/{name}/{file}": Scope.ADMIN,
    "GET /registry": Scope.PREDICT,
    "GET /registry/{model}": Scope.PREDICT,
    "GET /registry/{model}/versions/{n}": Scope.PREDICT,
    "GET /registry/{model}/versions/{n}/artefacts/{name}": Scope.PREDICT,
    "PATCH /registry/{model}": Scope.ADMIN,
    "DELETE /registry/{model}": Scope.ADMIN,
    "PATCH /registry/{model}/versions/{n}": Scope.ADMIN,
    "DELETE /registry/{model}/versions/{n}": Scope.ADMIN,
    "PUT /registry/{model}/aliases/{alias}": Scope.ADMIN,
    "DELETE /registry/{model}/aliases/{alias}": Scope.ADMIN,
    "POST /registry/{model}/aliases/{alias}/rollback": Scope.ADMIN,
    "POST /registry/{model}/promote": Scope.ADMIN,
    "PUT /registry/{model}/traffic": Scope.ADMIN,
    "DELETE /registry/{model}/traffic": Scope.ADMIN,
    "GET /registry/{model}/sampling": Scope.PREDICT,
    "PUT /registry/{model}/sampling": Scope.ADMIN,
    "DELETE /registry/{model}/sampling": Scope.ADMIN,
    "PUT /registry/{model}/versions/{n}/snapshot": Scope.TRAIN,
    "POST /registry/{model}/versions/{n}/drift": Scope.ADMIN,
    "GET /jobs": HOLDER,
    "GET /jobs/{job_id}": HOLDER,
    "GET /jobs/{job_id}/result": HOLDER,
    "GET /jobs/{job_id}/logs": HOLDER,
    "GET /jobs/{job_id}/trials": HOLDER,
    "DELETE /jobs/{job_id}": HOLDER,
    "POST /jobs/{job_id}/retry": HOLDER,
    "GET /tasks": HOLDER,
    "POST /tasks": Scope.SUBMIT,
    "POST /tasks/preview": Scope.SUBMIT,
    "GET /tasks/{task_id}": HOLDER,
    "GET /tasks/{task_id}/logs": HOLDER,
    "GET /tasks/{task_id}/files": HOLDER,
    "GET /tasks/{task_id}/files/{path:path}": HOLDER,
    "DELETE /tasks/{task_id}": Scope.SUBMIT,
    "POST /tasks/{task_id}/retry": Scope.SUBMIT,
    "POST /tasks/uploads": Scope.SUBMIT,
    "GET /tasks/uploads/{upload_id}": Scope.SUBMIT,
    "PUT /tasks/uploads/{upload_id}/parts/{number}": Scope.SUBMIT,
    "POST /tasks/uploads/{upload_id}": Scope.SUBMIT,
    "DELETE /tasks/uploads/{upload_id}": Scope.SUBMIT,
    "POST /new_task": Scope.SUBMIT,
    "GET /job_status/{cluster_job_id}": HOLDER,
    "GET /clusters": HOLDER,
    "GET /clusters/{name}": HOLDER,
    "GET /keys": Scope.ADMIN,
    "POST /keys": Scope.ADMIN,
    "GET /keys/self": HOLDER,
    "GET /keys/{key_id}": Scope.ADMIN,
    "DELETE /keys/{key_id}": Scope.ADMIN,
    "GET /v2": Scope.PREDICT,
    "GET /v2/health/live": ANYBODY,
    "GET /v2/health/ready": ANYBODY,
    "GET /v2/models": Scope.PREDICT,
    "POST /v2/repository/index": Scope.PREDICT,
    "GET /v2/models/{model}": Scope.PREDICT,
    "GET /v2/models/{model}/ready": Scope.PREDICT,
    "POST /v2/models/{model}/infer": Scope.PREDICT,
    "GET /v2/models/{model}/versions/{version}": Scope.PREDICT,
    "GET /v2/models/{model}/versions/{version}/ready": Scope.PREDICT,
    "POST /v2/models/{model}/versions/{version}/infer": Scope.PREDICT,
    "GET /settings": Scope.ADMIN,
    "GET /audit": Scope.ADMIN,
}
# Those of a plugin that declares what it asks; of all others' routes `…/train` is for `train`, the rest for `predict`.
DECLARED = {"POST /guarded/batch": Scope.TRAIN, "POST /before/batch": Scope.TRAIN, "GET /guarded/inner": Scope.ADMIN}
DECLARED["GET /before/inner"] = Scope.ADMIN
# What is learned of runs changes with these; the third begins a training.
DECLARED |= dict.fromkeys(
    [
        "POST /scaleout/applications",
        "DELETE /scaleout/applications/{execution_id}",
        "POST /training/trigger_model_training",
    ],
    Scope.TRAIN,
)
DECLARED["POST /submission/submit"] = Scope.SUBMIT
# Whoever may train may publish what was trained elsewhere.
DECLARED |= dict.fromkeys(
    [
        "POST /hosted/models/{ref}",
        "POST /hosted/uploads",
        "GET /hosted/uploads/{upload_id}",
        "PUT /hosted/uploads/{upload_id}/parts/{number}",
        "POST /hosted/uploads/{upload_id}",
        "DELETE /hosted/uploads/{upload_id}",
        "POST /api/v1/models/{ref}",
        "PUT /api/v1/models/{ref}",
        "POST /api/v1/train/{tag}/{name}",
    ],
    Scope.TRAIN,
)
DECLARED |= dict.fromkeys(
    [
        "PATCH /hosted/models/{ref}",
        "DELETE /hosted/models/{ref}",
        "POST /hosted/models/{ref}/default",
        "DELETE /api/v1/models/{ref}",
        "POST /api/v1/models/{ref}/default",
        "PUT /api/v1/models/{ref}/information",
    ],
    Scope.ADMIN,
)

GUARDED = """
    from fastapi import APIRouter
    from common.plugins import OldPrefix, Plugin

    router = APIRouter(prefix="/guarded")
    inside = APIRouter()

    @router.post("/predict")
    async def predict(body: dict[str, int]) -> str:
        return "predicted"

    @router.post("/batch")
    async def batch() -> str:
        return "done"

    @router.post("/train")
    async def train() -> str:
        return "trained"

    @inside.get("/inner")
    async def inner() -> str:
        return "inside"

    router.include_router(inside)
    plugin = Plugin(
        prefixes=[OldPrefix("/before", lambda error: {"wrong": error.detail})],
        scopes={"POST /batch": "train", "GET /inner": "admin"},
    )
"""
SERVED = (
    "countries",
    "guarded",
    "hosted",
    "housing",
    "imputation",
    "sample",
    "scaleout",
    "sentiment",
    "survey",
    "timeseries",
)
PARTS = {
    "{name}": "sids",
    "{file}": "data.csv",
    "{model}": "sample",
    "{n}": "1",
    "{version}": "1",
    "{alias}": "default",
    "{key_id}": "atl_000000000000",
    "{digest}": "0" * 64,
    "{ref}": "iris",
    "{tag}": "iris",
    "{upload_id}": "0" * 27,
    "{number}": "1",
    "{execution_id}": "a",
    "{base_name}": "gbt",
    "{task_id}": "0" * 27,
    "{cluster_job_id}": "77",
    "{path:path}": "output/metrics.json",
    "{name:path}": "js/dom.js",
    "{rest:path}": "nowhere",
}


@dataclass(frozen=True)
class Site:
    """An app that asks for keys, one key for each scope, and a job of the one for `predict`."""

    app: FastAPI
    keys: Mapping[str, str]
    job_id: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("matrix")
    app = closed_app(folder / "state", path=(write_plugin(folder / "plugins", "guarded", GUARDED),), serve=SERVED)
    keys = {scope.value: make_key(app, scope) for scope in Scope}
    keys["elsewhere"] = make_key(app, *Scope, models=["timeseries"])
    keys["bad"] = keys["admin"][:-1] + ("A" if keys["admin"][-1] != "A" else "B")
    queued = {"Prefer": "respond-async"} | bearer(keys["predict"])

    async def ask() -> httpx.Response:
        async with connected(app) as client:
            return await client.post("/sample_model/predict", json={"requiredField": "x"}, headers=queued)

    job_id = asyncio.run(ask()).headers["location"].removeprefix("/jobs/")
    yield Site(app, keys, job_id)
    app.state.runtime.stop()


def routes(app: FastAPI) -> list[str]:
    """Method and path of all routes that there are, however they were made."""
    found: list[str] = []
    every: list[BaseRoute] = app.router.routes
    for route in iter_route_contexts(every):
        methods = sorted(set(route.methods or ()) - {"HEAD"})
        found += [f"{method} {route.path}" for method in methods]
    return list(dict.fromkeys(found))


def needed(route: str) -> str:
    """Who a route is for. A KeyError: decide it, and write it down above and in `common.security.rules`."""
    method, _, path = route.partition(" ")
    if route in DECLARED:
        return DECLARED[route]
    # Old clients double the first slash.
    first = path.lstrip("/").partition("/")[0]
    if route in OWN or first in {line.split("/")[1] for line in OWN}:
        return OWN[route]
    return Scope.TRAIN if method == "POST" and path.endswith("/train") else Scope.PREDICT


def expected(route: str, caller: str) -> int:
    """401, 403, or 200 for anything else."""
    need = needed(route)
    if need == ANYBODY:
        return 200
    if caller in ("nobody", "bad"):
        return 401
    return 200 if need == HOLDER or caller in (need, "admin") else 403


async def answers(site: Site, caller: str) -> dict[str, httpx.Response]:
    """What each route answers to a caller."""
    headers = {} if caller == "nobody" else bearer(site.keys[caller])
    found = {}
    async with connected(site.app) as client:
        for route in routes(site.app):
            method, _, path = route.partition(" ")
            for name, value in (PARTS | {"{job_id}": site.job_id}).items():
                path = path.replace(name, value)
            assert "{" not in path, f"say in PARTS what stands for the part of {path}"
            # The whole address: a path that begins with two slashes would be taken for a host.
            found[route] = await client.request(method, f"http://localhost{path}", headers=headers)
    return found


def met(response: httpx.Response) -> int:
    return response.status_code if response.status_code in (401, 403) else 200


@pytest.mark.parametrize("caller", ["nobody", "bad", "predict", "train", "submit", "admin"])
def test_each_route_lets_in_whom_it_is_for(site: Site, caller: str) -> None:
    found = asyncio.run(answers(site, caller))
    assert {route: met(response) for route, response in found.items()} == {
        route: expected(route, caller) for route in found
    }
    assert len(found) > 60


def test_a_refusal_is_a_problem_that_says_how_to_go_on(site: Site) -> None:
    refused = {r: a for r, a in asyncio.run(answers(site, "submit")).items() if a.status_code == 403}
    unknown = {r: a for r, a in asyncio.run(answers(site, "nobody")).items() if a.status_code == 401}
    for route, answer in refused.items():
        assert answer.headers["www-authenticate"] == (
            f'Bearer realm="atoll", error="insufficient_scope", scope="{needed(route)}"'
        )
    for route, answer in unknown.items():
        assert answer.headers["www-authenticate"] == 'Bearer realm="atoll"', route
    kinds = {answer.headers["content-type"] for answer in (refused | unknown).values()}
    assert kinds == {"application/problem+json", "application/json"}


def test_a_key_for_one_model_is_refused_on_all_routes_of_the_others(site: Site) -> None:
    found = asyncio.run(answers(site, "elsewhere"))
    models = [route for route in found if needed(route) != ANYBODY and route not in OWN]
    assert {route: met(found[route]) for route in models} == {
        route: 200 if re.match(r"\w+ /(timeseries|statimpute)/", route) else 403 for route in models
    }
    # Not by the registry either, be the key for `admin`.
    registered = [route for route in found if "{model}" in route and needed(route) != ANYBODY]
    assert {route: met(found[route]) for route in registered} == dict.fromkeys(registered, 403)
    assert len(registered) >= 9


def test_a_job_of_another_owner_is_answered_as_if_there_were_none(site: Site) -> None:
    found = asyncio.run(answers(site, "train"))
    of_jobs = [route for route in found if "{job_id}" in route and not route.startswith("GET /console/")]
    assert {route: found[route].status_code for route in of_jobs} == dict.fromkeys(of_jobs, 404)
    assert len(of_jobs) == 6


def test_no_route_is_without_a_scope_and_no_scope_without_a_route(site: Site) -> None:
    rules: Rules = getattr(site.app.state, RULES_STATE)
    assert rules.undeclared == []
    assert set(DECLARATIONS) == set(OWN) <= set(routes(site.app))


def test_the_document_names_the_scope_of_each_operation(site: Site) -> None:
    document = site.app.openapi()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    # The document leaves out what kind of text a part is.
    operations = {
        f"{method.upper()} {path}".replace("{path}", "{path:path}"): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    told = {route: operation["security"] for route, operation in operations.items()}
    scopes = {route: [] if needed(route) == HOLDER else [needed(route)] for route in told}
    assert told == {
        route: [] if needed(route) == ANYBODY else [{"bearer": scopes[route]}, {"key": scopes[route]}] for route in told
    }
    refusals = {route: {"401", "403"} & operation["responses"].keys() for route, operation in operations.items()}
    assert refusals == {route: set() if needed(route) == ANYBODY else {"401", "403"} for route in told}


def test_where_no_key_is_needed_the_document_says_so(tmp_path: Path) -> None:
    paths = closed_app(tmp_path, anonymous=frozenset({Scope.PREDICT})).openapi()["paths"]
    assert {} in paths["/sample_model/predict"]["post"]["security"]
    assert {} in paths["/models"]["get"]["security"]
    assert {} not in paths["/sample_model/train"]["post"]["security"]


def test_on_an_open_loopback_every_route_lets_everybody_in(site: Site) -> None:
    app = closed_app(site.app.state.runtime.settings.storage.state_dir, serve=("sample",), anonymous=None)
    found = asyncio.run(answers(Site(app, {}, site.job_id), "nobody"))
    assert {route: answer.status_code for route, answer in found.items() if answer.status_code in (401, 403)} == {}
