"""`/openapi.json`, and `/docs`: Swagger UI from an installed package; no page of ours asks another origin."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from common.errors import NotFound
from common.http import openapi
from common.plugins.record import PluginRecord
from common.routes.catalogue import routes_of
from common.runtime import Runtime

router = APIRouter(include_in_schema=False)

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon.png": "image/png",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Atoll API</title>
<link rel="icon" href="/docs/favicon.png"><link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>
"""
# A file of its own, so that a policy without inline scripts can hold.
_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, docExpansion: "list", tryItOutEnabled: true,
  displayRequestDuration: true, defaultModelsExpandDepth: 0, validatorUrl: null,
});
"""
# Swagger UI writes styles into its elements, and its icons are `data:` URLs.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@lru_cache(maxsize=1)
def _folder() -> Path:
    return Path(str(files("fastapi_offline"))) / "static"


@router.get("/openapi.json")
async def document(request: Request, model: Annotated[str | None, Query(max_length=128)] = None) -> Response:
    """All of it, or what it says of one model's own routes."""
    record = None if model is None else _record_of(request, model)
    part = None if record is None else openapi.Part(record.name, frozenset(map(_path, routes_of(record))))
    # The first call writes it, which takes more than half a second.
    content = await run_in_threadpool(openapi.content, request.app, part)
    return content.answer(request, {"Cache-Control": "no-cache"})


def _path(route: str) -> str:
    return route.partition(" ")[2]


def _record_of(request: Request, model: str) -> PluginRecord:
    runtime: Runtime = request.app.state.runtime
    for record in runtime.records:
        if record.name == model:
            return record
    raise NotFound(f"there is no model {model[:80]!r} here; GET /models lists those that there are")


@router.get("/docs", response_class=HTMLResponse)
async def page() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)


@router.get("/docs/start.js")
async def start() -> Response:
    return Response(_START, media_type="text/javascript")


@router.get("/docs/{name}", response_class=FileResponse)
async def asset(name: str) -> FileResponse:
    if name not in _ASSETS:
        raise NotFound(f"there is no {name[:80]!r} here; the page is /docs")
    return FileResponse(_folder() / name, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=86400"})
