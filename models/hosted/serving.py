"""Hosted models as functions from tensors to tensors: what answers `/hosted/…` and the Open Inference Protocol.

A hosted model is the model `hosted.<tag>` of the registry. Its versions are opened when they are first asked for, and
put out when others need the memory (`common.serving.model_pool`).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from common.errors import ModelUnavailable, NotFound, Unavailable
from common.registry.choose import Chosen, Which, which_of
from common.registry.versions import DEFAULT_ALIAS, Version
from common.serving.cpu import cpu_count
from common.serving.model_pool import ModelPool
from common.settings import Settings, get_settings
from common.telemetry.logs import get_logger
from models.hosted.loading import VersionLoader
from models.hosted.model import HostedModel

if TYPE_CHECKING:
    from common.registry.service import Registry

log = get_logger("atoll.hosted")

PREFIX = "hosted."
# After an alias has moved, requests wait so long for its version; then the one before answers until it is open.
_WAIT_S = 1.0
# The registry is asked before it would have to be asked for a request.
_LOOK_S = 0.4
# Models that were not asked for as long are looked at no more.
_ACTIVE_S = 30.0


class HostedModels:
    """The hosted models of a process.

    Parameters
    ----------
    registry : gives the registry, or None as long as there is none; may block.
    """

    def __init__(
        self,
        registry: "Callable[[], Registry | None]",
        settings: Settings | None = None,
        pool: ModelPool[HostedModel] | None = None,
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._given = pool
        self._opened: Registry | None = None
        # What answered last, by model and alias: it goes on where the next one is not open yet, or cannot be. Versions,
        # not what is open of them: that has to end when the pool puts it out.
        self._served: dict[tuple[str, str], Version] = {}
        self._reasons: dict[str, str] = {}
        self._active: dict[str, float] = {}
        self._looking = threading.Lock()
        self._is_looking = False

    @property
    def pool(self) -> ModelPool[HostedModel]:
        if self._given is None:
            self._given = ModelPool((self._settings or get_settings()).models.pool_bytes)
        return self._given

    async def names(self) -> Sequence[str]:
        """`hosted.<tag>` of each model that has a version."""
        return await asyncio.to_thread(self._names)

    async def versions(self, name: str) -> Sequence[str]:
        """Numbers, ascending. Raises NotFound."""
        _check_name(name)
        return await asyncio.to_thread(self._versions, name)

    async def find(self, name: str, version: str | None = None) -> HostedModel:
        """The model at a version (a number or an alias), or at the one that serves; opened if need be.

        Raises
        ------
        NotFound
        ModelUnavailable
            It cannot be opened, and none before it can answer in its place; the detail says why.
        Unavailable, Busy
            No memory for it now.
        """
        _check_name(name)
        which = which_of(version, None)
        registry = self._opened
        chosen = None if registry is None else registry.choose_known(name, which)
        if chosen is None:
            chosen = await asyncio.to_thread(self._choose, name, which)
        # Not before: names that do not exist are not looked after.
        self._note(name)
        return await self._open_chosen(chosen)

    def known(self, name: str) -> HostedModel | None:
        """The version that serves, where it is open and nothing has to be looked up; else None."""
        registry = self._opened
        if registry is None:
            return None
        chosen = registry.choose_known(name)
        if chosen is None:
            return None
        if name not in self._active:
            self._note(name)
        return self.pool.peek(_key(chosen.version))

    async def open(self, version: Version) -> HostedModel:
        """A version that was chosen already. Raises as `find`."""
        return await self.pool.get(_key(version), self._loader(version))

    async def open_chosen(self, chosen: Chosen) -> HostedModel:
        """The version that a request was given; while it is opened, the one that its alias pointed to before."""
        self._note(chosen.version.model)
        return await self._open_chosen(chosen)

    def reasons(self) -> dict[str, str]:
        """Why a version does not serve that an alias points to, by `hosted.<tag>:<number>`."""
        return dict(self._reasons)

    def open_refs(self) -> frozenset[str]:
        """The versions that are open, as `hosted.<tag>:<number>`; who asks is not counted as using them."""
        return frozenset(str(key).partition(" ")[0] for key in self.pool.keys)

    def forget(self, version: Version) -> None:
        """Let go of a version that was deleted; requests under way are answered."""
        self.pool.forget(_key(version))
        self._reasons.pop(version.ref, None)
        for at, served in list(self._served.items()):
            if served.number == version.number and served.model == version.model:
                del self._served[at]

    async def _open_chosen(self, chosen: Chosen) -> HostedModel:
        version, key = chosen.version, _key(chosen.version)
        found = self.pool.peek(key)
        if found is None:
            before = None if chosen.alias is None else self._served.get((version.model, chosen.alias))
            if before is None or before.number == version.number:
                found = await self._opened_now(version, key)
            else:
                found = await self._opened_soon(version, key)
                if found is None:
                    return await self._opened_now(before, _key(before))
        if self._reasons:
            self._reasons.pop(version.ref, None)
        if chosen.alias is not None and self._served.get((version.model, chosen.alias)) is not version:
            self._now_serves(chosen.alias, version)
        return found

    async def _opened_now(self, version: Version, key: str) -> HostedModel:
        try:
            return await self.pool.get(key, self._loader(version))
        except ModelUnavailable as exc:
            self._reasons[version.ref] = exc.detail
            raise ModelUnavailable(
                f"{version.ref} cannot be served: {exc.detail}", retry_after_s=int(exc.headers.get("Retry-After", "5"))
            ) from exc

    async def _opened_soon(self, version: Version, key: str) -> HostedModel | None:
        """A version that an alias has moved to; None where it is not open yet, or cannot be opened."""
        try:
            loading = asyncio.wrap_future(self.pool.begin(key, self._loader(version)))
            done, _ = await asyncio.wait({loading}, timeout=_WAIT_S)
            if done:
                return loading.result()
            # Nobody may be there any more to hear how it ended.
            loading.add_done_callback(partial(self._ended, version))
        except ModelUnavailable as exc:
            self._reasons[version.ref] = exc.detail
        except Unavailable:
            pass
        return None

    def _ended(self, version: Version, loading: "asyncio.Future[HostedModel]") -> None:
        error = None if loading.cancelled() else loading.exception()
        if isinstance(error, ModelUnavailable):
            self._reasons[version.ref] = error.detail

    def _now_serves(self, alias: str, version: Version) -> None:
        before = self._served.get((version.model, alias))
        self._served[version.model, alias] = version
        if alias == DEFAULT_ALIAS and version.model in (self._settings or get_settings()).models.pinned:
            self.pool.pin(_key(version))
            if before is not None and before.number != version.number:
                self.pool.unpin(_key(before))

    def _loader(self, version: Version) -> VersionLoader:
        registry = self._opened or self._require()
        return VersionLoader(
            version, registry.blobs, _executor(), (self._settings or get_settings()).models.cache_bytes, _key(version)
        )

    def _choose(self, name: str, which: Which) -> Chosen:
        return self._require().choose(name, which)

    def _names(self) -> list[str]:
        registry = self._ask()
        return [] if registry is None else _names_in(registry)

    def _versions(self, name: str) -> list[str]:
        found: list[int] = []
        before: int | None = None
        registry = self._require()
        while page := registry.list_versions(name, before=before):
            found += [version.number for version in page]
            before = page[-1].number
        if not found:
            registry.get_model(name)
        return [str(number) for number in sorted(found)]

    def _require(self) -> "Registry":
        registry = self._ask()
        if registry is None:
            raise NotFound("there is no hosted model yet; POST /hosted/models/{tag} adds one")
        return registry

    def _ask(self) -> "Registry | None":
        registry = self._registry()
        self._opened = registry
        return registry

    def _note(self, name: str) -> None:
        """It is in use: a thread keeps what is known of it fresh, so that requests need not wait for the database."""
        self._active[name] = time.monotonic()
        if not self._is_looking and self._opened is not None:
            with self._looking:
                if not self._is_looking:
                    self._is_looking = True
                    threading.Thread(target=self._look, name="hosted-versions", daemon=True).start()

    def _look(self) -> None:
        waiting = threading.Event()
        while not waiting.wait(_LOOK_S):
            now_s = time.monotonic()
            active = [name for name, used_s in list(self._active.items()) if now_s - used_s < _ACTIVE_S]
            # `known` notes a name only where it is not there: taken out, it comes back with the next request.
            self._active = {name: self._active[name] for name in active if now_s - self._active[name] < _ACTIVE_S / 2}
            if not active:
                with self._looking:
                    self._is_looking = False
                return
            registry = self._opened
            if registry is not None:
                registry.look_again()
            for name in active:
                try:
                    self._choose(name, None)
                except Exception as exc:  # noqa: BLE001 - the database is away, or the model gone: requests say so
                    log.debug("a hosted model cannot be looked at", model=name, reason=str(exc)[:200])


def _names_in(registry: "Registry") -> list[str]:
    return [entry.model for entry in registry.list_models() if entry.model.startswith(PREFIX)]


def _key(version: Version) -> str:
    """Of what is opened: equal content is opened once, whatever registry it is in."""
    return f"{version.ref} {' '.join(sorted(artefact.sha256[:16] for artefact in version.artefacts))}"


def _check_name(name: str) -> None:
    if not name.startswith(PREFIX):
        raise NotFound(f"there is no hosted model {name[:80]!r}")


@lru_cache(maxsize=1)
def _executor() -> ThreadPoolExecutor:
    """Threads for runs that take long; all models share them."""
    return ThreadPoolExecutor(max(1, cpu_count()), thread_name_prefix="hosted")
