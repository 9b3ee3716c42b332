"""Models that are loaded before they are asked: in this process at once, in every other one within seconds.

What was asked for is a row that each process looks at; whoever finds a new generation loads.
"""

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from common.errors import NotFound
from common.telemetry.logs import get_logger
from models.scaleout.records import Context

if TYPE_CHECKING:
    from models.scaleout.system import ScaleoutSystem

log = get_logger("atoll.scaleout")

# What the system before this one came with; known before a run is.
BASES = ("gbt", "kmeans", "logisticregression", "mpc")
_EVERY_S = 2.0


def plain(name: str) -> str:
    """A name without what people write differently: `Logistic-Regression` is `logisticregression`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


class Preloads:
    """What this process has loaded."""

    def __init__(self, system: "ScaleoutSystem") -> None:
        self._system = system
        self._lock = threading.Lock()
        self._loaded: dict[str, int] = {}

    def known(self) -> dict[str, list[str]]:
        """The names that may be asked for, each with the algorithms that it stands for."""
        found: dict[str, list[str]] = {name: [] for name in BASES}
        for algorithm in self._system.store.algorithms():
            found.setdefault(plain(algorithm), []).append(algorithm)
        return found

    def ask(self, name: str) -> dict[str, Any]:
        """Load a model here, and have every process load it; what was loaded: `graph` is the version that serves.

        Raises
        ------
        NotFound
            Nobody knows the name; names those that are known.
        """
        found = self.known().get(plain(name))
        if found is None:
            names = ", ".join(sorted(self.known()))
            raise NotFound(f"no model {name[:80]!r} is known; those that are: {names}")
        generation = self._system.store.ask_preload(plain(name))
        return {"base_name": name, "generation": generation, **self._load(plain(name), generation)}

    def follow(self) -> None:
        """Load what others were asked for since this process looked last."""
        for name, generation in self._system.store.preloads().items():
            if self._loaded.get(name) != generation:
                self._load(name, generation)

    def _load(self, name: str, generation: int) -> dict[str, Any]:
        from models.scaleout import serving

        serving.load()
        planner, runs, models = self._system.planner, 0, []
        for algorithm in self.known().get(name, []):
            history = planner.history(Context("", algorithm))
            model = planner.curves(history)
            planner.look_up(history)
            runs += len(history.runs)
            models += [] if model is None else [model.name]
        with self._lock:
            self._loaded[name] = generation
        graph = serving.served_now()
        told = {"runs": runs, "models": models, "graph": None if graph is None else graph.name}
        log.info("preloaded", base_name=name, **told)
        return told


def begin_following(system: "ScaleoutSystem") -> None:
    """Follow what is asked for, on a thread of this process, as long as its app is there."""
    threading.Thread(target=_follow, args=(ref(system),), name="scaleout-preloads", daemon=True).start()


def _follow(of: "ref[ScaleoutSystem]") -> None:
    waiting = threading.Event()
    while not waiting.wait(_EVERY_S):
        system = of()
        if system is None:
            return
        try:
            # Nobody has asked for anything where there is no table: then no job system is opened either.
            if system.is_open or _is_used(system.settings.database_url):
                system.preloads.follow()
        except Exception as exc:  # noqa: BLE001 - the database is away; requests say so
            log.warning("what is to be preloaded cannot be read", error=type(exc).__name__)
        del system


def _is_used(url: str) -> bool:
    """Whether the plugin's tables are there; asks a database that is there already, and makes none."""
    if url.startswith("sqlite"):
        file = Path(url.partition("///")[2])
        # Before SQLAlchemy is brought: most processes never see a run.
        if not file.exists():
            return False
    import sqlalchemy as sa

    from common.database import Database

    database = Database(url, pool_size=1)
    try:
        return database.read(lambda connection: sa.inspect(connection).has_table("scaleout_preloads"))
    finally:
        database.close()
