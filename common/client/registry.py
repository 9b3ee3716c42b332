"""What the clients do with the registry of a server, beside listing it and moving an alias."""

from collections.abc import Mapping
from typing import Any

from common.client import registry_flows
from common.client.calls import Answer, Call
from common.client.registry_drift import AsyncDriftCalls, DriftCalls


class RegistryCalls(DriftCalls):
    """Part of `Client`."""

    def rollback(self, model: str, alias: str = "default", *, current: int | None = None) -> dict[str, Any]:
        """Point the alias to what it had before its last move; again, to what it had before that.

        Parameters
        ----------
        current : what it points to now; the server refuses where it does not, so that one call goes back once.
        """
        return self._value(registry_flows.rollback(model, alias, current))

    def promote(
        self,
        model: str,
        version: int | str = "candidate",
        *,
        metric: str,
        direction: str,
        alias: str = "default",
        margin: float = 0.0,
    ) -> dict[str, Any]:
        """Point `alias` to a version, named by number or alias, if its `metric` is at least as good.

        Parameters
        ----------
        direction : `lower` or `higher`, whichever is better.
        margin : how much better it has to be.
        """
        return self._value(registry_flows.promote(model, version, alias, metric, direction, margin))

    def set_traffic(
        self, model: str, weights: Mapping[str, float], *, shadow: str | None = None, shadow_share: float = 1.0
    ) -> dict[str, Any]:
        """Share the requests that name no version between aliases: `{"default": 0.9, "candidate": 0.1}`.

        Parameters
        ----------
        shadow : alias that is shown `shadow_share` of the requests, and answers nobody.
        """
        return self._value(registry_flows.set_traffic(model, weights, shadow, shadow_share))

    def clear_traffic(self, model: str) -> None:
        """Let `default` answer all requests."""
        self.run(self.flows.send(registry_flows.clear_traffic(model)))

    def describe(
        self,
        model: str,
        version: int | None = None,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | list[str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Change the description and the tags of a model, or of one version; what is None stays.

        Parameters
        ----------
        metrics : figures of a version, measured after it was published; others that it has stay.
        """
        return self._value(registry_flows.describe(model, version, description, tags, metrics))

    def delete_version(self, model: str, version: int) -> None:
        """Delete a version that no alias points to."""
        self.run(self.flows.send(registry_flows.delete(model, version)))

    def delete_alias(self, model: str, alias: str) -> None:
        """Delete an alias; its version stays."""
        self.run(self.flows.send(registry_flows.delete(model, alias=alias)))

    def delete_model(self, model: str) -> None:
        """Delete all versions and aliases of a model."""
        self.run(self.flows.send(registry_flows.delete(model)))

    def artefact(self, model: str, version: int, name: str) -> bytes:
        """The bytes of an artefact."""
        answer: Answer = self.run(self.flows.send(registry_flows.artefact(model, version, name)))
        return answer.body

    def _value(self, call: Call) -> dict[str, Any]:
        answer: Answer = self.run(self.flows.send(call))
        value: dict[str, Any] = answer.value
        return value


class AsyncRegistryCalls(AsyncDriftCalls):
    """Part of `AsyncClient`; parameters and errors are those of `RegistryCalls`."""

    async def rollback(self, model: str, alias: str = "default", *, current: int | None = None) -> dict[str, Any]:
        return await self._value(registry_flows.rollback(model, alias, current))

    async def promote(
        self,
        model: str,
        version: int | str = "candidate",
        *,
        metric: str,
        direction: str,
        alias: str = "default",
        margin: float = 0.0,
    ) -> dict[str, Any]:
        return await self._value(registry_flows.promote(model, version, alias, metric, direction, margin))

    async def set_traffic(
        self, model: str, weights: Mapping[str, float], *, shadow: str | None = None, shadow_share: float = 1.0
    ) -> dict[str, Any]:
        return await self._value(registry_flows.set_traffic(model, weights, shadow, shadow_share))

    async def clear_traffic(self, model: str) -> None:
        await self.run(self.flows.send(registry_flows.clear_traffic(model)))

    async def describe(
        self,
        model: str,
        version: int | None = None,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | list[str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        return await self._value(registry_flows.describe(model, version, description, tags, metrics))

    async def delete_version(self, model: str, version: int) -> None:
        await self.run(self.flows.send(registry_flows.delete(model, version)))

    async def delete_alias(self, model: str, alias: str) -> None:
        await self.run(self.flows.send(registry_flows.delete(model, alias=alias)))

    async def delete_model(self, model: str) -> None:
        await self.run(self.flows.send(registry_flows.delete(model)))

    async def artefact(self, model: str, version: int, name: str) -> bytes:
        answer: Answer = await self.run(self.flows.send(registry_flows.artefact(model, version, name)))
        return answer.body

    async def _value(self, call: Call) -> dict[str, Any]:
        answer: Answer = await self.run(self.flows.send(call))
        value: dict[str, Any] = answer.value
        return value
