"""The lock file: what exactly is installed, which files are accepted for it, and who asked for it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_HASH = re.compile(r"\s--hash=sha256:([0-9a-f]{64})")


class Unreadable(Exception):
    """A file that the supply checks need is missing or is not what it should be; says which and why."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One pinned package.

    `name` is normalised, `marker` says where it is installed ("" for everywhere), `hashes` are SHA-256 of the files
    of the release, `wanted_by` are the packages that need it (the project itself by its own name).
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


def read_lock(path: Path) -> list[Locked]:
    """What a file of `make lock` pins, in its order; the same name twice where markers choose between versions."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
    locked = list(parse_lock(text, str(path)))
    if not locked:
        raise Unreadable(f"{path} pins nothing; is it a file that `make lock` wrote?")
    return locked


def parse_lock(text: str, where: str) -> Iterator[Locked]:
    lines = re.sub(r"\\\n", " ", text).splitlines()
    for number, line in enumerate(lines):
        if not line or line[0] in "# ":
            continue
        hashes = tuple(_HASH.findall(line))
        # The first space before an option ends the requirement, markers included.
        stated = re.split(r"\s--", line, maxsplit=1)[0].strip()
        try:
            requirement = Requirement(stated)
        except InvalidRequirement as error:
            raise Unreadable(f"{where}: {stated!r} is no requirement: {error}") from error
        pins = [clause.version for clause in requirement.specifier if clause.operator == "=="]
        if len(pins) != 1 or len(requirement.specifier) != 1:
            raise Unreadable(f"{where}: {stated!r} is not pinned by `==`; run `make lock`")
        yield Locked(
            name=canonicalize_name(requirement.name),
            version=pins[0],
            marker=str(requirement.marker or ""),
            hashes=hashes,
            wanted_by=_wanted_by(lines[number + 1 :]),
        )


def _wanted_by(following: list[str]) -> tuple[str, ...]:
    """The names in the comment that uv writes below a pin: `# via a`, or a list below `# via`."""
    found = []
    for line in following:
        if not line.startswith("    #"):
            break
        name = line.removeprefix("    #").strip().removeprefix("via").strip()
        if name and not name.startswith(("-c ", "-r ")):
            found.append(canonicalize_name(name.split()[0]))
    return tuple(found)
