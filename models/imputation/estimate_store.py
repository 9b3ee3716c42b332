"""What this installation has measured, kept in one small file that its processes share."""

import atexit
import contextlib
import logging
import os
import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from common.clock import Clock, SystemClock
from common.locks import Turns
from models.imputation.estimate_law import Law
from models.imputation.spec import Floats

FORMAT = 1
# A file of ours is a few kilobytes.
MOST_BYTES = 100_000
# Quick questions come by the hundred: they are written together.
WRITE_AFTER_S = 1.0
# Measurements that may wait, where the file cannot be written; beyond this the oldest go.
MOST_WAITING = 100

log = logging.getLogger(__name__)

_Mark = tuple[int, int, int] | None


class Timings:
    """The law of cost of an installation. Safe for threads and processes.

    Each process adds its measurements to the file, under a lock, and takes up what others added. A file that is
    damaged, or of other parts, is begun anew; where none can be written the process learns for itself.

    Parameters
    ----------
    path : the file, on a local disk; None to learn in memory alone.
    unit_s : expected seconds for a unit of each part, before anything is measured.
    """

    def __init__(self, path: Path | None, unit_s: Mapping[str, float], clock: Clock | None = None) -> None:
        self._path = path
        self._unit_s = dict(unit_s)
        self._clock = clock or SystemClock()
        self._law = Law.new(list(unit_s.values()))
        self._mark: _Mark = None
        self._waiting: deque[tuple[Floats, float]] = deque(maxlen=MOST_WAITING)
        self._written_s: float | None = None
        self._lock = threading.Lock()
        self._turns = Turns(str(path) if path else None)
        atexit.register(self.write)

    def record(self, units: Floats, seconds: float) -> None:
        """Learn from a question of so many units (n_parts,) of each part that took `seconds` of work."""
        with self._lock:
            self._law = self._law.learnt(units, seconds)
            self._waiting.append((units, seconds))
            now_s = self._clock.monotonic_s()
            if self._written_s is None or now_s - self._written_s >= WRITE_AFTER_S:
                self._written_s = now_s
                self._write()

    def seconds(self, units: Floats) -> float:
        """Seconds of work that a question is expected to take."""
        with self._lock:
            self._take_up()
            return self._law.seconds(units)

    @property
    def count(self) -> int:
        """Measurements behind the law, of all processes."""
        with self._lock:
            self._take_up()
            return self._law.count

    def write(self) -> None:
        """Write what is waiting; done by itself after a while, and when the process ends."""
        with self._lock:
            self._write()

    def _take_up(self) -> None:
        """What others have written since, with what waits here on top."""
        if self._path is None or (mark := _mark(self._path)) == self._mark:
            return
        law = Law.new(list(self._unit_s.values())) if mark is None else _read(self._path, self._unit_s)
        for units, seconds in self._waiting:
            law = law.learnt(units, seconds)
        self._law, self._mark = law, mark

    def _write(self) -> None:
        if self._path is None or not self._waiting:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._turns:
                self._take_up()
                _replace(self._path, _packed(self._law, self._unit_s))
                self._mark = _mark(self._path)
            self._waiting.clear()
        except OSError as exc:
            log.debug("timings of imputation are not kept: %s", exc)


def _packed(law: Law, unit_s: Mapping[str, float]) -> bytes:
    return orjson.dumps(
        {
            "format": FORMAT,
            "unit_s": dict(unit_s),
            "count": law.count,
            "drift": law.drift,
            "mean": law.mean.tolist(),
            "information": law.information.tolist(),
        }
    )


def _read(path: Path, unit_s: Mapping[str, float]) -> Law:
    """The law in the file; a new one where there is none or it is not one of these parts."""
    new = Law.new(list(unit_s.values()))
    try:
        with path.open("rb") as file:
            stored = orjson.loads(file.read(MOST_BYTES))
        if (stored["format"], stored["unit_s"]) != (FORMAT, dict(unit_s)):
            return new
        mean, information = _array(stored["mean"]), _array(stored["information"])
        count, drift = int(stored["count"]), float(_array(stored["drift"]))
        if (mean.shape, information.shape, count >= 0) != (new.mean.shape, new.information.shape, True):
            raise ValueError("wrong shape")
        # Symmetric to the last bit after any arithmetic, and positive definite or this raises.
        information = (information + information.T) / 2
        np.linalg.cholesky(information)
    except FileNotFoundError:
        return new
    except (OSError, ValueError, TypeError, KeyError, np.linalg.LinAlgError) as exc:
        log.warning("%s is damaged (%s); timings of imputation are learnt anew", path.name, exc)
        return new
    return Law(new.expected_s, mean, information, count, drift)


def _array(given: Any) -> Floats:
    found = np.array(given, dtype=np.float64)
    if not np.isfinite(found).all() or np.abs(found).max(initial=0.0) > 1e9:
        raise ValueError("not a finite number")
    return found


def _mark(path: Path) -> _Mark:
    """What changes when the file is replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _replace(path: Path, content: bytes) -> None:
    """Atomic for readers. Not forced to disk: after a power cut it may be damaged, which costs a few measurements."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(partial).unlink()
        raise
