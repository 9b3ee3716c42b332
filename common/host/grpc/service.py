"""`inference.GRPCInferenceService`: each call answered by the app's route of the same meaning."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import orjson
from starlette.types import ASGIApp

from common.errors import AtollError, Invalid
from common.host.grpc import open_inference_pb2 as pb
from common.host.grpc.calls import Caller, call
from common.host.grpc.messages import body_of, infer_response, metadata_response
from common.http.replay import Replayed
from common.serving.oip.reading import HEADER_LENGTH

NAME = "inference.GRPCInferenceService"
_LENGTH = HEADER_LENGTH.lower()
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    421: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    424: grpc.StatusCode.UNAVAILABLE,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
# Headers of an answer that callers of gRPC see too, as trailing metadata.
_TOLD = ("x-request-id", "x-model-version", "x-cache", "retry-after", "www-authenticate")


class InferenceService:
    """The methods of the service.

    Parameters
    ----------
    server : address and port that are listened on.
    host : a name of this installation, where it answers for named ones only.
    """

    def __init__(self, app: ASGIApp, server: tuple[str, int], *, host: str | None = None, is_tls: bool = False) -> None:
        self._app = app
        self._server = server
        self._host = host
        self._is_tls = is_tls

    def handler(self) -> Any:
        """What a server adds."""
        methods: dict[str, tuple[Any, Any, Any]] = {
            "ServerLive": (self.server_live, pb.ServerLiveRequest, pb.ServerLiveResponse),
            "ServerReady": (self.server_ready, pb.ServerReadyRequest, pb.ServerReadyResponse),
            "ModelReady": (self.model_ready, pb.ModelReadyRequest, pb.ModelReadyResponse),
            "ServerMetadata": (self.server_metadata, pb.ServerMetadataRequest, pb.ServerMetadataResponse),
            "ModelMetadata": (self.model_metadata, pb.ModelMetadataRequest, pb.ModelMetadataResponse),
            "ModelInfer": (self.model_infer, pb.ModelInferRequest, pb.ModelInferResponse),
            "RepositoryIndex": (self.repository_index, pb.RepositoryIndexRequest, pb.RepositoryIndexResponse),
        }
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    _guarded(answer), asked.FromString, answered.SerializeToString
                )
                for name, (answer, asked, answered) in methods.items()
            },
        )

    async def server_live(self, _: Any, context: Any) -> Any:
        found = await self._get(context, "/v2/health/live")
        return pb.ServerLiveResponse(live=found.status == 200)

    async def server_ready(self, _: Any, context: Any) -> Any:
        found = await self._get(context, "/v2/health/ready")
        return pb.ServerReadyResponse(ready=found.status == 200)

    async def model_ready(self, request: Any, context: Any) -> Any:
        found = await self._get(context, _path(request.name, request.version, "/ready"))
        if found.status in (200, 404, 503):
            return pb.ModelReadyResponse(ready=found.status == 200)
        return await _fail(context, found)

    async def server_metadata(self, _: Any, context: Any) -> Any:
        document = orjson.loads((await self._ask(context, "GET", "/v2")).body)
        return pb.ServerMetadataResponse(**document)

    async def model_metadata(self, request: Any, context: Any) -> Any:
        found = await self._ask(context, "GET", _path(request.name, request.version))
        return metadata_response(orjson.loads(found.body))

    async def repository_index(self, request: Any, context: Any) -> Any:
        listed = orjson.loads((await self._ask(context, "POST", "/v2/repository/index")).body)
        models = [item for item in listed if item["state"] == "READY" or not request.ready]
        return pb.RepositoryIndexResponse(models=[pb.RepositoryIndexResponse.ModelIndex(**item) for item in models])

    async def model_infer(self, request: Any, context: Any) -> Any:
        body, length = body_of(request)
        headers = [(_LENGTH.encode(), b"%d" % length)]
        path = _path(request.model_name, request.model_version, "/infer")
        found = await self._ask(context, "POST", path, body, headers)
        context.set_trailing_metadata(_trailing(found))
        told = found.headers.get(_LENGTH)
        is_raw = bool(request.raw_input_contents)
        return infer_response(found.body, None if told is None else int(told), is_raw=is_raw)

    async def _get(self, context: Any, path: str) -> Replayed:
        return await call(self._app, self._caller(context), "GET", path)

    async def _ask(
        self, context: Any, method: str, path: str, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Replayed:
        found = await call(self._app, self._caller(context), method, path, body, headers)
        if found.status != 200:
            await _fail(context, found)
        return found

    def _caller(self, context: Any) -> Caller:
        return Caller(
            context.peer(),
            self._server,
            context.invocation_metadata() or (),
            self._host,
            context.time_remaining(),
            self._is_tls,
        )


def _guarded(answer: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """What cannot be made a request of is refused like one that can."""

    async def guarded(request: Any, context: Any) -> Any:
        try:
            return await answer(request, context)
        except AtollError as error:
            await context.abort(_CODES.get(error.status, grpc.StatusCode.INTERNAL), error.detail)

    return guarded


async def _fail(context: Any, found: Replayed) -> Any:
    try:
        told = orjson.loads(found.body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        told = f"answered {found.status}"
    await context.abort(_CODES.get(found.status, grpc.StatusCode.INTERNAL), told, _trailing(found))


def _trailing(found: Replayed) -> tuple[tuple[str, str], ...]:
    return tuple((name, found.headers[name]) for name in _TOLD if name in found.headers)


def _path(name: str, version: str, end: str = "") -> str:
    for part in (name, version):
        if "/" in part:
            raise Invalid(f"{part[:80]!r} has a slash, which no model and no version has")
    if not name:
        raise Invalid("the name of the model is missing")
    return f"/v2/models/{name}/versions/{version}{end}" if version else f"/v2/models/{name}{end}"
