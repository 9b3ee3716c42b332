"""Which graph model answers in this process, and what it forecasts of a run; or why it cannot.

Whoever asks names what it falls back to: `forecasts` gives None with a reason, never an error.
"""

import threading
import traceback
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import ModelUnavailable
from common.registry.held import Held
from common.telemetry.logs import get_logger
from models.scaleout.artefact import FILES, read
from models.scaleout.records import Application, Forecast

if TYPE_CHECKING:
    from models.scaleout.graph.history import History
    from models.scaleout.graph.model import Coming, GraphModel

log = get_logger("atoll.scaleout")

_KEPT = 64
# Beyond, a forecast takes longer than a listener should wait: 33 take some 20 ms.
MOST_CANDIDATES = 128
NO_MODEL = "no graph model has been trained yet: POST /scaleout/train"


@dataclass(frozen=True, eq=False)
class Served:
    """A model that answers.

    Parameters
    ----------
    name : number of the version in the registry.
    digest : of its files: equal for equal answers.
    """

    name: str
    digest: str
    model: "GraphModel"


_lock = threading.Lock()
_served: Served | None = None
_histories: "OrderedDict[object, History]" = OrderedDict()


def served_now() -> Served | None:
    """What serves in this process; None where nothing was published."""
    return _served


def serve_version(held: Held) -> None:
    """Let another version serve, once it is open; what served before goes on where it cannot be.

    Raises
    ------
    ModelUnavailable
    """
    global _served
    opened = None
    if held.number is not None:
        missing = [name for name in FILES if name not in held.artefacts]
        if missing:
            raise ModelUnavailable(f"version {held.number} of scaleout has no {', '.join(missing)}")
        opened = open_files(str(held.number), {name: held.path(name) for name in FILES})
    with _lock:
        _served = opened


def serve(held: Held) -> None:
    """As `serve_version`; but a process whose first version is broken begins without: events have to be recorded."""
    try:
        serve_version(held)
    except Exception as exc:
        if _served is not None:
            raise
        log.error("no graph model serves: the version cannot be opened", number=held.number, error=str(exc))


def load() -> None:
    """Bring what the first forecast needs."""
    import scipy.optimize  # noqa: F401

    import models.scaleout.graph.model  # noqa: F401


def open_files(name: str, files: Mapping[str, Path]) -> Served:
    """Raises ModelUnavailable."""
    model = read(files)
    digest = sha256(b"".join(sha256(files[file].read_bytes()).digest() for file in FILES)).hexdigest()[:16]
    return Served(name, digest, model)


@dataclass(frozen=True)
class Forecasts:
    """Of one run, for all candidates at once; its methods are what `decide` asks for.

    Attributes
    ----------
    version : of the model.
    """

    candidates: tuple[int, ...]
    coming: "Coming"
    version: str

    @property
    def model(self) -> str:
        """The name of what predicts."""
        return self.coming.remaining[0].model

    def remaining(self, scale_outs: Sequence[int]) -> list[Forecast]:
        """The time that is left. Raises KeyError for a scale-out that is no candidate."""
        at = self._places()
        return [self.coming.remaining[at[scale_out]] for scale_out in scale_outs]

    def by_job(self, scale_out: int) -> list[tuple[int, float]]:
        """(job id, seconds) of each job to come. Raises KeyError."""
        column = self.coming.job_s[:, self._places()[scale_out]]
        return [(job_id, float(seconds)) for job_id, seconds in zip(self.coming.job_ids, column, strict=True)]

    def _places(self) -> dict[int, int]:
        return {candidate: place for place, candidate in enumerate(self.candidates)}


def forecasts(
    runs: Sequence[Application],
    run: Application,
    candidates: Sequence[int],
    *,
    current: int | None = None,
    key: object = None,
) -> tuple[Forecasts | None, str]:
    """What the graph model says of a run, or None and the reason in a few words.

    Parameters
    ----------
    runs : finished ones of the same algorithm.
    run : with the jobs that have ended; none of them for a run that has not begun.
    candidates : scale-outs to choose from.
    current : executors now.
    key : equal for equal `runs`: what is made of them is kept under it.
    """
    served = _served
    if served is None:
        return None, NO_MODEL
    if len(candidates) > MOST_CANDIDATES:
        return (
            None,
            f"the graph model answers for {MOST_CANDIDATES} scale-outs at most, and {len(candidates)} are asked",
        )
    from models.scaleout.graph.coming import TooLittleHistory

    try:
        coming = served.model.coming(_history(runs, key), run, candidates, current)
    except TooLittleHistory as exc:
        return None, str(exc)
    # A listener waits, and a simpler model can answer: whatever this one meets in what was recorded.
    except Exception as exc:  # noqa: BLE001
        # No traceback: with all the runs in it, it would take longer to write than the listener waits.
        place = traceback.extract_tb(exc.__traceback__)[-1]
        log.error("the graph model cannot answer", execution_id=run.execution_id, error=repr(exc), place=str(place))
        return None, f"the graph model failed: {type(exc).__name__}"
    return Forecasts(tuple(candidates), coming, served.name), ""


def _history(runs: Sequence[Application], key: object) -> "History":
    from models.scaleout.graph.history import History

    if key is None:
        return History(runs)
    with _lock:
        found = _histories.get(key)
        if found is not None:
            _histories.move_to_end(key)
            return found
    made = History(runs)
    with _lock:
        _histories[key] = made
        while len(_histories) > _KEPT:
            _histories.popitem(last=False)
    return made
