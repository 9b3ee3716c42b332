"""What `atoll datasets pull` asks of a plugin that knows a public source of data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pull:
    """A data set to build from a public source.

    Parameters
    ----------
    indicators : codes as the source spells them; empty for all that it has.
    first_year, last_year : both included.
    into : folder for the files.
    cache : folder of this machine for what the source answered, so that an interrupted pull goes on where it was.
    address : of the source; None for its public one.
    replace : whether files that `into` holds already may be replaced.
    fresh : whether to ask anew what the cache holds.
    report : called with what is being done, the steps done and all steps.
    """

    indicators: tuple[str, ...]
    first_year: int
    last_year: int
    into: Path
    cache: Path
    address: str | None = None
    replace: bool = False
    fresh: bool = False
    report: Callable[[str, int, int], object] = lambda _what, _done, _total: None


# Returns what came of it, by name, for people and programs. Raises an `AtollError` that says what to do:
# `DependencyFailed` where the source does not answer.
Puller = Callable[[Pull], Mapping[str, object]]
