"""The share behind any fsspec URL: `webhdfs://`, `abfs://`, `s3://`, `memory://` and whatever else is installed.

fsspec itself is light; the package of a protocol (adlfs for abfs, s3fs for s3) is imported when the share is opened.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from common.errors import AtollError, SettingsError
from common.storage.share import (
    CHUNK_BYTES,
    FileInfo,
    FileMissing,
    NotAFile,
    Share,
    ShareDown,
    check_folder,
    check_path,
    is_partial,
    partial_beside,
    pieces,
)

# Where the protocols say when a file was last written, or which content it is.
_VERSION_KEYS = ("ETag", "etag", "md5", "version_id", "mtime", "LastModified", "last_modified", "modificationTime")


class FsspecShare(Share):
    """Files below the URL's path.

    Object stores show a file when its upload is complete, HDFS while it is written; so a file is written under another
    name, then moved, and its size compared. Where `mv` is a copy (object stores) the copy shows when it is complete.
    """

    def __init__(self, url: str, **options: Any) -> None:
        """
        Parameters
        ----------
        options : for the protocol's file system, e.g. `anon=True` for s3; by default those of fsspec's own
            configuration (`FSSPEC_S3_KEY`, ...) and of the provider's usual environment.

        Raises
        ------
        SettingsError
            The protocol is unknown, or its package is not installed.
        """
        from fsspec.core import url_to_fs

        self.label = _without_credentials(url)
        try:
            self._fs, root = url_to_fs(url, use_listings_cache=False, **options)
        except ImportError as exc:
            raise SettingsError(f"FILE_SHARE={self.label!r} cannot be opened: {exc}") from None
        except (ValueError, TypeError) as exc:
            # Their text may hold the whole address.
            raise SettingsError(
                f"FILE_SHARE={self.label!r} cannot be opened ({type(exc).__name__}): is its protocol one of fsspec's?"
            ) from None
        self._root = root.rstrip("/")

    def read(self, path: str) -> Iterator[bytes]:
        from fsspec.implementations.memory import MemoryFileSystem

        file_path = self._locate(path)
        with self._reporting(path):
            before = self._info(self._fs.info(file_path))
            if isinstance(self._fs, MemoryFileSystem):
                # All its readers share one position.
                yield from pieces([self._fs.cat_file(file_path)], CHUNK_BYTES)
                return
            with self._fs.open(file_path, "rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        # Few protocols hold on to what they opened.
        if self.stat(path) != before:
            raise ShareDown(f"{path!r} was replaced while it was read; read it again")

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        target, partial = self._locate(path), f"{self._root}/{partial_beside(path)}"
        size_bytes = 0
        with self._reporting(path):
            self._make_folder(target)
            file = self._fs.open(partial, "wb")
        try:
            try:
                for chunk in chunks:
                    with self._reporting(path):
                        file.write(chunk)
                    size_bytes += len(chunk)
            finally:
                # Closing completes even an upload that failed: hence the other name.
                with self._reporting(path):
                    file.close()
            with self._reporting(path):
                self._move(partial, target)
                arrived = self._size(target)
            if arrived != size_bytes:
                raise ShareDown(f"{path!r}: {size_bytes} bytes were written, the share has {arrived}; write it again")
        except BaseException:
            with suppress(Exception):
                self._fs.rm_file(partial)
            raise
        return size_bytes

    def stat(self, path: str) -> FileInfo | None:
        try:
            with self._reporting(path):
                self._fs.invalidate_cache()
                found = self._fs.info(self._locate(path))
        except FileMissing:
            return None
        return self._info(found) if found["type"] == "file" else None

    def find(self, folder: str = "") -> list[FileInfo]:
        return sorted(
            (self._info(found) for found in self._find(check_folder(folder)) if not is_partial(found["name"])),
            key=lambda info: info.path,
        )

    def delete(self, path: str) -> bool:
        if self.stat(path) is None:
            return False
        try:
            with self._reporting(path):
                self._fs.rm_file(self._locate(path))
        except FileMissing:
            return False
        return True

    def move(self, path: str, target: str) -> None:
        source, destination = self._locate(path), self._locate(target)
        if self.stat(path) is None:
            raise FileMissing(f"there is no file {path!r} on the share")
        with self._reporting(target):
            self._make_folder(destination)
            self._move(source, destination)

    def sweep(self, older_than_s: float) -> int:
        return self._delete_old("", older_than_s, partial=True)

    def expire(self, folder: str, older_than_s: float) -> int:
        return self._delete_old(check_folder(folder), older_than_s, partial=False)

    def _delete_old(self, folder: str, older_than_s: float, *, partial: bool) -> int:
        gone = 0
        for found in self._find(folder):
            if is_partial(found["name"]) is partial:
                # A protocol that cannot say when (FileNotFoundError: it is gone already) keeps its files.
                with suppress(NotImplementedError, FileNotFoundError):
                    if self._fs.modified(found["name"]).timestamp() < time.time() - older_than_s:
                        self._fs.rm_file(found["name"])
                        gone += 1
        return gone

    def _locate(self, path: str) -> str:
        return f"{self._root}/{check_path(path)}"

    def _find(self, folder: str) -> list[dict[str, Any]]:
        base = f"{self._root}/{folder}".rstrip("/")
        try:
            with self._reporting(folder):
                self._fs.invalidate_cache()
                # Of a path that is a file, `find` gives the file itself.
                found = self._fs.find(base, detail=True).values()
                return [item for item in found if item["name"].rstrip("/") != base]
        except FileMissing:
            return []

    def _make_folder(self, target: str) -> None:
        # Object stores have none, and some would make a bucket of it.
        with suppress(PermissionError):
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)

    def _move(self, source: str, target: str) -> None:
        from fsspec import AbstractFileSystem

        if type(self._fs).mv is AbstractFileSystem.mv:
            # The general one takes * and [ in a path for patterns.
            self._fs.cp_file(source, target)
            self._fs.rm_file(source)
            return
        self._fs.mv(source, target)
        self._fs.invalidate_cache()
        if self._fs.exists(source):
            # HDFS refuses to replace a file, without an error; for a moment there is none.
            self._fs.rm_file(target)
            self._fs.mv(source, target)

    def _size(self, path: str) -> int:
        self._fs.invalidate_cache()
        return int(self._fs.info(path)["size"])

    def _info(self, found: dict[str, Any]) -> FileInfo:
        # memory:// says when a file was made, which changes when it is replaced; once as a time, once as a number.
        told = [_plain(found[key]) for key in (*_VERSION_KEYS, "created") if found.get(key) is not None]
        etag = hashlib.sha256(json.dumps([found["size"], *told]).encode()).hexdigest()[:32]
        path = found["name"].removeprefix(self._root).lstrip("/")
        return FileInfo(path, int(found["size"]), etag)

    @contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise FileMissing(f"there is no file {path!r} on the share") from None
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            raise NotAFile(f"{path!r} is a folder on the share, or lies below a file; choose another name") from None
        except AtollError:
            raise
        except Exception as exc:  # each protocol has errors of its own
            # Not the text: it may hold a URL with a signature.
            raise ShareDown(f"the file share failed at {path!r}: {type(exc).__name__}") from exc


def _plain(value: Any) -> str:
    return str(value.timestamp() if isinstance(value, datetime) else value)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] if parts.password else parts.netloc
    return f"{parts.scheme}://{host}{parts.path}"
