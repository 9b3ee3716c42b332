"""Unpacks an archive from a stranger, or refuses it: nothing leaves the folder, and nothing grows beyond its limits."""

import contextlib
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from common.errors import Invalid

_CHUNK = 1 << 20
# Deflate packs no more than 1032 to 1; honest weights hardly pack at all.
_MOST_PACKED = 200
_WORTH_LOOKING = 10_000_000
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_TAR_GZ = (".tar.gz", ".tgz")
ARCHIVES = (".zip", *_TAR_GZ)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MAX_PART_BYTES = 255
_MAX_PATH_BYTES = 1000
# What a tar holds beside the files: a header and up to a block of nothing each, and headers of long names.
_TAR_BESIDE = 4096
# What a Mac adds.
_ADDED = "__MACOSX/"


def is_archive(filename: str) -> bool:
    """Whether a file of this name is one that is unpacked."""
    return filename.lower().endswith(ARCHIVES)


def unpack(path: Path, folder: Path, *, max_bytes: int, max_files: int) -> dict[str, Path]:
    """Unpack all files of a zip into `folder`, flat, under names of our own.

    Returns
    -------
    Files by their path in the archive, without a folder that all of them are in.

    Raises
    ------
    Invalid
        The detail names the file and the reason; what was unpacked so far is left in `folder`.
    """
    with _told_when_damaged(), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check(list(map(_of_zip, members)), max_bytes, max_files)
        files: dict[str, Path] = {}
        left = max_bytes
        for number, member in enumerate(member for member in members if not member.is_dir()):
            target = folder / f"file-{number}"
            with archive.open(member) as source:
                left -= _write(source, member.filename, target, left)
            files[str(PurePosixPath(member.filename))] = target
    return _without_root(files)


def unpack_tree(path: Path, folder: Path, *, max_bytes: int, max_files: int, filename: str = "") -> dict[str, Path]:
    """Unpack all files of a zip or tar.gz into `folder` as they lie in it.

    Parameters
    ----------
    folder : empty, or not there yet.
    filename : tells the kind of archive where `path` does not.

    Returns
    -------
    Files by their path in the archive, which is that below `folder`.

    Raises
    ------
    Invalid
        The detail names the file and the reason; what was unpacked so far is left in `folder`.
    """
    files: dict[str, Path] = {}

    def write(name: str, source: IO[bytes], left: int, is_program: bool) -> int:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        written = _write(source, name, target, left)
        if is_program:
            target.chmod(0o755)
        files[name] = target
        return written

    folder.mkdir(parents=True, exist_ok=True)
    _walk(path, filename or path.name, max_bytes, max_files, write)
    return files


def names_in(path: Path, *, max_bytes: int, max_files: int, filename: str = "") -> list[str]:
    """Paths of the files that `unpack_tree` would write; refuses what it would refuse, as far as can be told without
    unpacking.

    Raises
    ------
    Invalid
    """
    names: list[str] = []

    def note(name: str, source: IO[bytes], left: int, is_program: bool) -> int:
        names.append(name)
        return 0

    _walk(path, filename or path.name, max_bytes, max_files, note)
    return names


@dataclass(frozen=True)
class _Member:
    name: str
    size_bytes: int
    packed_bytes: int
    is_folder: bool
    fault: str | None = None


# Name, content, bytes that may be written, whether it is a program; gives the bytes written.
_Take = Callable[[str, IO[bytes], int, bool], int]


def _walk(path: Path, filename: str, max_bytes: int, max_files: int, take: _Take) -> None:
    """Hand each file of an archive on."""
    with _told_when_damaged():
        if filename.lower().endswith(_TAR_GZ):
            _walk_tar(path, max_bytes, max_files, take)
            return
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            told = list(map(_of_zip, members))
            _check(told, max_bytes, max_files)
            names = _Names()
            for one in told:
                names.add(one)
            left = max_bytes
            for member in members:
                if not member.is_dir() and not member.filename.startswith(_ADDED):
                    with archive.open(member) as source:
                        is_program = bool(member.external_attr >> 16 & stat.S_IXUSR)
                        left -= take(str(PurePosixPath(member.filename)), source, left, is_program)


def _walk_tar(path: Path, max_bytes: int, max_files: int, take: _Take) -> None:
    """A tar tells what is in it only as it is unpacked."""
    packed_bytes = path.stat().st_size
    most = min(max_bytes + _TAR_BESIDE * (max_files + 4), max(_WORTH_LOOKING, _MOST_PACKED * packed_bytes))
    names, count, left = _Names(), 0, max_bytes
    with gzip.open(path) as unpacked, _tar(_Limited(unpacked, most)) as archive:
        for member in archive:
            told, count = _of_tar(member), count + 1
            _check([told], left, 1)
            if count > max_files:
                raise Invalid(f"the archive holds more than {max_files} files; at most {max_files} are unpacked")
            names.add(told)
            if told.is_folder or member.name.startswith(_ADDED):
                continue
            source = archive.extractfile(member)
            assert source is not None  # noqa: S101 - a plain file, as was checked
            with source:
                left -= take(str(PurePosixPath(member.name)), source, left, bool(member.mode & stat.S_IXUSR))


class _Limited:
    """What a stream unpacks to, as far as it may grow."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream = stream
        self._left = most

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise Invalid("the archive would become too large; pack less, or send data as inputs")
        return piece


def _tar(stream: _Limited) -> tarfile.TarFile:
    # Reading is all that is asked of the stream.
    return tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|")


def _of_zip(member: zipfile.ZipInfo) -> _Member:
    mode = member.external_attr >> 16
    fault = None
    if stat.S_ISLNK(mode):
        fault = "is a link; pack the file that it leads to"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "is no plain file"
    elif member.flag_bits & 0x1:
        fault = "is encrypted; pack it without a password"
    return _Member(member.filename, member.file_size, max(1, member.compress_size), member.is_dir(), fault)


def _of_tar(member: tarfile.TarInfo) -> _Member:
    fault = None
    if member.issym() or member.islnk():
        fault = "is a link; pack the file that it leads to"
    elif not member.isfile() and not member.isdir():
        fault = "is no plain file"
    # How well it is packed is counted for the whole.
    return _Member(member.name, member.size, max(1, member.size), member.isdir(), fault)


def _check(members: Sequence[_Member], max_bytes: int, max_files: int) -> None:
    """Before a byte is written."""
    if len(members) > max_files:
        raise Invalid(f"the archive holds {len(members)} files; at most {max_files} are unpacked")
    seen: set[str] = set()
    for member in members:
        name = member.name
        shown = name[:120]
        parts = PurePosixPath(name).parts
        if name.startswith("/") or "\\" in name or ".." in parts or ":" in name or "\0" in name:
            raise Invalid(f"{shown!r} in the archive leads out of it; pack the files by their names alone")
        if not parts and not member.is_folder:
            raise Invalid(f"{shown!r} in the archive leads out of it; pack the files by their names alone")
        if member.fault:
            raise Invalid(f"{shown!r} in the archive {member.fault}")
        key = str(PurePosixPath(name)).casefold()
        if key in seen:
            raise Invalid(f"{shown!r} is in the archive twice")
        seen.add(key)
        if member.size_bytes > _WORTH_LOOKING and member.size_bytes / member.packed_bytes > _MOST_PACKED:
            raise Invalid(
                f"{shown!r} in the archive would become {member.size_bytes / member.packed_bytes:.0f} times as large"
            )
    total = sum(member.size_bytes for member in members)
    if total > max_bytes:
        raise Invalid(f"the archive would become {total / 1e6:.0f} MB; at most {max_bytes / 1e6:.0f} MB are unpacked")


class _Names:
    """Names that are to become those of files and folders, in any order."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, member: _Member) -> None:
        shown = member.name[:120]
        parts = PurePosixPath(member.name).parts
        if _CONTROL.search(member.name):
            raise Invalid(f"{shown!r} in the archive has a control character in its name; rename it")
        if len(member.name.encode()) > _MAX_PATH_BYTES or any(len(part.encode()) > _MAX_PART_BYTES for part in parts):
            raise Invalid(f"{shown!r} in the archive has too long a name; rename it")
        keys = [str(PurePosixPath(*parts[: count + 1])).casefold() for count in range(len(parts))]
        file = None if member.is_folder or not keys else keys[-1]
        if file in self._files:
            raise Invalid(f"{shown!r} is in the archive twice")
        if file is not None:
            self._files.add(file)
        folders = keys if file is None else keys[:-1]
        self._folders.update(folders)
        if file in self._folders or not self._files.isdisjoint(folders):
            raise Invalid(f"{shown!r} in the archive is a file and a folder")


def _write(source: IO[bytes], name: str, target: Path, most: int) -> int:
    """Bytes that were written: what a member says of its size need not be true."""
    written = 0
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > most:
                raise Invalid(f"{name[:120]!r} in the archive is larger than it says, or the archive too large")
            file.write(chunk)
    return written


@contextlib.contextmanager
def _told_when_damaged() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as exc:
        raise Invalid(
            f"the archive cannot be unpacked ({str(exc)[:200]}); it may be cut short: send it again"
        ) from None


def _without_root(files: dict[str, Path]) -> dict[str, Path]:
    roots = {PurePosixPath(name).parts[0] for name in files}
    if len(roots) == 1 and all(len(PurePosixPath(name).parts) > 1 for name in files):
        return {str(PurePosixPath(*PurePosixPath(name).parts[1:])): path for name, path in files.items()}
    return {name: path for name, path in files.items() if not name.startswith(_ADDED)}
