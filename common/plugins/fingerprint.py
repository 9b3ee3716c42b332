"""A digest of the code that computes an answer, so that a result kept by an older version is never served."""

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


@lru_cache(maxsize=64)
def code_version(*packages: str) -> str:
    """SHA-256 (hex) over the Python sources of `packages`, names and contents. Computed once a process (some ms).

    Raises
    ------
    ValueError
        One is no package or module with sources: a digest without it would hide its changes.
    """
    digest = hashlib.sha256()
    for package in sorted(packages):
        for name, path in _sources(package):
            digest.update(f"{package}/{name}\0".encode())
            digest.update(path.read_bytes())
            digest.update(b"\0")
    return digest.hexdigest()


def _sources(package: str) -> list[tuple[str, Path]]:
    """Name within the package and path of each of its Python files; of a plain module, its own file."""
    try:
        spec = find_spec(package)
    # The package around it is missing.
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise ValueError(f"there is no package {package!r}")
    folders = sorted(spec.submodule_search_locations or ())
    found = [(str(path.relative_to(folder)), path) for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    if not folders and spec.origin is not None and spec.origin.endswith(".py"):
        found = [(Path(spec.origin).name, Path(spec.origin))]
    if not found:
        raise ValueError(f"package {package!r} has no Python sources")
    return found
