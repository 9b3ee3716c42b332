"""Which version of slurmrestd's API to speak. Pure."""

import re
from collections.abc import Iterable

Version = tuple[int, int, int]

# The newest whose shapes were looked at. One that is newer is spoken only where there is no other.
NEWEST: Version = (0, 0, 43)
_PATH = re.compile(r"^/slurm/v(\d{1,3})\.(\d{1,3})\.(\d{1,3})/")


def parse(text: str) -> Version:
    """Of `v0.0.38`."""
    major, minor, patch = map(int, text.removeprefix("v").split("."))
    return major, minor, patch


def show(version: Version) -> str:
    return "v" + ".".join(map(str, version))


def choose(paths: Iterable[str]) -> Version | None:
    """The best of those that a server has, by the paths in its OpenAPI document; None if it has none."""
    there = {parse(f"v{'.'.join(found.groups())}") for path in paths if (found := _PATH.match(path))}
    known = [version for version in there if version <= NEWEST]
    return max(known) if known else min(there, default=None)
