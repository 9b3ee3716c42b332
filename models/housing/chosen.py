"""Which models answer: the version that the registry serves, else those in the box."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from common.errors import ModelUnavailable
from common.registry.held import Held
from models.housing.artefact import BOX, FILES, Trained, read


@dataclass(frozen=True, eq=False)
class Served:
    """Models that answer.

    Parameters
    ----------
    name : number of the version in the registry, or `box`.
    digest : of the files: equal for equal answers.
    """

    name: str
    digest: bytes
    models: Trained


_lock = threading.Lock()
_served: Served | None = None


def served_now() -> Served:
    """What serves in this process. Raises ModelUnavailable where files are missing or broken."""
    global _served
    found = _served
    if found is None:
        with _lock:
            if _served is None:
                _served = _of_files("box", {name: BOX / name for name in FILES})
            found = _served
    return found


def serve_version(held: Held) -> None:
    """Let another version serve, once it is open; what served before goes on where it cannot be.

    Raises
    ------
    ModelUnavailable
    """
    global _served
    if held.number is None:
        opened = _of_files("box", {name: BOX / name for name in FILES})
    else:
        missing = [name for name in FILES if name not in held.artefacts]
        if missing:
            raise ModelUnavailable(f"version {held.number} of housing has no {', '.join(missing)}")
        opened = _of_files(str(held.number), {name: held.path(name) for name in FILES})
    with _lock:
        _served = opened


def _of_files(name: str, files: Mapping[str, Path]) -> Served:
    models = read(files)
    digest = sha256(b"".join(sha256(file.read_bytes()).digest() for file in files.values())).digest()[:8]
    return Served(name, digest, models)
