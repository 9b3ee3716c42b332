"""The deployment package: the checkout without what `.funcignore` names, as its two kinds of readers understand it."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from tests.conformance.environment import CHECKOUT

# Whether a path relative to the checkout stays behind; a folder's path ends in a slash.
Matcher = Callable[[str], bool]


def _lines() -> list[str]:
    text = (CHECKOUT / ".funcignore").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def ignored_as_by_git() -> Matcher:
    """As the editors' extensions and the GitHub action read the file."""
    return GitIgnoreSpec.from_lines(_lines()).match_file


def ignored_as_by_core_tools() -> Matcher:
    """As `func azure functionapp publish` reads it: lines are prefixes, stars stand for one character or more."""
    stars = {"**": "(.+)", "*": "([^/]+)"}
    parts = [re.split(r"(\*\*|\*)", line.removeprefix("/")) for line in _lines()]
    patterns = ["".join(stars.get(part) or re.escape(part) for part in line) for line in parts]
    matcher = re.compile("|".join(patterns))
    return lambda path: matcher.match(path) is not None


READERS = {"git": ignored_as_by_git, "core tools": ignored_as_by_core_tools}


def _deployed_files() -> Iterator[Path]:
    ignored = ignored_as_by_core_tools()
    for folder, subfolders, names in os.walk(CHECKOUT):
        here = Path(folder).relative_to(CHECKOUT)
        subfolders[:] = [name for name in subfolders if not ignored(f"{(here / name).as_posix()}/")]
        yield from (here / name for name in names if not ignored((here / name).as_posix()))


def make_package(target: Path) -> Path:
    """Copy what would be deployed to `target`."""
    for path in _deployed_files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / path, target / path)
    return target
