"""What the clients do with kept rows of requests, and how far these are from the training."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from common.client.calls import Answer, Call, Flow
from common.client.flows import Flows

_JSON = {"Content-Type": "application/json"}
_CSV = {"Content-Type": "text/csv"}


class DriftCalls(ABC):
    """Part of `Client`."""

    flows: Flows

    @abstractmethod
    def run(self, flow: Flow[Any]) -> Any:
        """Carry a flow to its end."""

    def sampling(self, model: str) -> dict[str, Any]:
        """What is kept of a model's requests, and how many rows there are."""
        return _dict(self.run(self.flows.send(_sampling("GET", model))))

    def set_sampling(
        self,
        model: str,
        fraction: float,
        *,
        drop: Sequence[str] = (),
        texts: Sequence[str] = (),
        max_rows: int | None = None,
    ) -> dict[str, Any]:
        """Keep a share of the rows of a model's requests.

        Parameters
        ----------
        drop : inputs, outputs and columns that are never kept.
        texts : those whose texts are kept, not their lengths alone.
        max_rows : of each version; by default the server's.
        """
        return _dict(self.run(self.flows.send(_set_sampling(model, fraction, drop, texts, max_rows))))

    def clear_sampling(self, model: str) -> None:
        """Keep no more, and delete what was kept."""
        self.run(self.flows.send(_sampling("DELETE", model)))

    def add_snapshot(self, model: str, version: int, csv: bytes) -> dict[str, Any]:
        """Give a version rows that it was trained on: CSV with a header."""
        return _dict(self.run(self.flows.send(_snapshot(model, version, csv))))

    def drift(
        self,
        model: str,
        version: int,
        *,
        against: int | None = None,
        min_rows: int | None = None,
        hours: float | None = None,
    ) -> dict[str, Any]:
        """Compare a version's kept rows with those of its training.

        Parameters
        ----------
        against : another version, with whose kept rows they are compared instead.
        min_rows : that each side must have; by default the server's.
        hours : only rows of the last hours.
        """
        return _dict(self.run(self.flows.send(_drift(model, version, against, min_rows, hours))))


class AsyncDriftCalls(ABC):
    """Part of `AsyncClient`; parameters and errors are those of `DriftCalls`."""

    flows: Flows

    @abstractmethod
    async def run(self, flow: Flow[Any]) -> Any:
        """Carry a flow to its end."""

    async def sampling(self, model: str) -> dict[str, Any]:
        return _dict(await self.run(self.flows.send(_sampling("GET", model))))

    async def set_sampling(
        self,
        model: str,
        fraction: float,
        *,
        drop: Sequence[str] = (),
        texts: Sequence[str] = (),
        max_rows: int | None = None,
    ) -> dict[str, Any]:
        return _dict(await self.run(self.flows.send(_set_sampling(model, fraction, drop, texts, max_rows))))

    async def clear_sampling(self, model: str) -> None:
        await self.run(self.flows.send(_sampling("DELETE", model)))

    async def add_snapshot(self, model: str, version: int, csv: bytes) -> dict[str, Any]:
        return _dict(await self.run(self.flows.send(_snapshot(model, version, csv))))

    async def drift(
        self,
        model: str,
        version: int,
        *,
        against: int | None = None,
        min_rows: int | None = None,
        hours: float | None = None,
    ) -> dict[str, Any]:
        return _dict(await self.run(self.flows.send(_drift(model, version, against, min_rows, hours))))


def _sampling(method: str, model: str) -> Call:
    return Call(method, f"/registry/{quote(model, safe='')}/sampling")


def _set_sampling(model: str, fraction: float, drop: Sequence[str], texts: Sequence[str], max_rows: int | None) -> Call:
    body: dict[str, Any] = {"fraction": fraction, "drop": list(drop), "texts": list(texts)}
    body |= {} if max_rows is None else {"max_rows": max_rows}
    return Call("PUT", f"/registry/{quote(model, safe='')}/sampling", headers=_JSON, body=orjson.dumps(body))


def _snapshot(model: str, version: int, csv: bytes) -> Call:
    return Call("PUT", f"/registry/{quote(model, safe='')}/versions/{version}/snapshot", headers=_CSV, body=csv)


def _drift(model: str, version: int, against: int | None, min_rows: int | None, hours: float | None) -> Call:
    asked = {"against": against, "min_rows": min_rows, "hours": hours}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return Call("POST", f"/registry/{quote(model, safe='')}/versions/{version}/drift" + (f"?{query}" if query else ""))


def _dict(answer: Answer) -> dict[str, Any]:
    value: dict[str, Any] = answer.value
    return value
