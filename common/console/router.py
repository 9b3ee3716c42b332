"""`/console…`: pages and their files. Public: a page is an empty shell, and its data is asked for by scope."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from common.console import assets, help_pages, oidc, packages, panels, session, shapes
from common.console.pages import PAGES, Page
from common.console.policy import ASK_AGAIN, FOR_EVER, PAGE_HEADERS
from common.console.render import MISSING, render
from common.errors import NotFound
from common.runtime import Runtime
from common.security.tokens.code_flow import provider

router = APIRouter(include_in_schema=False)
router.include_router(session.router)
router.include_router(oidc.router)
router.include_router(help_pages.router)


@router.get("/console/static/{digest}/{name:path}")
async def static_file(request: Request, digest: str, name: str) -> Response:
    files = await run_in_threadpool(assets.own)
    found = files.files.get(name)
    if found is None:
        raise NotFound(f"the console has no file {name[:80]!r}; its pages begin at /console")
    # Of another version, as while an upgrade is under way: good enough to show a page, but not to keep.
    cached = FOR_EVER if digest == files.digest else ASK_AGAIN
    return found.answer(request, {"Cache-Control": cached})


@router.get("/console/packages/{digest}/{name}")
async def package_file(request: Request, digest: str, name: str) -> Response:
    found = await run_in_threadpool(packages.read, name)
    cached = FOR_EVER if packages.url(name).split("/")[3] == digest else ASK_AGAIN
    return found.answer(request, {"Cache-Control": cached})


@router.get("/console/panels/{model}/{digest}/{name}")
async def panel_file(request: Request, model: str, digest: str, name: str) -> Response:
    runtime: Runtime = request.app.state.runtime
    record = next((one for one in runtime.records if one.name == model), None)
    if record is None:
        raise NotFound(f"there is no model {model[:80]!r} here; GET /models lists those that there are")
    found = await run_in_threadpool(panels.read, record, name)
    return found.answer(request, {"Cache-Control": FOR_EVER if panels.is_current(found, digest) else ASK_AGAIN})


@router.get("/console/shapes/{tag}/world.json")
async def world_shapes(request: Request, tag: str) -> Response:
    runtime: Runtime = request.app.state.runtime
    found = await run_in_threadpool(shapes.world, runtime.settings.storage.cache_dir)
    return found.answer(request, {"Cache-Control": FOR_EVER if tag == shapes.tag() else ASK_AGAIN})


def _shell(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def shell(request: Request) -> Response:
        runtime: Runtime = request.app.state.runtime
        content = await run_in_threadpool(render, page, provider(runtime.settings.oidc))
        return content.answer(request, PAGE_HEADERS)

    return shell


for _page in PAGES:
    router.add_api_route(_page.path, _shell(_page), methods=["GET"], name=_page.path)


# The last one: whatever no page has.
@router.get("/console/{rest:path}")
async def missing(request: Request) -> Response:
    answer = (await run_in_threadpool(render, MISSING)).answer(request, PAGE_HEADERS)
    if answer.status_code == 200:
        answer.status_code = 404
    return answer
