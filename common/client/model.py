"""One model of a server, and all routes that it has of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from common.client.calls import Answer, Call, Flow, Repeat
from common.client.errors import AtollClientError
from common.client.flows import Flows, is_job, split_control
from common.client.routes import place_of
from common.client.uploads import Told, upload

if TYPE_CHECKING:
    from common.client.asynchronous import AsyncClient
    from common.client.sync import Client

# A route is asked again where no answer came and doing it twice is as good as once.
_REPEATED = frozenset({"GET", "PUT", "DELETE"})
_CONTROL = ("idempotency_key", "callback_url", "deadline_s")


class Model:
    """A model by its name; made by `Client.model`.

    A route is named as it stands below the model: `targets`, or `models/{ref}` with `ref="iris"`. Keywords that the
    route does not name stand in the query; `idempotency_key`, `callback_url` and `deadline_s` are control, as in
    `Client.predict`. The answer is what it holds: JSON decoded, text as text, anything else as bytes, and a `Job` where
    the route queues its work.
    """

    def __init__(self, client: "Client", name: str) -> None:
        self._client = client
        self.name = name

    def routes(self) -> list[str]:
        """All of them, with their methods: `GET /imputation/targets`."""
        found: list[str] = self._client.run(routes(self._client.flows, self.name))
        return found

    def get(self, route: str, **parameters: Any) -> Any:
        return self._call("GET", route, None, None, parameters)

    def post(self, route: str, body: Any = None, *, content_type: str | None = None, **parameters: Any) -> Any:
        """Send `body`: what JSON can say; or bytes, of JSON unless `content_type` says otherwise."""
        return self._call("POST", route, body, content_type, parameters)

    def put(self, route: str, body: Any = None, *, content_type: str | None = None, **parameters: Any) -> Any:
        return self._call("PUT", route, body, content_type, parameters)

    def patch(self, route: str, body: Any = None, **parameters: Any) -> Any:
        return self._call("PATCH", route, body, None, parameters)

    def delete(self, route: str, **parameters: Any) -> Any:
        return self._call("DELETE", route, None, None, parameters)

    def upload(
        self,
        file: Path | str,
        *,
        route: str = "uploads",
        resume: str | None = None,
        told: Told | None = None,
        **details: Any,
    ) -> dict[str, Any]:
        """Send a file in parts to a model that takes files, and tell what it has made of it.

        Parameters
        ----------
        resume : id of an upload of the same file that broke off: only the missing parts are sent.
        told : called with how many parts of how many are there.
        details : what else the model wants to know of the file.

        Raises
        ------
        ValueError
            The upload to go on with is one of another file.
        OSError
            The file cannot be read.
        """
        flow = upload_to(self._client.flows, self.name, route, Path(file), details, resume, told)
        made: dict[str, Any] = self._client.run(flow)
        return made

    def _call(self, method: str, route: str, body: Any, content_type: str | None, parameters: Mapping[str, Any]) -> Any:
        flow = call(self._client.flows, self.name, method, route, body, content_type, parameters)
        answer: Answer = self._client.run(flow)
        if is_job(answer):
            from common.client.sync import Job

            return Job(self._client, answer.value)
        return answer.value


class AsyncModel:
    """`Model` for asyncio."""

    def __init__(self, client: "AsyncClient", name: str) -> None:
        self._client = client
        self.name = name

    async def routes(self) -> list[str]:
        found: list[str] = await self._client.run(routes(self._client.flows, self.name))
        return found

    async def get(self, route: str, **parameters: Any) -> Any:
        return await self._call("GET", route, None, None, parameters)

    async def post(self, route: str, body: Any = None, *, content_type: str | None = None, **parameters: Any) -> Any:
        return await self._call("POST", route, body, content_type, parameters)

    async def put(self, route: str, body: Any = None, *, content_type: str | None = None, **parameters: Any) -> Any:
        return await self._call("PUT", route, body, content_type, parameters)

    async def patch(self, route: str, body: Any = None, **parameters: Any) -> Any:
        return await self._call("PATCH", route, body, None, parameters)

    async def delete(self, route: str, **parameters: Any) -> Any:
        return await self._call("DELETE", route, None, None, parameters)

    async def upload(
        self,
        file: Path | str,
        *,
        route: str = "uploads",
        resume: str | None = None,
        told: Told | None = None,
        **details: Any,
    ) -> dict[str, Any]:
        flow = upload_to(self._client.flows, self.name, route, Path(file), details, resume, told)
        made: dict[str, Any] = await self._client.run(flow)
        return made

    async def _call(
        self, method: str, route: str, body: Any, content_type: str | None, parameters: Mapping[str, Any]
    ) -> Any:
        flow = call(self._client.flows, self.name, method, route, body, content_type, parameters)
        answer: Answer = await self._client.run(flow)
        if is_job(answer):
            from common.client.asynchronous import AsyncJob

            return AsyncJob(self._client, answer.value)
        return answer.value


def routes(flows: Flows, name: str) -> Flow[list[str]]:
    found = yield from flows.get("/models")
    one = next((item for item in found if item["name"] == name), None)
    if one is None:
        raise AtollClientError(f"the server has no model {name!r}; it has {', '.join(item['name'] for item in found)}")
    return list(one["routes"])


def call(
    flows: Flows,
    name: str,
    method: str,
    route: str,
    body: Any,
    content_type: str | None,
    parameters: Mapping[str, Any],
) -> Flow[Answer]:
    """Find the route, put the parameters where they belong, and ask."""
    path = place_of((yield from routes(flows, name)), name, method, route)
    control = {key: parameters[key] for key in _CONTROL if key in parameters}
    query = {key: value for key, value in parameters.items() if key not in control and value is not None}
    for key in [key for key in query if f"{{{key}}}" in path]:
        path = path.replace(f"{{{key}}}", quote(str(query.pop(key)), safe=""))
    if "{" in path:
        missing = path.partition("{")[2].partition("}")[0]
        raise AtollClientError(f"{method} {path} wants {missing}; give it as a keyword")
    headers = split_control(control)[0] if method == "POST" else {}
    content: bytes | None = None
    if body is not None:
        content = body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        headers["Content-Type"] = content_type or "application/json"
    repeat = Repeat.ALWAYS if method in _REPEATED else Repeat.UNLESS_SENT
    answer: Answer = yield from flows.send(Call(method, path, query, headers, content, repeat))
    return answer


def upload_to(
    flows: Flows, name: str, route: str, file: Path, details: Mapping[str, Any], resume: str | None, told: Told | None
) -> Flow[dict[str, Any]]:
    place = place_of((yield from routes(flows, name)), name, "POST", route)
    made: dict[str, Any] = yield from upload(flows, place, file, details, resume, told)
    return made
