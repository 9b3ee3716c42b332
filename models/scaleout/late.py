"""Events that came while the database was away: kept as files of this machine, and told to it later.

A file is written whole before it gets its name. Merging an event twice changes nothing, so neither a crash between
the two steps nor another process of this machine that does the same can do harm.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from common.clock import new_id
from common.telemetry.logs import get_logger

log = get_logger("atoll.scaleout")

# A job with 1,000 stages is some 500 KB.
MAX_EVENTS = 10_000
_AGAIN_S = 2.0

Tell = Callable[[str, Mapping[str, Any], Sequence[dict[str, Any]]], object]


class Late:
    """The events of this machine that the database does not know yet.

    Parameters
    ----------
    tell : records an event; raises as long as it cannot.
    """

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._lock = threading.Lock()
        self._is_running = False

    def keep(self, execution_id: str, told: Mapping[str, Any], jobs: Sequence[dict[str, Any]]) -> None:
        """Keep an event until the database answers.

        Raises
        ------
        OSError
            The disk takes nothing more, or as many events wait as may.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if len(self._waiting()) >= MAX_EVENTS:
            raise OSError(f"{MAX_EVENTS} events wait for the database already")
        name = new_id()
        written = self._folder / f"{name}.part"
        written.write_bytes(orjson.dumps([execution_id, told, jobs]))
        written.rename(self._folder / f"{name}.json")
        self.begin()

    def begin(self) -> None:
        """Tell what waits, on a thread, until nothing does."""
        with self._lock:
            if self._is_running or not self._waiting():
                return
            self._is_running = True
        threading.Thread(target=self._run, name="late-events", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            if not self.tell_all():
                pause.wait(_AGAIN_S)
            with self._lock:
                if not self._waiting():
                    self._is_running = False
                    return

    def tell_all(self) -> bool:
        """Tell what waits, in its order; whether all could be told."""
        for file in self._waiting():
            try:
                execution_id, told, jobs = orjson.loads(file.read_bytes())
            except FileNotFoundError:
                # Another process was first.
                continue
            except (orjson.JSONDecodeError, ValueError) as exc:
                log.error("an event that was kept cannot be read", file=file.name, exc_info=exc)
                file.rename(file.with_suffix(".broken"))
                continue
            try:
                self._tell(execution_id, told, jobs)
            except Exception as exc:  # noqa: BLE001 - whatever a database raises; it is tried again
                if _is_of_the_event(exc):
                    # It would keep all later ones from being told, for ever.
                    log.error("an event that was kept is refused", file=file.name, error=repr(exc)[:300])
                    file.rename(file.with_suffix(".refused"))
                    continue
                log.warning("events wait for the database", count=len(self._waiting()), error=type(exc).__name__)
                return False
            file.unlink(missing_ok=True)
        return True

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("*.json")) if self._folder.exists() else []


def _is_of_the_event(exc: Exception) -> bool:
    """Whether the event itself is what the database does not take, however often it is asked."""
    from sqlalchemy.exc import DataError, IntegrityError

    return isinstance(exc, DataError | IntegrityError | ValueError | TypeError | LookupError)
