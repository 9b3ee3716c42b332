"""A version as a plugin is given it to serve: files of this machine, and nothing of the database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Held:
    """A version of the registry that a process is to serve.

    Parameters
    ----------
    number : None where no version is to be served: the plugin serves what it has of its own.
    cache : folder of this machine for what the plugin makes of the artefacts.
    artefacts : SHA-256 in hex, by name.
    path : gives a file of this machine with an artefact, by its name; checked, and not to be written to.
    """

    number: int | None
    cache: Path
    artefacts: Mapping[str, str] = field(default_factory=dict)
    path: Callable[[str], Path] = Path
