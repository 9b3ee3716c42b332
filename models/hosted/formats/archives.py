"""Unpacks an archive from a stranger, or refuses it: nothing leaves the folder, and nothing grows beyond its limits."""

import lzma
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from common.errors import Invalid

_CHUNK = 1 << 20
# Deflate packs no more than 1032 to 1; honest weights hardly pack at all.
_MOST_PACKED = 200
_WORTH_LOOKING = 10_000_000
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def unpack(path: Path, folder: Path, *, max_bytes: int, max_files: int) -> dict[str, Path]:
    """Unpack all files into `folder`, flat, under names of our own.

    Returns
    -------
    Files by their path in the archive, without a folder that all of them are in.

    Raises
    ------
    Invalid
        The detail names the file and the reason; what was unpacked so far is left in `folder`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check(members, max_bytes, max_files)
            files: dict[str, Path] = {}
            left = max_bytes
            for number, member in enumerate(member for member in members if not member.is_dir()):
                target = folder / f"file-{number}"
                left -= _write(archive, member, target, left)
                files[str(PurePosixPath(member.filename))] = target
    except _DAMAGED as exc:
        raise Invalid(
            f"the archive cannot be unpacked ({str(exc)[:200]}); it may be cut short: send it again"
        ) from None
    return _without_root(files)


def _check(members: list[zipfile.ZipInfo], max_bytes: int, max_files: int) -> None:
    """Before a byte is written."""
    if len(members) > max_files:
        raise Invalid(f"the archive holds {len(members)} files; at most {max_files} are unpacked")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        shown = name[:120]
        parts = PurePosixPath(name).parts
        if name.startswith("/") or "\\" in name or ".." in parts or ":" in name or "\0" in name or not parts:
            raise Invalid(f"{shown!r} in the archive leads out of it; pack the files by their names alone")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise Invalid(f"{shown!r} in the archive is a link; pack the file that it leads to")
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Invalid(f"{shown!r} in the archive is no plain file")
        key = str(PurePosixPath(name)).casefold()
        if key in seen:
            raise Invalid(f"{shown!r} is in the archive twice")
        seen.add(key)
        if member.flag_bits & 0x1:
            raise Invalid(f"{shown!r} in the archive is encrypted; pack it without a password")
        packed = max(1, member.compress_size)
        if member.file_size > _WORTH_LOOKING and member.file_size / packed > _MOST_PACKED:
            raise Invalid(f"{shown!r} in the archive would become {member.file_size / packed:.0f} times as large")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise Invalid(f"the archive would become {total / 1e6:.0f} MB; at most {max_bytes / 1e6:.0f} MB are unpacked")


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, most: int) -> int:
    """Bytes that were written: what a member says of its size need not be true."""
    written = 0
    with archive.open(member) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > most:
                raise Invalid(
                    f"{member.filename[:120]!r} in the archive is larger than it says, or the archive too large"
                )
            file.write(chunk)
    return written


def _without_root(files: dict[str, Path]) -> dict[str, Path]:
    roots = {PurePosixPath(name).parts[0] for name in files}
    if len(roots) == 1 and all(len(PurePosixPath(name).parts) > 1 for name in files):
        return {str(PurePosixPath(*PurePosixPath(name).parts[1:])): path for name, path in files.items()}
    # Files that a Mac adds.
    return {name: path for name, path in files.items() if not name.startswith("__MACOSX/")}
