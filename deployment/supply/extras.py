"""What of `requirements-dev.txt` an extra needs: for images, which install no package without its hash.

`python -m deployment.supply.extras hosted aws` prints a file of requirements for pip; `--package NAME` asks for a
package by its name instead, `--without LOCK` leaves out what that lock has, `--here` what only other Pythons or systems
install. Nothing is printed for no extra.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deployment.supply.lock import Locked, Unreadable, read_lock

CHECKOUT = Path(__file__).resolve().parents[2]


def asked_by(project: Mapping[str, Any], extras: Iterable[str]) -> list[str]:
    """The normalised names of the packages that these extras of a pyproject.toml ask for.

    Raises
    ------
    Unreadable
        There is no such extra.
    """
    known: Mapping[str, Sequence[str]] = project["project"].get("optional-dependencies", {})
    names: list[str] = []
    for extra in extras:
        if extra not in known:
            raise Unreadable(f"there is no extra {extra!r}; there are {', '.join(sorted(known))}")
        names += [canonicalize_name(Requirement(text).name) for text in known[extra]]
    return names


def closure(locked: Sequence[Locked], roots: Iterable[str]) -> list[Locked]:
    """The packages named, and all that they need, in the order of the lock.

    Raises
    ------
    Unreadable
        One of `roots` is not in the lock.
    """
    children: dict[str, set[str]] = {}
    for package in locked:
        for parent in package.wanted_by:
            children.setdefault(parent, set()).add(package.name)
    names = {package.name for package in locked}
    waiting: list[str] = [canonicalize_name(name) for name in roots]
    missing = sorted(set(waiting) - names)
    if missing:
        raise Unreadable(f"the lock does not pin {', '.join(missing)}, so nothing tells which files are the right ones")
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += children.get(name, ())
    return [package for package in locked if package.name in found]


def installed_here(package: Locked, environment: Mapping[str, str] | None = None) -> bool:
    """Whether its marker holds on this Python and system, or on one with these values of markers."""
    return not package.marker or Marker(package.marker).evaluate(dict(environment) if environment else None)


def requirements(packages: Iterable[Locked]) -> str:
    """A file that `pip install --require-hashes -r` takes."""
    lines = []
    for package in packages:
        marker = f" ; {package.marker}" if package.marker else ""
        hashes = "".join(f" \\\n    --hash=sha256:{content}" for content in package.hashes)
        lines.append(f"{package.name}=={package.version}{marker}{hashes}\n")
    return "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deployment.supply.extras", description=__doc__)
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help="as pyproject.toml names them")
    parser.add_argument("--package", action="append", default=[], help="a package by its name; may be given again")
    parser.add_argument("--lock", type=Path, default=CHECKOUT / "requirements-dev.txt", help="the file to read")
    parser.add_argument("--without", type=Path, help="a lock whose packages are there already")
    parser.add_argument("--here", action="store_true", help="only what this Python and system install")
    options = parser.parse_args(arguments)
    try:
        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
        roots = [*asked_by(project, options.extras), *options.package]
        locked = read_lock(options.without) if options.without else ()
        # A lock may have what it installs on other systems only.
        there = {package.name for package in locked if not options.here or installed_here(package)}
        wanted = closure(read_lock(options.lock), roots)
        wanted = [package for package in wanted if package.name not in there]
        sys.stdout.write(requirements(package for package in wanted if not options.here or installed_here(package)))
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
