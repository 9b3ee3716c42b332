"""`POST …/infer`: an ASGI application of its own, without the web framework's reading and writing of types.

All layers of the app stand before it as before any route: authentication, scopes, limits, request ids, metrics.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from common.errors import BadRequest, UnsupportedMediaType
from common.registry.observe import OWN, observed_as
from common.security.authenticate import principal_of
from common.serving.asked import asked_by
from common.serving.gone import unless_gone
from common.serving.items import Asked
from common.serving.oip.derived import PredictModel
from common.serving.oip.directory import ModelDirectory
from common.serving.oip.reading import HEADER_LENGTH, InferRequest, read_request
from common.serving.tensors import TensorModel, check_inputs

if TYPE_CHECKING:
    from common.serving.tensors import Array

_HEADER_LENGTH = HEADER_LENGTH.lower().encode()
_JSON, _BINARY = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")
_ASKING = frozenset({b"cache-control", b"x-timeout-ms"})
# nginx's status for it; nobody sees it but the log and the metrics.
_CLIENT_CLOSED_REQUEST = 499


class Infer:
    """Pure ASGI, behind a route with `model` and perhaps `version` in its path."""

    def __init__(self, directory: ModelDirectory) -> None:
        self._directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: Mapping[str, str] = scope["path_params"]
        name, version = path["model"], path.get("version")
        principal = principal_of(scope)
        # First: nothing of the body is read for who may not.
        served = self._directory.known(name, principal) if version is None else None
        if served is None:
            served = await self._directory.find(name, principal, version)
        length, asks = None, False
        for key, value in scope["headers"]:
            if key == _HEADER_LENGTH:
                length = value
            elif key in _ASKING:
                asks = True
            elif key == b"content-encoding" and value.lower() != b"identity":
                raise UnsupportedMediaType("the body is compressed; send it as it is, without Content-Encoding")
        asked = read_request(await _body(receive), length)
        served.form.check(asked)
        request = Request(scope, receive)
        answered = await unless_gone(request, _ask(served.model, asked, request, version, asks=asks))
        if answered is None:
            await Response(status_code=_CLIENT_CLOSED_REQUEST)(scope, receive, send)
            return
        found, number = answered
        body, json_length = served.form.write(asked, found)
        headers = [_JSON if json_length is None else _BINARY, (b"content-length", b"%d" % len(body))]
        if json_length is not None:
            headers.append((_HEADER_LENGTH, b"%d" % json_length))
        if number:
            headers.append((b"x-model-version", number.encode("latin-1", "replace")))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts = [body]
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
        body = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise BadRequest("the body did not come whole; send it again")
    return body


async def _ask(
    model: TensorModel | PredictModel, asked: InferRequest, request: Request, version: str | None, *, asks: bool
) -> "tuple[Mapping[str, Array], str]":
    """The outputs, and the version that answered.

    Parameters
    ----------
    asks : headers say how to answer.
    """
    scope = request.scope
    if isinstance(model, PredictModel):
        return await model.answer(asked, scope, version)
    check_inputs(model.inputs, asked.inputs, asked.datatypes)
    if asks:
        how = asked_by(request)
    else:
        client = scope.get("client")
        how = Asked(caller=principal_of(scope).id or (client[0] if client else ""))
    with observed_as(model.name, model.version or OWN):
        found = await model.infer(asked.inputs, how)
    if model.version:
        scope["app"].state.runtime.sampler.offer(model.name, model.version, asked.inputs, found)
    return found, model.version
