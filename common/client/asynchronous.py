"""The client to await: the same methods and flows as `common.client.sync`, where they are described."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from common.client import connection
from common.client.calls import Answer, Call, Emit, Flow, Lost, Sleep
from common.client.flows import Flows, key_place
from common.client.inference import AsyncInferenceCalls
from common.client.model import AsyncModel
from common.client.progress import Progress, showing
from common.client.retry import Policy
from common.client.server_calls import AsyncServerCalls
from common.client.tasks import AsyncTaskCalls
from common.client.view import JobView

T = TypeVar("T")


class AsyncClient(AsyncTaskCalls, AsyncServerCalls, AsyncInferenceCalls):
    """`Client` for asyncio; parameters and errors are the same."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = connection.TIMEOUT_S,
        policy: Policy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = connection.address(url)
        self.flows = Flows(self.url, policy or Policy())
        self._http = httpx.AsyncClient(**connection.options(self.url, key, timeout_s), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def models(self) -> list[dict[str, Any]]:
        return await self.run(self.flows.get("/models"))

    def model(self, name: str) -> AsyncModel:
        return AsyncModel(self, name)

    async def params(self) -> list[dict[str, Any]]:
        return await self.run(self.flows.get("/params"))

    async def datasets(self) -> list[dict[str, Any]]:
        return await self.run(self.flows.get("/datasets"))

    @overload
    async def predict(
        self, model: str, body: Any, *, queued: Literal[False] = False, progress: Progress = False, **control: Any
    ) -> Any: ...

    @overload
    async def predict(self, model: str, body: Any, *, queued: Literal[True], **control: Any) -> "AsyncJob": ...

    async def predict(
        self, model: str, body: Any, *, queued: bool = False, progress: Progress = False, **control: Any
    ) -> Any:
        if queued:
            return AsyncJob(self, await self.run(self.flows.predict_queued(model, body, control)))
        with showing(progress) as on_change:
            return await self.run(self.flows.predict(model, body, control, on_change))

    async def train(self, model: str, body: Any, **control: Any) -> "AsyncJob":
        return AsyncJob(self, await self.run(self.flows.train(model, body, control)))

    async def job(self, job_id: str) -> "AsyncJob":
        return await AsyncJob(self, {"id": job_id}).refresh()

    async def jobs(
        self,
        *,
        state: str | Sequence[str] | None = None,
        kind: str | None = None,
        model: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 100,
    ) -> "AsyncIterator[AsyncJob]":
        flow = self.flows.jobs(since, until, state=state, kind=kind, model=model, owner=owner, limit=page_size)
        async for data in self.iterate(flow):
            yield AsyncJob(self, data)

    @overload
    async def registry(self) -> list[dict[str, Any]]: ...

    @overload
    async def registry(
        self, model: str, version: int | None = None, *, before: int | None = None, limit: int | None = None
    ) -> dict[str, Any]: ...

    async def registry(
        self,
        model: str | None = None,
        version: int | None = None,
        *,
        before: int | None = None,
        limit: int | None = None,
    ) -> Any:
        return await self.run(self.flows.registry(model, version, before, limit))

    async def set_alias(self, model: str, alias: str, version: int) -> dict[str, Any]:
        return await self.run(self.flows.set_alias(model, alias, version))

    async def whoami(self) -> dict[str, Any]:
        return await self.run(self.flows.get("/keys/self"))

    def list_keys(self, *, with_revoked: bool = False) -> AsyncIterator[dict[str, Any]]:
        return self.iterate(self.flows.keys(with_revoked))

    async def key(self, key_id: str) -> dict[str, Any]:
        return await self.run(self.flows.get(key_place(key_id)))

    async def create_key(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        expires_in_days: float | None = None,
    ) -> dict[str, Any]:
        wanted = {"name": name, "scopes": scopes, "models": models, "expires_in_days": expires_in_days}
        return await self.run(self.flows.create_key(expires_at, **wanted))

    async def revoke_key(self, key_id: str) -> dict[str, Any]:
        return await self.run(self.flows.revoke_key(key_id))

    async def run(self, flow: Flow[T]) -> T:
        told: Answer | Lost | None = None
        while True:
            try:
                wanted = flow.send(told)
            except StopIteration as end:
                outcome: T = end.value
                return outcome
            told = await self._do(wanted)

    async def iterate(self, flow: Flow[None]) -> AsyncIterator[Any]:
        told: Answer | Lost | None = None
        while True:
            try:
                wanted = flow.send(told)
            except StopIteration:
                return
            if isinstance(wanted, Emit):
                for item in wanted.items:
                    yield item
            told = await self._do(wanted)

    async def _do(self, wanted: Call | Sleep | Emit) -> Answer | Lost | None:
        if isinstance(wanted, Sleep):
            await asyncio.sleep(wanted.seconds)
        if not isinstance(wanted, Call):
            return None
        try:
            return Answer.of(await self._http.request(**connection.request(wanted)))
        except httpx.RequestError as exc:
            return Lost.of(exc)


class AsyncJob(JobView):
    """`Job` for asyncio."""

    def __init__(self, client: AsyncClient, data: dict[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    async def refresh(self) -> Self:
        await self._client.run(self._client.flows.refresh(self))
        return self

    async def wait(self, timeout_s: float | None = None, progress: Progress = False) -> Self:
        with showing(progress) as on_change:
            await self._client.run(self._client.flows.wait(self, timeout_s, on_change))
        return self

    async def result(self, timeout_s: float | None = None) -> Any:
        return await self._client.run(self._client.flows.result(self, timeout_s))

    def logs(self, *, after: int = 0, follow: bool = False) -> AsyncIterator[dict[str, Any]]:
        return self._client.iterate(self._client.flows.logs(self, after, follow))

    async def trials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._client.run(self._client.flows.get(f"{self.place}/trials"))
        return found

    async def cancel(self) -> Self:
        await self._client.run(self._client.flows.cancel(self))
        return self

    async def retry(self) -> Self:
        await self._client.run(self._client.flows.retry(self))
        return self
