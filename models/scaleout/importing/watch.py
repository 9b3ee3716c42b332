"""Logs that appear in a folder are read once their application has ended.

Spark renames a log when it ends; until then it is left alone. What became of a log is kept with its size and time, in a
file, so that a restart reads nothing again; reading a log twice changes nothing though, since runs are merged.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from common.errors import Invalid
from common.telemetry.logs import get_logger
from models.scaleout.importing.eventlog import read
from models.scaleout.importing.lines import files_of, in_progress, logs_in
from models.scaleout.records import Application

log = get_logger("atoll.scaleout")

EVERY_S = 10.0


@dataclass(frozen=True)
class Looked:
    """What one look at the folder brought.

    Parameters
    ----------
    refused : why, by the name of the log.
    """

    imported: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


class Watch:
    """A folder of event logs.

    Parameters
    ----------
    take : keeps a run; raises where it cannot, and is given the run again at the next look.
    state : the file in which is kept what was read; without one it is known as long as this object is.
    """

    def __init__(self, folder: Path, take: Callable[[Application], object], state: Path | None = None) -> None:
        self._folder = folder
        self._take = take
        self._state = state
        self._read: dict[str, str] = self._remembered()

    def look(self) -> Looked:
        """Read what is new.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        imported, refused = [], []
        for path in logs_in(self._folder):
            stamp = _stamp(path)
            if in_progress(path) or self._read.get(path.name) == stamp:
                continue
            try:
                self._take(read(path))
                imported.append(path.name)
            except (Invalid, OSError) as error:
                # It is looked at again when it changes.
                told = error.detail if isinstance(error, Invalid) else str(error)
                refused.append((path.name, told))
                log.warning("an event log is left out", log=path.name, error=told)
            self._read[path.name] = stamp
            self._remember()
        return Looked(tuple(imported), tuple(refused))

    def follow(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Look again and again until `stop` is set; nothing that goes wrong ends it."""
        is_away = False
        while not stop.is_set():
            try:
                looked = self.look()
                if looked.imported:
                    log.info("event logs are imported", count=len(looked.imported), folder=str(self._folder))
                is_away = False
            except Exception as error:  # noqa: BLE001 - the folder or the database is away; it may come back
                if not is_away:
                    log.warning("event logs cannot be read at present", folder=str(self._folder), error=str(error))
                is_away = True
            stop.wait(every_s)

    def _remembered(self) -> dict[str, str]:
        if self._state is None or not self._state.exists():
            return {}
        try:
            found = orjson.loads(self._state.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return {str(name): str(stamp) for name, stamp in found.items()} if isinstance(found, dict) else {}

    def _remember(self) -> None:
        if self._state is None:
            return
        written = self._state.with_suffix(".part")
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            written.write_bytes(orjson.dumps(self._read))
            written.replace(self._state)
        except OSError as error:
            # The folder may be one to read only. Then a restart reads all again, which changes nothing.
            log.warning("what was imported is not remembered", file=str(self._state), error=str(error))
            self._state = None


def _stamp(path: Path) -> str:
    """Changes when the log does."""
    told = [each.stat() for each in files_of(path)]
    return f"{sum(one.st_size for one in told)}-{max((one.st_mtime_ns for one in told), default=0)}"
