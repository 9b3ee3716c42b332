"""Whether files are those that were meant: SHA-256 as given by hand, by `SHA256SUMS`, or by the hub."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from common.errors import Invalid

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def sha256(file: Path) -> str:
    """Of a file, in lower-case hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def git_blob(content: bytes) -> str:
    """What git calls a file: SHA-1 of its length and content. It is how the hub lists small files."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read_sums(folder: Path) -> dict[str, str]:
    """Hashes by file name, as `sha256sum` writes them; none where the folder has no such list.

    Raises
    ------
    Invalid
        A line is something else.
    """
    file = folder / SUMS
    if not file.exists():
        return {}
    found = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line.strip())
        if line.strip() and match is None:
            raise Invalid(f"{SUMS}: {line[:80]!r} is not a SHA-256 in hex, two spaces and a file's name")
        if match is not None:
            found[match[2]] = match[1].lower()
    return found


def check_hashes(folder: Path, expected: Mapping[str, str], where: str) -> list[str]:
    """The names that were checked.

    Parameters
    ----------
    where : the hashes are from.

    Raises
    ------
    Invalid
        A file is missing or another one.
    """
    for name, digest in expected.items():
        # A list may name files outside; they are no part of the model.
        if Path(name).name != name:
            raise Invalid(f"{name[:80]}: {where} names a file that does not lie in the folder itself")
        if not (folder / name).is_file():
            raise Invalid(f"{name}: missing in {folder.name}, and {where} says what it has to be")
        found = sha256(folder / name)
        if found != digest.lower():
            raise Invalid(
                f"{name}: its SHA-256 is {found[:16]}…, {where} says {digest[:16].lower()}…; it was damaged or "
                "replaced, fetch it again"
            )
    return sorted(expected)
