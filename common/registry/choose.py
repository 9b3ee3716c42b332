"""Which version answers a request: the one that it names, or the one that the model's shares give it.

What a route does: `common.registry.asked.which` (a dependency) reads `?version=` and `?alias=`; `Registry.choose` gives
a `Chosen`; its `headers` go into the answer.
"""

import random
from dataclasses import dataclass

from common.errors import Invalid
from common.registry.traffic import is_shadowed, pick
from common.registry.versions import DEFAULT_ALIAS, MAX_NUMBER, Traffic, Version, check_alias

VERSION_HEADER = "X-Model-Version"
ALIAS_HEADER = "X-Model-Alias"

Which = int | str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What answers one request, to its end.

    Parameters
    ----------
    alias : what led to the version; None where the request named a number.
    shadow : another version that is shown the request, and whose answer nobody gets.
    """

    version: Version
    alias: str | None = None
    shadow: Version | None = None

    @property
    def number(self) -> int:
        return self.version.number

    @property
    def headers(self) -> dict[str, str]:
        """For the answer."""
        told = {VERSION_HEADER: str(self.version.number)}
        return told if self.alias is None else told | {ALIAS_HEADER: self.alias}


@dataclass(frozen=True, slots=True)
class Routing:
    """What decides for requests that name no version.

    Parameters
    ----------
    aliases : those that the model has.
    """

    traffic: Traffic | None
    aliases: frozenset[str]

    def choose(self, key: str | None) -> tuple[str, str | None]:
        """The alias that answers, and the one that is the shadow of this request."""
        if self.traffic is None:
            return DEFAULT_ALIAS, None
        key = key or f"{random.getrandbits(64):x}"
        alias, shadow = pick(self.traffic, key), self.traffic.shadow
        if alias not in self.aliases:
            alias = DEFAULT_ALIAS
        if shadow == alias or shadow not in self.aliases or not is_shadowed(self.traffic, key):
            shadow = None
        return alias, shadow


def which_of(version: str | None, alias: str | None) -> Which:
    """What a request names: a number, an alias, or None; `version` may be either.

    Raises
    ------
    Invalid
        Both are given, or what is given is no number and no alias.
    """
    if version is not None and alias is not None:
        raise Invalid.field("alias", "give version or alias, not both", alias, where="query")
    if version is not None and version.isascii() and version.isdecimal():
        if 1 <= int(version) <= MAX_NUMBER:
            return int(version)
        raise Invalid.field("version", f"is no number from 1 to {MAX_NUMBER}", version, where="query")
    name, given = ("alias", alias) if alias is not None else ("version", version)
    if given is None:
        return None
    try:
        check_alias(given)
    except Invalid as exc:
        raise Invalid.field(name, exc.detail, given, where="query") from None
    return given
