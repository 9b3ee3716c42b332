"""What the routes of an app share: the store of runs, the planner, the threads that they work on."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from fastapi import Request

from common.runtime import Runtime
from models.scaleout.late import Late

if TYPE_CHECKING:
    from models.scaleout.online import Online
    from models.scaleout.planner import Planner
    from models.scaleout.preload import Preloads
    from models.scaleout.store import RunStore


class ScaleoutSystem:
    """Of one app in this process. Its parts are made at first use, and bring SQLAlchemy and NumPy with them."""

    def __init__(self, runtime: Runtime) -> None:
        self.settings = runtime.settings
        # It goes with the runtime, whose entry below it is.
        self._runtime = ref(runtime)
        self._lock = threading.RLock()
        self._store: RunStore | None = None
        self._planner: Planner | None = None
        self._online: Online | None = None
        self._preloads: Preloads | None = None
        self._is_following = False
        self.late = Late(self.settings.storage.state_dir / "scaleout" / "late", self.record)

    @property
    def runtime(self) -> Runtime:
        found = self._runtime()
        assert found is not None  # noqa: S101 - whoever asks answers a request of its app
        return found

    @property
    def is_open(self) -> bool:
        """Whether the store was used before."""
        return self._store is not None

    @property
    def store(self) -> "RunStore":
        """Blocks at the first call, until the database answers."""
        if self._store is None:
            from models.scaleout.store import RunStore

            with self._lock:
                if self._store is None:
                    self._store = RunStore(self.runtime.jobs.database)
                    # Of an earlier process.
                    self.late.begin()
        return self._store

    @property
    def planner(self) -> "Planner":
        if self._planner is None:
            from models.scaleout.planner import Planner

            with self._lock:
                self._planner = self._planner or Planner(self.store)
        return self._planner

    @property
    def online(self) -> "Online":
        if self._online is None:
            from models.scaleout.online import Online

            with self._lock:
                self._online = self._online or Online(self)
        return self._online

    @property
    def preloads(self) -> "Preloads":
        if self._preloads is None:
            from models.scaleout.preload import Preloads

            with self._lock:
                self._preloads = self._preloads or Preloads(self)
        return self._preloads

    def begin_following(self) -> None:
        from models.scaleout.preload import begin_following

        with self._lock:
            if not self._is_following:
                self._is_following = True
                begin_following(self)

    def record(self, execution_id: str, told: Mapping[str, Any], jobs: Sequence[dict[str, Any]]) -> Mapping[str, Any]:
        """Merge an event into what is known, and tell that; blocks."""
        return self.store.update(execution_id, told, jobs)


def follow_preloads(runtime: Runtime) -> None:
    """Load what is asked for of any process, from now on; once an app, however often it is called."""
    if "http" in runtime.settings.roles:
        system_for(runtime).begin_following()


_systems: WeakKeyDictionary[Runtime, ScaleoutSystem] = WeakKeyDictionary()


def system_of(request: Request) -> ScaleoutSystem:
    """The system of the app that answers the request."""
    return system_for(request.app.state.runtime)


def system_for(runtime: Runtime) -> ScaleoutSystem:
    found = _systems.get(runtime)
    # Setting it is atomic, so of two at once both use the same.
    return found if found is not None else _systems.setdefault(runtime, ScaleoutSystem(runtime))
