"""The file share: one small interface over a mounted directory, an fsspec URL, or Azure Files through its SDK.

::

    AtollError
    ├── Invalid
    │   └── BadPath          422  not a relative path that every backend can hold
    ├── NotFound
    │   └── FileMissing      404
    ├── Conflict
    │   └── NotAFile         409  a folder stands where a file should, or a file where a folder should
    ├── DependencyFailed
    │   └── ShareDown        424  the share does not answer, or refuses
    └── Unavailable
        └── ShareFull        503  no room is left

A write goes to a file beside the target whose name begins with `PARTIAL`, which is then moved over it. How much that
move promises differs (atomic on a local disk and in Azure Files, a copy on object stores), so nothing depends on it:
what must be whole is checked by size and SHA-256 when it is read (`common.storage.blobs`).
"""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import Conflict, DependencyFailed, Invalid, NotFound, Unavailable, shorten

CHUNK_BYTES = 1 << 20
# Begins the name of a file that is still being written; hidden by `find`, refused by `check_path`.
PARTIAL = ".partial-"

_MAX_PART_BYTES = 255
# Azure Files takes 2048 characters with the share's own folder; a file system takes 4096 bytes.
_MAX_PATH_BYTES = 1024
# Control characters, and what Azure Files and Windows cannot hold in a name.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\":|<>*?\ud800-\udfff]')


class BadPath(Invalid):
    """Not a relative path that every backend can hold."""


class FileMissing(NotFound):
    """No such file on the share."""


class NotAFile(Conflict):
    """A folder stands where a file should, or a file where a folder should."""


class ShareDown(DependencyFailed):
    """The share does not answer, or refuses."""


class ShareFull(Unavailable):
    """No room is left on the share, or the quota is used up."""

    title, slug = "File share full", "share-full"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or "the file share is full; make room, or raise its quota", retry_after_s=60)


@dataclass(frozen=True)
class FileInfo:
    """A file on the share. `etag` changes whenever the content may have changed; it is compared, never parsed."""

    path: str
    size_bytes: int
    etag: str


class Share(ABC):
    """Files by relative path. All methods may be called from any thread, and block; routes call them in one.

    Raises
    ------
    BadPath
        From every method that takes a path: see `check_path`.
    ShareDown
        From every method: the share does not answer, or refuses.
    """

    label: str
    """Where it is, fit for logs: never with a credential."""

    @abstractmethod
    def read(self, path: str) -> Iterator[bytes]:
        """The content, in parts of at most a few MiB; never parts of two contents if the file is replaced meanwhile.

        Raises
        ------
        FileMissing
            At the first part, as all errors here: a generator does nothing before.
        """

    @abstractmethod
    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """Write or replace a file, make its folders as needed, and return its size in bytes.

        Whatever `chunks` raises passes through. After any error the file is what it was before, and no part is left.

        Raises
        ------
        ShareFull
        NotAFile
        """

    @abstractmethod
    def stat(self, path: str) -> FileInfo | None:
        """The file's size and etag; None if there is no such file (a folder is none)."""

    @abstractmethod
    def find(self, folder: str = "") -> list[FileInfo]:
        """All files at any depth below a folder, sorted by path; none if there is no such folder."""

    @abstractmethod
    def delete(self, path: str) -> bool:
        """Whether there was such a file; folders left empty may stay."""

    @abstractmethod
    def move(self, path: str, target: str) -> None:
        """Give a file another path, replacing what is there.

        Raises
        ------
        FileMissing
        NotAFile
        """

    @abstractmethod
    def sweep(self, older_than_s: float) -> int:
        """Delete partial files that nobody has written to for so long (seconds); their writers died. How many."""

    @abstractmethod
    def expire(self, folder: str, older_than_s: float) -> int:
        """Delete the whole files below a folder that were written longer ago (seconds). How many."""

    def local_path(self, path: str) -> Path | None:
        """Where this machine's programs can open the path, whether or not it exists; None if the share is remote."""
        check_path(path)
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label})"


def check_path(path: str) -> str:
    """The path itself, if every backend can hold it.

    A relative POSIX path of parts of at most 255 bytes, 1024 in all. Not: empty parts, `.`, `..`, backslashes, control
    characters, `" : | < > * ?`, a part that ends in a dot or a space (Azure Files and Windows drop those, so that two
    names would be one file), or a name that begins as those of partial files do.

    Raises
    ------
    BadPath
    """
    fault = _fault(path)
    if fault:
        shown = shorten(path)
        raise BadPath(f"path {shown!r}: {fault}; give a relative path such as datasets/name/file.csv")
    return path


def check_folder(folder: str) -> str:
    """As `check_path`; empty is the share itself."""
    return check_path(folder) if folder else folder


def partial_beside(path: str) -> str:
    """A new name for what will become `path`, in the same folder."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{PARTIAL}{uuid.uuid4().hex}"


def is_partial(path: str) -> bool:
    return path.rpartition("/")[2].startswith(PARTIAL)


def pieces(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size` bytes, but the last; no empty piece."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def _fault(path: str) -> str | None:
    if not path:
        return "it is empty"
    if path.startswith("/"):
        return "it is absolute"
    if found := _FORBIDDEN.search(path):
        return f"{found.group()!r} is not allowed"
    if len(path.encode()) > _MAX_PATH_BYTES:
        return f"it is longer than {_MAX_PATH_BYTES} bytes"
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            return "empty parts, . and .. are not allowed"
        if part.endswith((".", " ")):
            return "no part may end in a dot or a space"
        if part.startswith(PARTIAL):
            return f"names that begin with {PARTIAL} are used for partial files"
        if len(part.encode()) > _MAX_PART_BYTES:
            return f"a part is longer than {_MAX_PART_BYTES} bytes"
    return None
