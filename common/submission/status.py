"""How the clusters are, asked at most every few seconds, all of them at once."""

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from common.errors import AtollError
from common.submission.definitions import ClusterView
from common.submission.records import ClusterInfo
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from common.submission.catalogue import Catalogue
    from common.submission.system import TaskSystem

log = get_logger("atoll.tasks")

_FRESH_S = 5.0
# A cluster may take longer; whoever asks for all of them does not wait so long.
_PATIENCE_S = 8.0
_AT_ONCE = 16


class ClusterStates:
    """Of one process.

    Parameters
    ----------
    patience_s : how long an answer is waited for; a cluster that takes longer is told as it is: it has not answered.
    """

    def __init__(self, clusters: "Catalogue", *, patience_s: float = _PATIENCE_S) -> None:
        self._clusters = clusters
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[float, Future[ClusterView]]] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="clusters")

    def of(self, names: Iterable[str]) -> list[ClusterView]:
        """How these clusters are. Blocks, for as long as the slowest takes or patience lasts.

        Raises
        ------
        Invalid
            There is no such cluster.
        """
        until_s = time.monotonic() + self._patience_s
        wanted = [(name, self._ask(name)) for name in names]
        found = []
        for name, future in wanted:
            try:
                found.append(future.result(max(0.0, until_s - time.monotonic())))
            except Late:
                found.append(self._view(name, ClusterInfo("down", "it has not answered yet; ask again")))
        return found

    def _ask(self, name: str) -> "Future[ClusterView]":
        # Unknown ones are refused here, on the caller's thread.
        self._clusters.config(name)
        with self._lock:
            asked_s, future = self._asked.get(name, (0.0, None))
            # One that is still being asked is not asked again.
            if future is None or (future.done() and time.monotonic() - asked_s > _FRESH_S):
                future = self._pool.submit(self._look, name)
                self._asked[name] = (time.monotonic(), future)
            return future

    def _look(self, name: str) -> ClusterView:
        try:
            info = self._clusters.get(name).info()
        except AtollError as exc:
            # A package that is not installed, a secret that is not there.
            info = ClusterInfo("not usable", exc.detail)
        except Exception as exc:  # noqa: BLE001 - the others are told all the same
            log.warning("a cluster cannot be looked at", cluster=name, error=f"{type(exc).__name__}: {exc}"[:300])
            info = ClusterInfo("down", "it cannot be looked at; the log says why")
        return self._view(name, info)

    def _view(self, name: str, info: ClusterInfo) -> ClusterView:
        config = self._clusters.config(name)
        runner = self._clusters.get(name) if info.state not in ("not usable",) else None
        return ClusterView.of(
            name,
            config.title,
            config.kind,
            info,
            takes_arrays=runner is not None and runner.takes_arrays,
            takes_dependencies=runner is not None and runner.takes_dependencies,
        )


_states: "WeakKeyDictionary[TaskSystem, ClusterStates]" = WeakKeyDictionary()
_lock = threading.Lock()


def states_of(system: "TaskSystem") -> ClusterStates:
    """Those of a process's task system."""
    with _lock:
        return _states.setdefault(system, ClusterStates(system.clusters))
