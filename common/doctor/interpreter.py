"""Python, and the packages beside it. Pure, but for asking which packages are installed."""

import importlib.metadata
import re
from collections.abc import Callable, Iterator

from common.doctor.finding import Finding

_OLDEST, _NEWEST = (3, 11), (3, 13)
# azure-functions 2 is for Python 3.13 on: its worker is another one.
_NEW_WORKER = (3, 13)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)([^\\]*)")


def installed(name: str) -> str | None:
    """The version of an installed package; None if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_python(version: tuple[int, int], find: Callable[[str], str | None] = installed) -> Iterator[Finding]:
    """Whether Atoll runs on this Python, with the library of the Functions worker that belongs to it."""
    shown = f"{version[0]}.{version[1]}"
    if not _OLDEST <= version <= _NEWEST:
        yield Finding(
            "python",
            "error",
            f"Python {shown}",
            "Atoll, and Azure's workers with the libraries that it uses, are for 3.11, 3.12 and 3.13",
            "make the environment anew: make setup PYTHON=python3.12",
        )
        return
    library, wanted = find("azure-functions"), 2 if version >= _NEW_WORKER else 1
    if library is None or int(library.partition(".")[0]) != wanted:
        yield Finding(
            "python",
            "error",
            f"Python {shown} with azure-functions {library or 'missing'}",
            f"the Functions worker of Python {shown} needs azure-functions {wanted}.x",
            "install what is pinned: pip install -r requirements.txt",
        )
        return
    yield Finding("python", "ok", f"Python {shown}, azure-functions {library}")


def pins(requirements: str) -> dict[str, str]:
    """What `requirements.txt` pins without a condition: a package's name and version.

    Those with a marker (`; sys_platform == …`) are left out: they may rightly be absent here.
    """
    found = (_PIN.match(line) for line in requirements.splitlines())
    return {match[1]: match[2] for match in found if match and ";" not in match[3]}


def names(requirements: str) -> list[str]:
    """All that `requirements.txt` pins, with a condition or without."""
    found = (_PIN.match(line) for line in requirements.splitlines())
    return sorted({match[1] for match in found if match})


def check_packages(pinned: dict[str, str], find: Callable[[str], str | None] = installed) -> Iterator[Finding]:
    """Whether what is installed is what is pinned."""
    there = {name: find(name) for name in pinned}
    missing = [name for name, version in there.items() if version is None]
    other = [f"{name} {version} instead of {pinned[name]}" for name, version in there.items() if version is not None]
    other = [told for told in other if told.split()[1] != told.split()[-1]]
    todo = "install what is pinned: pip install -r requirements.txt"
    if missing:
        yield Finding("python", "error", f"not installed: {_some(missing)}", "what needs them fails when asked", todo)
    if other:
        why = "other versions than those that Atoll was tested with, and that are deployed"
        yield Finding("python", "warning", f"installed: {_some(other)}", why, todo)
    if not missing and not other:
        yield Finding("python", "ok", f"{len(pinned)} pinned packages are installed")


def _some(names: list[str], most: int = 4) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
