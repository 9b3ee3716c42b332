"""`/v2`: what there is, how it is, and `…/infer`."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import Unavailable
from common.http.openapi import problem_answer
from common.runtime import Runtime
from common.security.authenticate import principal_of
from common.serving.oip.definitions import (
    IndexEntry,
    InferAnswer,
    InferBody,
    Live,
    ModelMetadata,
    ModelNames,
    ModelReady,
    Ready,
    ServerMetadata,
)
from common.serving.oip.directory import ModelDirectory, metadata
from common.version import VERSION

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

EXTENSIONS = ("binary_tensor_data", "model_repository(index)")
DIRECTORY_STATE = "tensor_models"

Model = Annotated[str, Path(description="Name, as `GET /v2/models` lists it.")]
Version = Annotated[str, Path(description="Number, or an alias.")]

_MISSING: dict[int | str, dict[str, Any]] = {
    404: problem_answer("No such model or version."),
    422: problem_answer("A name or version cannot be."),
}
_WAITING: dict[int | str, dict[str, Any]] = {503: problem_answer("Not now; `Retry-After` tells when.")}
_INFER: dict[int | str, dict[str, Any]] = {
    400: problem_answer("The body is no JSON, or lengths in it are not its own."),
    413: problem_answer("The body is too large, or has too many rows."),
    415: problem_answer("The body is compressed."),
    424: problem_answer("Something that the answer needs is down."),
    429: problem_answer("Too many requests; `Retry-After` tells when."),
    **_MISSING,
    **_WAITING,
    422: problem_answer("Names, datatypes or shapes are not the model's; `error` says what to send."),
}


@router.get("", summary="Name, version and extensions of the server")
async def server() -> ServerMetadata:
    return ServerMetadata(name="atoll", version=VERSION, extensions=list(EXTENSIONS))


@router.get("/health/live", summary="Is the server alive?")
async def live() -> Live:
    return Live()


@router.get(
    "/health/ready",
    summary="Can all models be asked?",
    responses={503: problem_answer("Some model is loading or unavailable.")},
)
async def ready(request: Request) -> Ready:
    """As `GET /health/ready`, which also tells of each model."""
    runtime: Runtime = request.app.state.runtime
    runtime.start()
    runtime.retry_failed()
    waiting = {record.name: record.reason or record.state for record in runtime.records if not record.is_ready()}
    if waiting:
        told = "; ".join(f"{name}: {reason}" for name, reason in waiting.items())
        raise Unavailable(f"not ready: {told}", retry_after_s=5, extra={"ready": False})
    return Ready()


@router.get("/models", summary="Names of the models")
async def models(request: Request) -> ModelNames:
    found = await _directory(request).listed(principal_of(request))
    return ModelNames(models=[item.name for item in found])


@router.post("/repository/index", summary="The models and their state")
async def index(request: Request) -> list[IndexEntry]:
    """As Triton's clients ask for it."""
    found = await _directory(request).listed(principal_of(request))
    return [IndexEntry(name=item.name, version=item.version, state=item.state, reason=item.reason) for item in found]


@router.get(
    "/models/{model}",
    summary="Inputs and outputs of a model",
    responses=_MISSING | _WAITING,
    response_model=ModelMetadata,
    response_model_exclude_none=True,
)
async def model_metadata(request: Request, model: Model) -> Any:
    return await _metadata(request, model)


@router.get(
    "/models/{model}/versions/{version}",
    summary="Inputs and outputs of a version",
    responses=_MISSING | _WAITING,
    response_model=ModelMetadata,
    response_model_exclude_none=True,
)
async def version_metadata(request: Request, model: Model, version: Version) -> Any:
    return await _metadata(request, model, version)


@router.get("/models/{model}/ready", summary="Can a model be asked?", responses=_MISSING | _WAITING)
async def model_ready(request: Request, model: Model) -> ModelReady:
    """Of models that are loaded when they are first asked for, whether there is one of that name."""
    return await _ready(request, model)


@router.get(
    "/models/{model}/versions/{version}/ready", summary="Can a version be asked?", responses=_MISSING | _WAITING
)
async def version_ready(request: Request, model: Model, version: Version) -> ModelReady:
    return await _ready(request, model, version)


async def infer(model: Model, body: InferBody) -> None:
    """JSON alone, or with binary tensor data after it; the answer likewise, as `binary_data_output` asks for it."""


async def infer_version(model: Model, version: Version, body: InferBody) -> None:
    """As without a version."""


class InferRoute(APIRoute):
    """Documented like any route, and answered by an application of its own.

    Parameters
    ----------
    raw : that application.
    """

    def __init__(self, path: str, endpoint: Any, summary: str, raw: ASGIApp) -> None:
        super().__init__(
            path,
            endpoint,
            methods=["POST"],
            summary=summary,
            tags=["Open Inference Protocol"],
            response_model=InferAnswer,
            response_model_exclude_none=True,
            responses=_INFER,
        )
        self.app = raw

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # The first of all routes; others are not to pay for it.
        if scope["type"] != "http" or not scope["path"].startswith("/v2/"):
            return Match.NONE, {}
        return super().matches(scope)


class _OnFirstUse:
    """Brings NumPy, which a process that is asked for no tensors may do without."""

    def __init__(self, directory: ModelDirectory) -> None:
        self._directory = directory
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._made is None:
            from common.serving.oip.infer import Infer

            self._made = Infer(self._directory)
        await self._made(scope, receive, send)


def include(app: FastAPI) -> None:
    """Mount all of it; `app.state.runtime` has to be there."""
    runtime: Runtime = app.state.runtime
    directory = ModelDirectory(runtime.records, runtime.pool.threads)
    setattr(app.state, DIRECTORY_STATE, directory)
    raw = _OnFirstUse(directory)
    # First: the framework looks at one route after the other.
    app.router.routes[:0] = [
        InferRoute("/v2/models/{model}/infer", infer, "Ask a model", raw),
        InferRoute("/v2/models/{model}/versions/{version}/infer", infer_version, "Ask a version of a model", raw),
    ]
    app.include_router(router)


def _directory(request: Request) -> ModelDirectory:
    found: ModelDirectory = getattr(request.app.state, DIRECTORY_STATE)
    return found


async def _metadata(request: Request, name: str, version: str | None = None) -> Any:
    directory, principal = _directory(request), principal_of(request)
    served = await directory.find(name, principal, version)
    if version is not None and not served.model.version:
        await directory.check_ready(name, principal, version)
    return metadata(served, name, await directory.versions(name, principal))


async def _ready(request: Request, name: str, version: str | None = None) -> ModelReady:
    await _directory(request).check_ready(name, principal_of(request), version)
    return ModelReady(name=name)
