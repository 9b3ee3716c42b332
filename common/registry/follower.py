"""Lets plugins serve the version that `default` points to: at load, and within a second of each change.

A process that has no registry yet opens no database: one is looked for where it would be, and until it is there the
plugin serves what it has of its own. So does one whose database does not answer at its start; later the version that
serves goes on.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import NotFound
from common.registry.held import Held
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from common.registry.service import Registry
    from common.registry.versions import Version
    from common.settings import Settings

log = get_logger("atoll.registry")

# With the half second for which `Registry` trusts what it knows, less than the second within which a change serves.
_EVERY_S = 0.4


class Follower:
    """Follows the default version of one model.

    Parameters
    ----------
    serve : the plugin's `serve_version`.
    registry : gives the registry; None as long as there is none.
    cache : folder of this machine for the plugin.
    """

    def __init__(
        self, model: str, serve: Callable[[Held], None], registry: "Callable[[], Registry | None]", cache: Path
    ) -> None:
        self.model = model
        self._serve = serve
        self._registry = registry
        self._cache = cache
        self._looking = threading.Lock()
        # Numbers; None is what the plugin has of its own.
        self._serves: int | None = None
        self._refused: int | None = None
        self.has_begun = False

    @property
    def number(self) -> int | None:
        """Of the version that serves; None where it is what the plugin has of its own."""
        return self._serves

    def begin(self) -> None:
        """The first look, before the model is loaded. Raises what the plugin raises."""
        with self._looking:
            try:
                version = self._default()
            except Exception as exc:  # whatever a database or a driver raises
                log.warning(
                    "no registry to ask; the model serves what it has of its own", model=self.model, exc_info=exc
                )
                version = None
            self._take(version)
            self.has_begun = True

    def look(self) -> None:
        """Look again, and take another version if there is one; never raises. What serves goes on until then."""
        with self._looking:
            try:
                version = self._default()
                number = None if version is None else version.number
                if number == self._serves or (number is not None and number == self._refused):
                    return
            except Exception as exc:  # as above
                log.warning("the registry does not answer; what serves goes on", model=self.model, exc_info=exc)
                return
            try:
                self._take(version)
            except Exception as exc:  # a person has to look at the version
                self._refused = number
                log.error("version cannot be served", model=self.model, number=number, exc_info=exc)

    def _default(self) -> "Version | None":
        registry = self._registry()
        if registry is None:
            return None
        try:
            return registry.resolve(self.model)
        except NotFound:
            return None

    def _take(self, version: "Version | None") -> None:
        if version is None:
            self._serve(Held(None, self._cache))
        else:
            registry = self._registry()
            assert registry is not None  # noqa: S101 - it gave the version
            digests = {artefact.name: artefact.sha256 for artefact in version.artefacts}
            self._serve(Held(version.number, self._cache, digests, lambda name: registry.path(version, name)))
            log.info("version serves", model=self.model, number=version.number)
        self._serves = None if version is None else version.number
        self._refused = None


class Following:
    """The followers of a process, and the thread that looks for them."""

    def __init__(self, followers: Sequence[Follower]) -> None:
        self.followers = followers
        self._started = threading.Lock()

    def start(self) -> None:
        """Look again and again from now on, once a process."""
        if self.followers and self._started.acquire(blocking=False):
            threading.Thread(target=self._run, name="follow-versions", daemon=True).start()

    def _run(self) -> None:
        waiting = threading.Event()
        while not waiting.wait(_EVERY_S):
            for follower in self.followers:
                if follower.has_begun:
                    follower.look()


class OwnRegistry:
    """The registry of a process that runs no jobs: opened when there is a database, and only to read.

    Parameters
    ----------
    opened : the registry that the process has already, if it has.
    """

    def __init__(self, settings: "Settings", opened: "Callable[[], Registry | None]") -> None:
        self._settings = settings
        self._opened = opened
        self._own: Registry | None = None

    def __call__(self) -> "Registry | None":
        found = self._opened() or self._own
        if found is None and self._exists():
            # Bring SQLAlchemy, which a process without a database does without.
            from common.database import Database
            from common.registry.service import Registry
            from common.storage import Blobs, open_share

            storage = self._settings.storage
            database = Database(self._settings.database_url, pool_size=1)
            # The schema may be older than this code, or not be there yet.
            database.migrate()
            found = self._own = Registry(database, Blobs(open_share(storage), storage.cache_dir))
        return found

    def _exists(self) -> bool:
        url = self._settings.database_url
        return not url.startswith("sqlite") or Path(url.partition("///")[2]).exists()
