"""Routes answered without the framework's search for them and, where they have the usual form, without its steps.

`Authorise` has found the route by the framework's own patterns, so it need not be looked for again. The usual form is
an `async def` with one JSON body, perhaps the request, and query parameters that have defaults. Such a request is read
by pydantic's parser, checked by the same validator, and answered by the same serializer. Whatever is unusual about it
(another content type, a query, a body that does not parse or fit) is left to the framework from the beginning, so there
is one place that words errors. What pydantic's parser takes, the framework's takes too, with the same values: it is the
stricter of the two (no NaN, no lone surrogates, less depth).

Measured in-process with a trivial model, the framework's way costs about 50 microseconds a request more, and its
search for the route 100 more with seven models mounted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response, params
from fastapi._compat import ModelField
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, RouteContext
from pydantic_core import from_json
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.http.written import WrittenJson

# Where the route stands in the scope that a layer before has found; see `Matched`.
MATCHED = "atoll.matched"

_JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Matched:
    """The route that answers a request.

    Parameters
    ----------
    context : the route as it is mounted.
    parameters : of the path, as texts.
    """

    context: RouteContext
    parameters: Mapping[str, str]


class Direct:
    """Pure ASGI, in the place of the framework's router, which it falls back to.

    Parameters
    ----------
    router : the framework's own way, for what no layer before has found.
    overrides : the app's `dependency_overrides`; while there are any, nothing is answered directly.
    """

    def __init__(self, router: ASGIApp, overrides: Mapping[Any, Any]) -> None:
        self._router = router
        self._overrides = overrides
        self._forms: dict[int, tuple[RouteContext, _Form | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        matched: Matched | None = scope.get(MATCHED)
        if matched is None or scope["type"] != "http" or not isinstance(matched.context.original_route, Route):
            await self._router(scope, receive, send)
            return
        context = matched.context
        scope["route"], scope["endpoint"] = context.original_route, context.endpoint
        scope["path_params"] = {
            name: context.param_convertors[name].convert(value) for name, value in matched.parameters.items()
        }
        form = self._form(context)
        if form is None or scope["query_string"] or self._overrides or not _is_json(scope):
            await context.app(scope, receive, send)
            return
        messages, body = await _read(receive)
        values = form.read(body)
        if values is None:
            # From the beginning: what was read is given again.
            await context.app(scope, _again(messages, receive), send)
            return
        response = await form.call(values, _ReadRequest(scope, receive, send, body))
        await response(scope, receive, send)

    def _form(self, context: RouteContext) -> "_Form | None":
        # The context is kept, so that its identity is nobody else's.
        known = self._forms.get(id(context))
        if known is None:
            known = self._forms[id(context)] = (context, _Form.of(context))
        return known[1]


class _ReadRequest(Request):
    """A request whose body has been read; `receive` gives what comes after it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        super().__init__(scope, receive, send)
        self._read = body

    async def body(self) -> bytes:
        return self._read


@dataclass(frozen=True, slots=True)
class _Form:
    """A route of the usual form."""

    endpoint: Callable[..., Any]
    body: ModelField
    body_name: str
    request_name: str | None
    defaults: tuple[ModelField, ...]
    before: tuple[Callable[[], Any], ...]
    answer: ModelField | None
    answer_options: Mapping[str, Any]

    @classmethod
    def of(cls, context: RouteContext) -> "_Form | None":
        """The form of a route; None where it is not the usual one."""
        if not isinstance(context.original_route, APIRoute):
            return None
        dependant: Dependant = context.dependant
        field = context.body_field
        own = getattr(type(context.original_route), "get_route_handler", None) is APIRoute.get_route_handler
        # Defaults that the framework holds apart from what an author has chosen.
        is_plain = isinstance(context.response_class, DefaultPlaceholder) and context.status_code is None
        usual = (
            own
            and is_plain
            and isinstance(field, ModelField)
            and not isinstance(field.field_info, params.Form)
            and not context._embed_body_fields
            and context.max_body_size is None
            and context.stream_item_field is None
            and not context.is_json_stream
            and len(dependant.body_params) == 1
            and not (dependant.path_params or dependant.header_params or dependant.cookie_params)
            and not any(parameter.field_info.is_required() for parameter in dependant.query_params)
            and not (
                dependant.websocket_param_name
                or dependant.http_connection_param_name
                or dependant.response_param_name
                or dependant.background_tasks_param_name
                or dependant.security_scopes_param_name
            )
            and iscoroutinefunction(dependant.call)
            and all(map(_asks_nothing, dependant.dependencies))
        )
        if not usual or dependant.call is None:
            return None
        return cls(
            endpoint=dependant.call,
            body=field,
            body_name=dependant.body_params[0].name,
            request_name=dependant.request_param_name,
            defaults=tuple(dependant.query_params),
            before=tuple(found.call for found in dependant.dependencies if found.call is not None),
            answer=context.response_field,
            answer_options={
                "include": context.response_model_include,
                "exclude": context.response_model_exclude,
                "by_alias": context.response_model_by_alias,
                "exclude_unset": context.response_model_exclude_unset,
                "exclude_defaults": context.response_model_exclude_defaults,
                "exclude_none": context.response_model_exclude_none,
            },
        )

    def read(self, body: bytes) -> dict[str, Any] | None:
        """The arguments that a body makes; None where the framework has to look at it."""
        try:
            given = from_json(body, allow_inf_nan=False)
        except ValueError:
            return None
        if given is None:
            return None
        value, errors = self.body.validate(given, {}, loc=("body",))
        if errors:
            return None
        values = {self.body_name: value}
        for field in self.defaults:
            values[field.name] = field.get_default()
        return values

    async def call(self, values: dict[str, Any], request: Request) -> Response:
        for ready in self.before:
            await ready()
        if self.request_name is not None:
            values[self.request_name] = request
        result = await self.endpoint(**values)
        if isinstance(result, Response):
            return result
        if self.answer is None:
            # A route that declares no type answers whatever it returns.
            return JSONResponse(jsonable_encoder(result))
        value, errors = self.answer.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors=errors, body=result)
        return WrittenJson(self.answer.serialize_json(value, **self.answer_options))


def _asks_nothing(dependant: Dependant) -> bool:
    """Whether a dependency is a coroutine function without arguments, called for its refusal alone."""
    return iscoroutinefunction(dependant.call) and not (
        dependant.dependencies
        or dependant.path_params
        or dependant.query_params
        or dependant.header_params
        or dependant.cookie_params
        or dependant.body_params
        or dependant.request_param_name
        or dependant.response_param_name
        or dependant.http_connection_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    )


def _is_json(scope: Scope) -> bool:
    given = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(given) == 1 and given[0] == _JSON


async def _read(receive: Receive) -> tuple[list[Message], bytes]:
    """The messages of a body, and the body, as far as it came."""
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            # The client is gone: an empty body is not read, and the framework sees why.
            return messages, b""
        if not message.get("more_body", False):
            return messages, b"".join(part.get("body", b"") for part in messages)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """The messages once more, then what comes."""
    left = iter(messages)

    async def give() -> Message:
        for message in left:
            return message
        return await receive()

    return give
