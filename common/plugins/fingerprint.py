"""A digest of the code that computes an answer, so that a result kept by an older version is never served."""

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


@lru_cache(maxsize=64)
def code_version(*packages: str) -> str:
    """SHA-256 (hex) over the Python sources of `packages`, names and contents. Computed once a process (some ms)."""
    digest = hashlib.sha256()
    for package in sorted(packages):
        spec = find_spec(package)
        for folder in sorted((spec and spec.submodule_search_locations) or ()):
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{package}/{path.relative_to(folder)}\0".encode())
                digest.update(path.read_bytes())
                digest.update(b"\0")
    return digest.hexdigest()
