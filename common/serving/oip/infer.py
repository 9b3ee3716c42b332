"""`POST …/infer`: an ASGI application of its own, without the web framework's reading and writing of types.

All layers of the app stand before it as before any route: authentication, scopes, limits, request ids, metrics.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from common.errors import BadRequest, UnsupportedMediaType
from common.security.authenticate import principal_of
from common.security.principal import Principal
from common.serving.asked import asked_by
from common.serving.items import Asked
from common.serving.oip.derived import PredictModel
from common.serving.oip.directory import ModelDirectory
from common.serving.oip.reading import HEADER_LENGTH, read_request
from common.serving.tensors import check_inputs

if TYPE_CHECKING:
    from common.serving.tensors import Array

_HEADER_LENGTH = HEADER_LENGTH.lower().encode()
_JSON, _BINARY = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")
_ASKING = frozenset({b"cache-control", b"x-timeout-ms"})
# An answer that takes longer is given up when its caller has gone; most have been given by then.
_LOOK_AFTER_S = 0.05
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
        found: Mapping[str, Array]
        with _Watch(receive) as watch:
            model = served.model
            if isinstance(model, PredictModel):
                found, answered = await model.answer(asked, scope, version)
            else:
                check_inputs(model.inputs, asked.inputs, asked.datatypes)
                how = asked_by(Request(scope)) if asks else Asked(caller=_caller(principal, scope))
                found, answered = await model.infer(asked.inputs, how), model.version
        if watch.is_gone:
            await Response(status_code=_CLIENT_CLOSED_REQUEST)(scope, receive, send)
            return
        body, json_length = served.form.write(asked, found)
        headers = [_JSON if json_length is None else _BINARY, (b"content-length", b"%d" % len(body))]
        if json_length is not None:
            headers.append((_HEADER_LENGTH, b"%d" % json_length))
        if answered:
            headers.append((b"x-model-version", answered.encode("latin-1", "replace")))
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


def _caller(principal: Principal, scope: Scope) -> str:
    client = scope.get("client")
    return principal.id or (client[0] if client else "")


class _Watch:
    """Gives up what is done within when the caller goes away: servers do not, and its place in a queue stayed taken.

    Costs a timer; who answers at once needs nobody to look.
    """

    __slots__ = ("_looking", "_receive", "_task", "_timer", "is_gone")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._looking: asyncio.Task[None] | None = None
        self.is_gone = False

    def __enter__(self) -> "_Watch":
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(_LOOK_AFTER_S, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None) -> bool:
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
        if not self.is_gone or kind is not asyncio.CancelledError or self._task is None:
            return False
        self._task.uncancel()
        return True

    def _look(self) -> None:
        self._looking = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        # The body has been read; what still comes can only be that. Some hosts do not tell.
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._task is not None:
            self.is_gone = True
            self._task.cancel()
