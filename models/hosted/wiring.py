"""The hosted models of each app of this process: one registry, one pool of open models each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from starlette.types import Scope

from common.http.current import CURRENT_SCOPE
from common.registry.follower import OwnRegistry
from common.runtime import Runtime
from common.serving.tensors import TensorModel
from common.settings import get_settings

if TYPE_CHECKING:
    from models.hosted.serving import HostedModels


class HostedHere:
    """Hosted models for whoever speaks in tensors: those of the app that answers the request under way.

    Outside any request of an app they are those of the settings in the environment, which need no app.
    """

    def __init__(self) -> None:
        self._by_runtime: WeakKeyDictionary[Runtime, HostedModels] = WeakKeyDictionary()
        self._alone: HostedModels | None = None

    def of(self, runtime: Runtime) -> "HostedModels":
        found = self._by_runtime.get(runtime)
        if found is None:
            # On first use: it brings what opens models.
            from models.hosted.serving import HostedModels

            # Setting it is atomic, so of two at once both use the same.
            found = self._by_runtime.setdefault(runtime, HostedModels(lambda: runtime.registry, runtime.settings))
        return found

    async def names(self) -> Sequence[str]:
        return await self._current().names()

    async def versions(self, name: str) -> Sequence[str]:
        return await self._current().versions(name)

    async def find(self, name: str, version: str | None = None) -> TensorModel:
        return await self._current().find(name, version)

    def known(self, name: str) -> TensorModel | None:
        return self._current().known(name)

    def reasons(self) -> Mapping[str, str]:
        """Why versions do not serve that should, by `hosted.<tag>:<number>`."""
        runtime = _runtime_here()
        found = self._alone if runtime is None else self._by_runtime.get(runtime)
        # Where nothing was opened yet, nothing has failed.
        return {} if found is None else found.reasons()

    def open_refs(self, runtime: Runtime) -> frozenset[str]:
        """The versions that are open in this process, as `hosted.<tag>:<number>`."""
        found = self._by_runtime.get(runtime)
        return frozenset() if found is None else found.open_refs()

    def _current(self) -> "HostedModels":
        runtime = _runtime_here()
        if runtime is not None:
            return self.of(runtime)
        if self._alone is None:
            from models.hosted.serving import HostedModels

            settings = get_settings()
            self._alone = HostedModels(OwnRegistry(settings, lambda: None), settings)
        return self._alone


def _runtime_here() -> Runtime | None:
    """That of the app that answers the request under way."""
    scope: Scope | None = CURRENT_SCOPE.get()
    runtime = getattr(scope["app"].state, "runtime", None) if scope and "app" in scope else None
    return runtime if isinstance(runtime, Runtime) else None


hosted = HostedHere()
