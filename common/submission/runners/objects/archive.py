"""A task's files as one tar.gz on the way there, and what it leaves on the way back."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import IO

from common.submission.records import Package

_CHUNK_BYTES = 1 << 20


def pack(package: Package, target: IO[bytes]) -> None:
    """Write the package as tar.gz: the same files give the same bytes."""
    with (
        gzip.GzipFile(fileobj=target, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for path, file in sorted(package.files.items()):
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755 if path == "run.sh" else 0o644
            if isinstance(file, bytes):
                entry.size = len(file)
                archive.addfile(entry, io.BytesIO(file))
            else:
                with file.open("rb") as source:
                    entry.size = file.stat().st_size
                    archive.addfile(entry, source)


class Damaged(Exception):
    """What a task put back is no archive."""


def unpack(source: IO[bytes], folder: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The plain files below `folder` in a tar.gz stream, by path, each read before the next is asked for.

    Links, devices, and paths that lead anywhere else are left out: a user's program wrote it.

    Raises
    ------
    Damaged
    """
    try:
        with closing(tarfile.open(fileobj=source, mode="r|gz")) as archive:
            for entry in archive:
                path = entry.name.removeprefix("./")
                if not entry.isreg() or not _is_inside(path, folder):
                    continue
                if (file := archive.extractfile(entry)) is not None:
                    yield path, _chunks(file)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as exc:
        raise Damaged(type(exc).__name__) from exc


def _is_inside(path: str, folder: str) -> bool:
    parts = path.split("/")
    return len(parts) > 1 and parts[0] == folder and all(part not in ("", ".", "..") for part in parts)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
