"""The columnar cache of parsed data sets: one folder a content, published by one rename.

`<cache_dir>/<digest>-v<FORMAT>/values.npy` is memory-mapped; `content.json` beside it holds all else. A folder with
that name is complete: it is built under another name and renamed last, so a process killed at any moment leaves at most
a temporary folder. `cache_dir` should be a local disk.
"""

import logging
import os
import re
import shutil
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from models._indicators.parse import Content

if sys.platform != "win32":
    import fcntl

FORMAT = 1
KEEP = 4  # last used folders kept, of all data sets together
LOCK_WAIT_S = 60.0
STALE_S = 900.0  # a temporary folder untouched for so long has no builder any more

_ENTRY = re.compile(r"[0-9a-f]{64}-v[0-9]+")
_TEMPORARY = "tmp-"
_CHUNK_BYTES = 1 << 20

log = logging.getLogger(__name__)


def cached(cache_dir: Path, digest: str, build: Callable[[], Content]) -> Content:
    """The content with this digest, from the cache or, once, from `build`.

    Processes that ask at the same time wait for the first and use what it built. A damaged cache is rebuilt. Where
    `cache_dir` cannot be written, the content is kept in memory and a warning logged.

    Raises:
        DataSetError: from `build`.
    """
    entry = cache_dir / f"{digest}-v{FORMAT}"
    if (content := _open(entry)) is not None:
        return content
    built: Content | None = None
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _exclusive(cache_dir / ".lock"):
            if (content := _open(entry)) is not None:
                return content
            built = build()
            content = _publish(entry, built)
            with suppress(OSError):
                _clean(cache_dir)
            return content
    except OSError as error:
        log.warning("indicator cache not usable, the data set stays in memory: %s", error)
        return build() if built is None else built


def _open(entry: Path) -> Content | None:
    """The content of a cache folder; None where there is none or it is damaged."""
    try:
        check, _, text = (entry / "content.json").read_bytes().partition(b"\n")
        if check != _text_check(text):
            raise ValueError("content.json fails its checksum")
        stored = orjson.loads(text)
        path = entry / "values.npy"
        if (path.stat().st_size, _file_check(path)) != (stored["values_bytes"], stored["values_check"]):
            raise ValueError("values.npy fails its checksum")
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        content = Content(
            countries=tuple(stored["countries"]),
            indicators=tuple(stored["indicators"]),
            years=tuple(stored["years"]),
            values=np.asarray(values),  # a plain view of the map: indexing np.memmap itself is several times slower
            meta={field: tuple(texts) for field, texts in stored["meta"].items()},
            datasets=stored["datasets"],
            country_names=stored["country_names"],
            sids_marks=stored["sids_marks"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        log.warning("indicator cache %s is damaged (%s)", entry.name, error)
        return None
    with suppress(OSError):  # a read-only cache serves as well
        os.utime(entry)  # _clean keeps what was used last
    return content


def _publish(entry: Path, content: Content) -> Content:
    """Write `content` under a temporary name, rename it to `entry` and open it there.

    Raises:
        OSError: the folder cannot be written.
    """
    building = entry.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
    try:
        building.mkdir()
        path = building / "values.npy"
        with path.open("wb") as stream:
            np.save(stream, content.values)
            _flush(stream)
        text = orjson.dumps(
            {
                "countries": content.countries,
                "indicators": content.indicators,
                "years": content.years,
                "meta": content.meta,
                "datasets": content.datasets,
                "country_names": content.country_names,
                "sids_marks": content.sids_marks,
                "values_bytes": path.stat().st_size,
                "values_check": _file_check(path),
            }
        )
        with (building / "content.json").open("wb") as stream:
            stream.write(_text_check(text) + b"\n" + text)
            _flush(stream)
        if entry.exists():  # damaged, or _open would have used it
            entry.rename(damaged := entry.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}"))
            shutil.rmtree(damaged, ignore_errors=True)
        try:
            building.rename(entry)
        except OSError:  # without a lock another process may have been faster: its folder is as good
            if not entry.exists():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return _open(entry) or content


def _clean(cache_dir: Path) -> None:
    """Remove all but the KEEP folders used last, and what killed builders left behind."""
    ages = []
    for path in cache_dir.iterdir():
        if path.name.startswith(_TEMPORARY) and time.time() - path.stat().st_mtime > STALE_S:
            shutil.rmtree(path, ignore_errors=True)
        elif _ENTRY.fullmatch(path.name):
            ages.append((path.stat().st_mtime, path))
    for _, path in sorted(ages, reverse=True)[KEEP:]:
        shutil.rmtree(path, ignore_errors=True)  # who has it mapped keeps the mapping


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file, or go on without after LOCK_WAIT_S: the rename alone keeps the cache whole.

    The kernel frees the lock of a killed process; the wait is bounded for one that hangs.
    """
    if sys.platform == "win32":  # several processes may parse at once; the first to rename wins
        yield
        return
    with path.open("ab") as stream:
        deadline = time.monotonic() + LOCK_WAIT_S
        while time.monotonic() < deadline:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # a file system without locks
                break
        yield


def _flush(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())  # or a power cut could leave the name without the bytes


def _text_check(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)


def _file_check(path: Path) -> int:
    check = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            check = zlib.crc32(chunk, check)
    return check
