"""`/docs`: Swagger UI from an installed package; no page of ours asks another origin for anything."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from common.errors import NotFound

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
