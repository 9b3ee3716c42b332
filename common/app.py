"""`create_app`: the ASGI app that uvicorn serves and that Azure Functions wraps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import PydanticSerializationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from common import routes
from common.errors import AtollError
from common.http import openapi
from common.http.boundary import RequestBoundary
from common.http.compressed import Compressed
from common.http.cors import Cors
from common.http.direct import Direct
from common.http.guard import Guard
from common.http.headers import SecurityHeaders
from common.http.hosts import AllowedHosts
from common.http.limit import CONTROL_BYTES, CONTROL_PREFIXES, BodyLimit
from common.http.problems import (
    answer_atoll_error,
    answer_half_character,
    answer_http_exception,
    answer_validation_error,
)
from common.http.roles import NoHttp
from common.jobs.parameters import tell_headers
from common.plugins.mount import body_limits, large_bodies, mount_all
from common.plugins.parameters import predict_route
from common.runtime import Runtime
from common.security.anonymous import AnonymousRule, remembering
from common.security.authenticate import Authenticate
from common.security.authorise import Authorise
from common.security.document import tell_scopes
from common.security.limits import Limits, address_of, buckets_of, failures_of
from common.security.rules import Rules
from common.settings import Settings, get_settings
from common.telemetry.logs import get_logger
from common.version import VERSION

log = get_logger("atoll")

_DESCRIPTION = "Many ML models behind one API. `/models` lists what is served here, `/params` what each model asks for."


def create_app(settings: Settings | None = None, *, background: bool = False) -> FastAPI:
    """The app with all plugins mounted; no data is read and no thread started before the lifespan begins.

    Parameters
    ----------
    settings : by default those of the environment.
    background : run queued jobs and timers on threads of this process, as `ATOLL_ROLES` says; the local host does.

    Raises
    ------
    SettingsError
        A setting cannot be used.
    """
    settings = settings or get_settings()
    runtime = Runtime.build(settings)
    anonymous = AnonymousRule.of(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        runtime.start(background=background)
        yield
        # Waits for running jobs.
        await run_in_threadpool(runtime.stop)

    app = FastAPI(
        title="Atoll",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        # Of our own: `common.routes.docs`.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # Newer frameworks make spans of their own, without the jobs, and would double ours.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.runtime = runtime
    runtime.attach(app)
    app.add_exception_handler(AtollError, answer_atoll_error)
    app.add_exception_handler(RequestValidationError, answer_validation_error)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(UnicodeEncodeError, answer_half_character)
    app.add_exception_handler(PydanticSerializationError, answer_half_character)
    # The last one added is the outermost.
    app.add_middleware(Compressed)
    # Files of data sets and what plugins stream have limits of their own.
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.http.max_body_bytes,
        by_prefix=dict.fromkeys(CONTROL_PREFIXES, CONTROL_BYTES) | body_limits(runtime.records),
        exempt=["PUT /datasets/{name}/{file}", *routes.LARGE_BODIES, *large_bodies(runtime.records)],
        full=routes.FULL_BODIES,
        timeout_s=settings.limits.read_timeout_s,
    )
    app.add_middleware(Authorise)
    buckets = buckets_of(settings)
    if buckets is not None:
        app.add_middleware(Limits, buckets=buckets, client=address_of(settings))
    app.add_middleware(
        Authenticate,
        verifiers=lambda: runtime.verifiers,
        admit=remembering(anonymous),
        attempts=failures_of(settings),
    )
    if "http" not in settings.roles:
        app.add_middleware(NoHttp, roles=settings.roles)
    app.add_middleware(Guard)
    app.add_middleware(Cors, origins=settings.http.cors_origins)
    app.add_middleware(AllowedHosts, hosts=settings.http.allowed_hosts)
    app.add_middleware(RequestBoundary)
    app.add_middleware(SecurityHeaders)
    routes.include(app)
    mount_all(app, runtime.records)
    rules = Rules.of(app)
    # In the router's place, within the framework's own middleware.
    app.router.middleware_stack = Direct(app.router.app, app.dependency_overrides)
    for route in rules.undeclared:
        log.error("route without a scope; only `admin` may use it", route=route)
    examples = {
        record.prefix + found[0]: record.plugin.examples
        for record in runtime.records
        if record.plugin.examples and (found := predict_route(record.router))
    }

    def add(document: dict[str, Any]) -> None:
        tell_headers(document)
        tell_scopes(document, rules, anonymous.scopes)

    openapi.complete(app, examples, add)
    return app
