"""What the clients ask of a server itself: what it is, how it is, what it has set, who did what, its data sets."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from common.client import server_flows
from common.client.calls import Flow
from common.client.flows import Flows
from common.client.programs import replacing


class ServerCalls(ABC):
    """Part of `Client`."""

    flows: Flows

    @abstractmethod
    def run(self, flow: Flow[Any]) -> Any:
        """Carry a flow to its end."""

    @abstractmethod
    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Do what a flow asks as long as somebody wants its items."""

    def server(self) -> dict[str, Any]:
        """Name, version and links."""
        return _dict(self.run(self.flows.get("/")))

    def openapi(self) -> dict[str, Any]:
        """What all routes take and answer: OpenAPI 3.1."""
        return _dict(self.run(self.flows.get("/openapi.json")))

    def is_live(self) -> bool:
        """Whether the process answers; asked once, and no error where nobody does."""
        return bool(self.run(server_flows.is_well("/health/live")))

    def is_ready(self) -> bool:
        """Whether every model that it is asked to serve has its data; `models` tells why one has not."""
        return bool(self.run(server_flows.is_well("/health/ready")))

    def metrics(self) -> str:
        """Its metrics, in the text format of Prometheus."""
        return str(self.run(server_flows.text(self.flows, "/metrics")))

    def settings(self) -> dict[str, Any]:
        """Its settings, by area, without secrets; needs the scope admin."""
        return _dict(self.run(self.flows.get("/settings")))

    def audit(
        self,
        *,
        who: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
        page_size: int = 100,
    ) -> Iterator[dict[str, Any]]:
        """Who did what, newest first; pages are read as the iteration comes to them. Needs the scope admin.

        Parameters
        ----------
        who : id or name of who did it.
        action : `key.created`, or `key` for all of keys.
        outcome : `done`, `refused` or `failed`.
        after, before : from that time on, and before that time; ISO 8601 if a text.
        """
        flow = server_flows.audit(self.flows, after, before, page_size, who=who, action=action, outcome=outcome)
        return self.iterate(flow)

    def put_dataset_file(self, dataset: str, file: Path | str, *, name: str | None = None) -> dict[str, Any]:
        """Write or replace a file of a data set, whole or not at all; tells its size and SHA-256.

        Parameters
        ----------
        name : of the file in the data set; by default its own.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        return _dict(self.run(server_flows.put_file(self.flows, dataset, Path(file), name)))

    def dataset_file(self, dataset: str, name: str) -> bytes:
        """The bytes of a file of a data set."""
        content: bytes = self.run(server_flows.read_file(self.flows, dataset, name))
        return content

    def download_dataset_file(self, dataset: str, name: str, target: Path | str) -> Path:
        """Write a file of a data set to `target`."""
        with replacing(Path(target)) as part:
            part.write_bytes(self.dataset_file(dataset, name))
        return Path(target)

    def delete_dataset_file(self, dataset: str, name: str) -> None:
        """Delete a file of a data set."""
        self.run(server_flows.delete_file(self.flows, dataset, name))


class AsyncServerCalls(ABC):
    """Part of `AsyncClient`; parameters and errors are those of `ServerCalls`."""

    flows: Flows

    @abstractmethod
    async def run(self, flow: Flow[Any]) -> Any:
        """Carry a flow to its end."""

    @abstractmethod
    def iterate(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """Do what a flow asks as long as somebody wants its items."""

    async def server(self) -> dict[str, Any]:
        return _dict(await self.run(self.flows.get("/")))

    async def openapi(self) -> dict[str, Any]:
        return _dict(await self.run(self.flows.get("/openapi.json")))

    async def is_live(self) -> bool:
        return bool(await self.run(server_flows.is_well("/health/live")))

    async def is_ready(self) -> bool:
        return bool(await self.run(server_flows.is_well("/health/ready")))

    async def metrics(self) -> str:
        return str(await self.run(server_flows.text(self.flows, "/metrics")))

    async def settings(self) -> dict[str, Any]:
        return _dict(await self.run(self.flows.get("/settings")))

    def audit(
        self,
        *,
        who: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[dict[str, Any]]:
        flow = server_flows.audit(self.flows, after, before, page_size, who=who, action=action, outcome=outcome)
        return self.iterate(flow)

    async def put_dataset_file(self, dataset: str, file: Path | str, *, name: str | None = None) -> dict[str, Any]:
        return _dict(await self.run(server_flows.put_file(self.flows, dataset, Path(file), name)))

    async def dataset_file(self, dataset: str, name: str) -> bytes:
        content: bytes = await self.run(server_flows.read_file(self.flows, dataset, name))
        return content

    async def download_dataset_file(self, dataset: str, name: str, target: Path | str) -> Path:
        content = await self.dataset_file(dataset, name)
        with replacing(Path(target)) as part:
            part.write_bytes(content)
        return Path(target)

    async def delete_dataset_file(self, dataset: str, name: str) -> None:
        await self.run(server_flows.delete_file(self.flows, dataset, name))


def _dict(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value
    return found
