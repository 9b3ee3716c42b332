"""`/console/help`: the docs as pages, built by `make docs`. Where they are not built, it says how to build them.

The tool that builds them (MkDocs Material) writes small scripts into its pages, so these have a policy of their own:
each script is allowed by its digest, and no other one. Its scripts set styles as attributes, so styles are not held to
files. Nothing is asked of another origin.
"""

import base64
import hashlib
import mimetypes
import re
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from common.console.policy import ASK_AGAIN, PAGE_HEADERS
from common.console.render import HELP_MISSING, MISSING, render
from common.http.content import Content
from common.settings import CHECKOUT

router = APIRouter(include_in_schema=False)

SITE = CHECKOUT / "build" / "site"
_HTML = "text/html; charset=utf-8"
_TYPES = {".html": _HTML, ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
# A script in the page: no address, and no type that would make it data.
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def policy(body: bytes) -> str:
    """The policy of a page: its own scripts by their digests. Pure."""
    digests = {base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _SCRIPT.findall(body)}
    scripts = " ".join(["'self'", *(f"'sha256-{found}'" for found in sorted(digests))])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def file_of(site: Path, path: str) -> Path | None:
    """The file of an address below the site; None where there is none, or it would lie elsewhere."""
    if "\0" in path or "\\" in path:
        return None
    found = (site / (path or "index.html")).resolve()
    if not found.is_relative_to(site.resolve()) or not found.is_file():
        return None
    return found


@lru_cache(maxsize=256)
def _read(path: Path, _changed_ns: int) -> tuple[Content, str]:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Content.of(body, kind), policy(body if kind == _HTML else b"")


def answer(request: Request, site: Path, path: str) -> Response:
    """The file at an address, or a page that says why there is none (404)."""
    found = file_of(site, path)
    if found is not None:
        content, allowed = _read(found, found.stat().st_mtime_ns)
        return content.answer(request, {**PAGE_HEADERS, "Content-Security-Policy": allowed, "Cache-Control": ASK_AGAIN})
    is_built = (site / "index.html").is_file()
    content = render(MISSING if is_built else HELP_MISSING)
    told = content.answer(request, PAGE_HEADERS)
    if told.status_code == 200:
        told.status_code = 404
    return told


@router.get("/console/help")
async def start() -> Response:
    # The pages refer to each other by relative addresses.
    return RedirectResponse("/console/help/", status_code=308)


@router.get("/console/help/{path:path}")
async def page(request: Request, path: str) -> Response:
    return await run_in_threadpool(answer, request, SITE, path)
