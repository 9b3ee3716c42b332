"""A plugin's `POST …/predict` as a model that takes tensors: rows are put to the route itself, within this process.

So each row is checked, looked up in the cache, computed in common batches and answered as by the route; what `columns`
says makes tensors of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Scope

from common.errors import BY_STATUS, AtollError, Invalid, NotFound, TooLarge
from common.http.direct import MATCHED, Matched
from common.http.problems import from_http_exception, from_validation
from common.http.replay import EXTENSION, Replayed, exchange
from common.plugins.parameters import predict_route, request_model
from common.plugins.record import PluginRecord
from common.security.authenticate import principal_of, refusal_of
from common.security.authorise import decide
from common.security.rules import ADMIN, RULES_STATE, Found, Rules
from common.serving.tensors import TensorSpec
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from common.serving.oip.reading import InferRequest
    from common.serving.tensors import Array

log = get_logger("atoll.serving")

PLATFORM = "atoll_plugin"
# What the caller sends that says how to answer, and nothing of the body or the connection.
_PASSED = frozenset({b"cache-control", b"x-timeout-ms", b"x-request-id", b"accept-language"})
# Of the web framework's own, what a route needs that it puts into the request.
_KEPT = ("type", "asgi", "http_version", "scheme", "client", "server", "app", "fastapi_middleware_astack")


class PredictModel:
    """The `POST …/predict` of a plugin.

    Parameters
    ----------
    path : of the route, as it is mounted.
    rows_at_once : how many rows are put to the route at the same time, where its items go in no common batches.
    """

    platform = PLATFORM
    version = ""

    def __init__(
        self, record: PluginRecord, path: str, route: APIRoute, body: type[BaseModel], rows_at_once: int
    ) -> None:
        from common.serving.oip import columns

        self.record = record
        self.name = record.name
        self.path = path
        self._body = body
        self._rows_at_once = 0 if record.plugin.predict_batch is not None else rows_at_once
        self._query = frozenset(field.alias for field in route.dependant.query_params)
        self._requests = columns.request_columns(body.model_json_schema())
        self._answers = columns.answer_columns(_schema_of(route), is_list=self._requests.is_list)

    @classmethod
    def of(cls, record: PluginRecord, rows_at_once: int) -> "PredictModel | None":
        """The model of a plugin; None where it has no predict route with a definition, or that has no JSON schema."""
        found = predict_route(record.router)
        body = None if found is None else request_model(found[1])
        if found is None or body is None or "{" in found[0]:
            return None
        try:
            return cls(record, record.prefix + found[0], found[1], body, rows_at_once)
        except Exception as exc:  # noqa: BLE001 - whatever a plugin's types do, the others have to be served
            log.error("no tensors can be made of a predict route", model=record.name, reason=f"{exc}"[:300])
            return None

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return self._requests.specs

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._answers.specs

    @property
    def optional(self) -> frozenset[str]:
        """Inputs that may be left out."""
        return self._requests.optional

    def check_version(self, version: str) -> None:
        """Raise NotFound where the route takes no version; which there are is the route's to say."""
        if "version" not in self._query:
            raise NotFound(f"{self.name} has no versions to choose from; leave `versions/{version[:80]}` out")

    async def answer(self, asked: "InferRequest", scope: Scope, version: str | None) -> "tuple[dict[str, Array], str]":
        """The outputs, and the version that answered, as the route names it.

        Parameters
        ----------
        scope : of the request for tensors: whose caller it is.

        Raises
        ------
        AtollError
            What the route answers; with several rows the detail says of which.
        """
        from common.serving.oip.columns import outputs_of, requests_of

        rules: Rules = getattr(scope["app"].state, RULES_STATE)
        found = rules.find(self.path, "POST")
        _check_scope(scope, found)
        parameters = {name: _told(value) for name, value in asked.parameters.items() if name in self._query}
        if version is not None:
            self.check_version(version)
            parameters["version"] = version
        bodies = requests_of(self._requests, asked.inputs, asked.datatypes)
        self._check(bodies, scope)
        contents = [orjson.dumps(body) for body in bodies]
        most = self.record.plugin.max_body_bytes
        if most is not None and (largest := max(map(len, contents))) > most:
            raise TooLarge(f"a row makes a body of {largest} bytes; {self.path} takes at most {most}")
        inner = self._scope(scope, urlencode(parameters, doseq=True), found)
        rows = await self._rows(contents, inner)
        answers = [orjson.loads(row.body) for row in rows]
        return outputs_of(self._answers, answers, asked.outputs), rows[0].headers.get("x-model-version", "")

    def _check(self, bodies: Sequence[Any], scope: Scope) -> None:
        if not bodies:
            raise Invalid("the inputs have no rows; send one or more")
        serving = scope["app"].state.runtime.settings.serving
        if len(bodies) > serving.max_items:
            raise TooLarge(f"{len(bodies)} rows are more than one request may hold; send at most {serving.max_items}")
        estimate = self.record.plugin.estimate
        if estimate is None or not serving.async_after_s:
            return
        try:
            takes_s = sum(estimate(self._body.model_validate(body)) for body in bodies)
        except ValidationError:
            # The route says it better.
            return
        if takes_s > serving.async_after_s:
            raise Invalid(
                f"this takes about {takes_s:.0f} s, longer than an answer here may; send fewer rows, or one to "
                f"POST {self.path} with `Prefer: respond-async`"
            )

    def _scope(self, scope: Scope, query: str, found: Found | None) -> Scope:
        kept = {name: scope[name] for name in _KEPT if name in scope}
        if found is not None and not found.is_partial:
            # Once for all rows.
            kept[MATCHED] = Matched(found.rule.context, found.parameters)
        headers = [(name, value) for name, value in scope["headers"] if name in _PASSED]
        return {
            **kept,
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [*headers, (b"content-type", b"application/json")],
            "state": dict(scope.get("state", {})),
            # Answered here, whatever the route would rather put into a queue.
            "extensions": {EXTENSION: {"principal": principal_of(scope)}},
        }

    async def _rows(self, contents: Sequence[bytes], scope: Scope) -> list[Replayed]:
        if len(contents) == 1:
            return [await _put(contents[0], scope)]
        gate = asyncio.Semaphore(self._rows_at_once or len(contents))

        async def put(number: int, content: bytes) -> Replayed:
            async with gate:
                try:
                    return await _put(content, scope)
                except AtollError as error:
                    error.detail = f"row {number}: {error.detail}"
                    raise

        return await _all([put(number, content) for number, content in enumerate(contents)])


def _check_scope(scope: Scope, found: Found | None) -> None:
    """Refuse a caller to whom the route itself is closed: a plugin may ask more for it than `predict`."""
    principal = principal_of(scope)
    need = ADMIN if found is None else found.rule.need("POST")
    error = decide(principal, need, need.model)
    if error is not None:
        raise error if principal.id else refusal_of(scope, need.told)


async def _all(work: Sequence[Awaitable[Replayed]]) -> list[Replayed]:
    """The outcome of each; the others are given up once one has failed, or nobody waits any more."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _put(content: bytes, scope: Scope) -> Replayed:
    """One request, to the routes of the app; what they raise as the error that it is answered with."""
    # Each its own: the framework writes into it.
    scope = {**scope, "state": dict(scope["state"])}
    router: Callable[..., Awaitable[None]] = scope["app"].router
    try:
        answer = await exchange(router, scope, content)
    except RequestValidationError as exc:
        raise from_validation(Request(scope), exc) from exc
    except HTTPException as exc:
        raise from_http_exception(Request(scope), exc) from exc
    if answer.status >= 300:
        raise BY_STATUS.get(answer.status, AtollError)(_detail_of(answer.body))
    return answer


def _detail_of(body: bytes) -> str | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    told = found.get("detail") if isinstance(found, Mapping) else None
    return told if isinstance(told, str) else None


def _told(value: object) -> object:
    """A parameter as a query has it."""
    return str(value).lower() if isinstance(value, bool) else value


def _schema_of(route: APIRoute) -> Mapping[str, Any] | None:
    if route.response_model is None:
        return None
    schema: Mapping[str, Any] = TypeAdapter(route.response_model).json_schema(mode="serialization")
    return schema
