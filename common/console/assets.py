"""The console's own files, under an address that changes with any of them.

One digest stands for all files, and in their path: so relative imports of ES modules need no rewriting, every file is
cached for ever, and a page never mixes files of two versions.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from posixpath import dirname, normpath

from common.http.content import Content, digest

FOLDER = Path(__file__).parent / "static"
PREFIX = "/console/static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
# What every page needs comes as one file, for the page is drawn when it is there.
_COMPONENTS = ("buttons", "cards", "tables", "states", "forms", "tabs", "overlays", "drawings")
BUNDLES = {
    "css/all.css": (
        *(f"css/{name}.css" for name in ("tokens", "base", "layout")),
        *(f"css/components/{name}.css" for name in _COMPONENTS),
    )
}

_COMMENT = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/[ \t]*$|//[^\n]*$)", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"""^(?:import|export)\s(?:[^"';]*?\sfrom\s+)?"(\.[^"]+)\"""", re.MULTILINE)


@dataclass(frozen=True)
class Assets:
    """Files by their path below the folder, all in memory: some 100 KB."""

    files: dict[str, Content]
    digest: str

    @classmethod
    def read(cls, folder: Path) -> "Assets":
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES)
        files = {path.relative_to(folder).as_posix(): path for path in paths}
        contents = {name: Content.of(_read(path), _TYPES[path.suffix]) for name, path in files.items()}
        for bundle, parts in BUNDLES.items():
            found = [contents[name].body for name in parts if name in contents]
            if found:
                contents[bundle] = Content.of(b"\n".join(found), _TYPES[Path(bundle).suffix])
        return cls(contents, digest("".join(f"{name}{found.etag}" for name, found in contents.items()).encode()))

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError for one that is not there: a mistake in a template."""
        if name not in self.files:
            raise KeyError(name)
        return f"{PREFIX}/{self.digest}/{name}"

    def modules(self, *names: str) -> list[str]:
        """These modules and all that they import, those of every page first. What is imported in time only (`import()`)
        is not among them.
        """
        found: set[str] = set()
        left = list(names)
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += [normpath(f"{dirname(name)}/{given}") for given in imported(self.files[name].body.decode())]
        return sorted(found, key=lambda name: (name.count("/"), name))


def _read(path: Path) -> bytes:
    body = path.read_bytes()
    return without_comments(body.decode()).encode() if path.suffix == ".js" else body


def without_comments(script: str) -> str:
    """A module without comments that fill their lines, which are a quarter of it. Lines keep their numbers, by which
    browsers tell of errors. Pure.
    """
    return _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), script)


def imported(script: str) -> list[str]:
    """The relative addresses that a module imports at its beginning. Pure."""
    return _IMPORT.findall(script)


@lru_cache(maxsize=1)
def own() -> Assets:
    """The files of this installation, read at the first call (some milliseconds)."""
    return Assets.read(FOLDER)
