"""How large a deployment will be: the files that `.funcignore` lets through, and the packages that Azure installs."""

import importlib.metadata
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from common.doctor.finding import Finding
from common.doctor.plans import Plan

# An image, a data set beside the code or an update needs room too.
_NEARLY = 0.8


def ignored(lines: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path (relative, folders end in `/`) stays behind, as `func azure functionapp publish` reads the file.

    A line matches the start of a path; `*` stands for one character or more within a part, `**` for any.
    """
    stars = {"**": "(.+)", "*": "([^/]+)"}
    patterns = []
    for line in (line.strip() for line in lines):
        if line and not line.startswith("#"):
            pieces = re.split(r"(\*\*|\*)", line.removeprefix("/"))
            patterns.append("".join(stars.get(piece) or re.escape(piece) for piece in pieces))
    if not patterns:
        return lambda path: False
    matcher = re.compile("|".join(patterns))
    return lambda path: matcher.match(path) is not None


def files_bytes(root: Path, stays: Callable[[str], bool]) -> dict[str, int]:
    """Bytes to deploy by what lies at the top of the checkout."""
    found: dict[str, int] = {}
    for folder, subfolders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        subfolders[:] = [name for name in subfolders if not stays(f"{(here / name).as_posix()}/")]
        for name in names:
            path = here / name
            if not stays(path.as_posix()) and not (root / path).is_symlink():
                found[path.parts[0]] = found.get(path.parts[0], 0) + (root / path).stat().st_size
    return found


def packages_bytes(names: Iterable[str]) -> dict[str, int]:
    """Bytes of installed packages, by what their own records say; those that are not installed are left out."""
    found = {}
    for name in names:
        try:
            files = importlib.metadata.distribution(name).files or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = sum(file.size or 0 for file in files)
    return found


def check_size(files: dict[str, int], packages: dict[str, int], plan: Plan) -> Iterator[Finding]:
    """Whether the plan has room for it."""
    total = sum(files.values()) + sum(packages.values())
    largest = sorted({**packages, **files}.items(), key=lambda item: -item[1])[:4]
    told = (
        f"{_mb(total)} unpacked: {_mb(sum(files.values()))} of files, {_mb(sum(packages.values()))} of packages "
        f"(largest: {', '.join(f'{name} {_mb(size)}' for name, size in largest)})"
    )
    room = plan.disk_bytes
    if plan.name == "consumption":
        why = "no new apps can be made on it, and the old ones move"
        yield Finding("package", "warning", "Consumption on Linux is retired", why, "deploy to Flex Consumption")
    if room is None or total <= _NEARLY * room:
        yield Finding("package", "ok", told + (f"; {plan.name} has {_mb(room)}" if room else ""))
        return
    why = f"an instance of the plan {plan.name} has {_mb(room)} for code, packages and what is written at run time"
    todo = "leave out extras and models (.funcignore), put data on the share, or deploy a container"
    yield Finding("package", "error" if total > room else "warning", told, why, todo)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:,.0f} kB"
