"""What `atoll datasets pull` and `atoll models pull` ask of a plugin that knows a public source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class ModelPull:
    """A model to make from weights that others have trained.

    Parameters
    ----------
    source : a folder, or an id of the public hub; None for what the plugin takes by default.
    revision : of the hub: a commit, branch or tag; None for its newest.
    sha256 : what files have to be, in hex, by name.
    address : of the hub; None for the public one.
    sample : texts or rows with labels to compare on; None for those that come with the plugin.
    most_apart, most_apart_mean : how far a score may be from the original's, at most and on average, 0 to 1.
    weight_bits : 7 is right on every processor, 8 on those that multiply bytes without overflow.
    cache : folder of this machine for what was downloaded.
    report : called with what is being done, the steps done and all steps.
    """

    source: str | None = None
    revision: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    sample: Path | None = None
    most_apart: float = 0.2
    most_apart_mean: float = 0.02
    weight_bits: int = 7
    cache: Path = Path()
    report: Callable[[str, int, int], object] = lambda _what, _done, _total: None


@dataclass(frozen=True)
class PulledModel:
    """A version that is ready to be registered.

    Parameters
    ----------
    artefacts : bytes by name.
    metrics : figures for the registry.
    data_hash : of the weights that it was made from.
    told : what came of it, by name, for people and programs.
    """

    artefacts: Mapping[str, bytes]
    metrics: Mapping[str, object]
    data_hash: str
    told: Mapping[str, object]


# Raises an `AtollError` that says what to do: `DependencyFailed` where the hub does not answer.
ModelPuller = Callable[[ModelPull], PulledModel]
