"""Kept rows on the share: `samples/<model>.<digest>/<number>/<time>-<rows>-<id>.npz`, a table of columns each.

NumPy's own format, without pickle: a column an array, which `numpy.load` opens, and `pandas.DataFrame(dict(…))` shows.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from common.clock import new_id
from common.registry.drift import columns
from common.storage.share import FileInfo, FileMissing, Share
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from common.registry.drift.columns import Array

log = get_logger("atoll.registry")

FOLDER = "samples"
# When a row was answered: seconds since 1970.
AT = "at"
_STAMP = "%Y%m%dT%H%M%S"
_FILE = re.compile(r"(\d{8}T\d{6})-(\d{1,9})-[0-9a-z-]+\.npz")
# More files of a version than that are made one: each is a round trip to the share.
_MANY_FILES = 24
_LARGEST_FILE, _LARGEST_TABLE = 64 << 20, 512 << 20
# What NumPy and zipfile raise for bytes that are no such file.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    KeyError,
    EOFError,
    AttributeError,
    TypeError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True)
class SampleFile:
    """Rows of a version that a process wrote at once."""

    path: str
    number: int
    rows: int
    size_bytes: int
    written_at: datetime


@dataclass(frozen=True)
class Table:
    """Rows of a version.

    Parameters
    ----------
    columns : (n_rows,) each; `AT` is not among them.
    at : (n_rows,) seconds since 1970.
    damaged : files that could not be read.
    """

    columns: "Mapping[str, Array]"
    at: "Array"
    damaged: int = 0

    @property
    def rows(self) -> int:
        return int(self.at.size)


def folder_of(model: str, number: int | None = None) -> str:
    """The digest keeps names apart that differ in case alone, which some shares take for the same."""
    digest = blake2b(model.encode(), digest_size=4).hexdigest()
    return f"{FOLDER}/{model}.{digest}" + ("" if number is None else f"/{number}")


def pack(table: "Mapping[str, Array]") -> bytes:
    """Columns as bytes: float32 numbers, texts, and float64 times."""
    packed = io.BytesIO()
    arrays = {name: column if _is_exact(name, column) else _small(column) for name, column in table.items()}
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def unpack(content: bytes) -> "dict[str, Array]":
    """
    Raises
    ------
    ValueError
        These are no columns of equal length.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size_bytes = sum(info.file_size for info in archive.infolist())
        if size_bytes > _LARGEST_TABLE:
            raise ValueError(f"columns of {size_bytes} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            table = {str(name): np.asarray(found[name]) for name in found.files}
    except _DAMAGED:
        raise ValueError("not a file of columns") from None
    if any(column.ndim != 1 or column.dtype.kind not in "biufU" for column in table.values()):
        raise ValueError("not columns of numbers or texts")
    if len({column.size for column in table.values()}) != 1:
        raise ValueError("columns of different lengths, or none")
    return {name: column if column.dtype.kind == "U" else column.astype(np.float64) for name, column in table.items()}


class Samples:
    """The kept rows on a share. All methods block.

    Raises
    ------
    ShareDown
        From every method; ShareFull from those that write.
    """

    def __init__(self, share: Share) -> None:
        self._share = share

    def add(self, model: str, number: int, table: "Mapping[str, Array]", now: datetime) -> int:
        """Write rows as a file; its size in bytes. They have `AT` among them."""
        name = f"{now.astimezone(UTC):{_STAMP}}-{table[AT].size}-{new_id()}.npz"
        return self._share.write(f"{folder_of(model, number)}/{name}", [pack(table)])

    def files(self, model: str, number: int | None = None) -> list[SampleFile]:
        """Newest first."""
        return _parsed(self._share.find(folder_of(model, number)))

    def read(self, model: str, number: int, *, most: int, since: datetime | None = None) -> Table:
        """The newest rows of a version.

        Parameters
        ----------
        most : as many rows at most.
        since : older ones are left out.
        """
        tables, rows, damaged = [], 0, 0
        for file in self.files(model, number):
            if rows >= most or (since is not None and file.written_at < since):
                break
            table = self._open(file)
            if table is None:
                damaged += 1
                continue
            if since is not None:
                recent = table[AT] >= since.timestamp()
                table = {name: column[recent] for name, column in table.items()}
            if table[AT].size:
                tables.append(table)
                rows += table[AT].size
        whole = columns.together(tables)
        at = whole.pop(AT, np.empty(0))
        newest = np.argsort(-at, kind="stable")[:most]
        return Table({name: column[newest] for name, column in whole.items()}, at[newest], damaged)

    def remove(self, model: str, number: int | None = None) -> int:
        """Delete all kept rows of a model or a version; how many files there were."""
        return sum(self._share.delete(info.path) for info in self._share.find(folder_of(model, number)))

    def tidy(
        self,
        wanted: Mapping[str, int],
        exists: Callable[[str, int], bool],
        *,
        now: datetime,
        days: float,
        max_bytes: int,
    ) -> int:
        """Remove rows that are too many, too old, or of nobody; and make few files of many. How many were removed.

        Parameters
        ----------
        wanted : rows to keep of each version, by model.
        exists : whether there is such a version.
        days : after which rows go.
        max_bytes : of a version's files.
        """
        folders = {folder_of(model): model for model in wanted}
        by_version: dict[tuple[str, str], list[FileInfo]] = {}
        gone = 0
        for info in self._share.find(FOLDER):
            place, _, _ = info.path.rpartition("/")
            folder, _, number = place.rpartition("/")
            model = folders.get(folder)
            if model is None or not number.isdecimal() or not exists(model, int(number)):
                gone += self._share.delete(info.path)
            else:
                by_version.setdefault((model, number), []).append(info)
        oldest = now - timedelta(days=days)
        for (model, number), infos in by_version.items():
            files = _parsed(infos)
            kept = within(files, most_rows=wanted[model], most_bytes=max_bytes, oldest=oldest)
            gone += sum(self._share.delete(file.path) for file in files if file not in kept)
            if len(kept) > _MANY_FILES:
                self._merge(model, int(number), kept, wanted[model], oldest)
        return gone

    def _merge(self, model: str, number: int, files: list[SampleFile], most_rows: int, oldest: datetime) -> None:
        """A process that dies in between leaves rows twice, which is no matter in a sample."""
        tables = [table for file in files if (table := self._open(file)) is not None]
        whole = columns.together(tables)
        if AT in whole:
            newest = np.argsort(-whole[AT], kind="stable")[:most_rows]
            newest = newest[whole[AT][newest] >= oldest.timestamp()]
            # The time of the newest one: rows have their own.
            self.add(model, number, {name: column[newest] for name, column in whole.items()}, files[0].written_at)
        for file in files:
            self._share.delete(file.path)

    def _open(self, file: SampleFile) -> "dict[str, Array] | None":
        if file.size_bytes > _LARGEST_FILE:
            return None
        try:
            table = unpack(b"".join(self._share.read(file.path)))
        except FileMissing:
            # Another process tidied up.
            return None
        except ValueError as exc:
            log.warning("kept rows cannot be read", path=file.path, error=str(exc))
            return None
        return table if AT in table else None


def within(files: Iterable[SampleFile], *, most_rows: int, most_bytes: int, oldest: datetime) -> list[SampleFile]:
    """The newest files that have so many rows, or just enough. Pure.

    Parameters
    ----------
    files : newest first.
    oldest : those written before are left out.
    """
    kept: list[SampleFile] = []
    rows = size_bytes = 0
    for file in files:
        size_bytes += file.size_bytes
        if rows >= most_rows or file.written_at < oldest or (size_bytes > most_bytes and kept):
            break
        rows += file.rows
        kept.append(file)
    return kept


def _parsed(infos: Iterable[FileInfo]) -> list[SampleFile]:
    found = []
    for info in infos:
        place, _, name = info.path.rpartition("/")
        told = _FILE.fullmatch(name)
        number = place.rpartition("/")[2]
        if told is not None and number.isdecimal():
            written_at = datetime.strptime(told[1], _STAMP).replace(tzinfo=UTC)
            found.append(SampleFile(info.path, int(number), int(told[2]), info.size_bytes, written_at))
    return sorted(found, key=lambda file: (file.written_at, file.path), reverse=True)


def _is_exact(name: str, column: "Array") -> bool:
    return name == AT or column.dtype.kind == "U"


def _small(column: "Array") -> "Array":
    """As float32 where that says the same; it is half as large."""
    with np.errstate(over="ignore"):
        small = column.astype(np.float32)
    return small if np.array_equal(small.astype(np.float64), column.astype(np.float64), equal_nan=True) else column
