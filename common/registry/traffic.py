"""Who gets which version: shares of the requests by alias, for a canary and a shadow. Pure."""

import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from common.errors import Conflict, Invalid
from common.registry.versions import DEFAULT_ALIAS, Traffic, check_alias, listed

# Shares as people write them add up to 1 within this much.
_ROUNDING = 1e-6
_MAX_ALIASES = 20


def check_traffic(
    weights: Mapping[str, float], shadow: str | None, shadow_share: float, aliases: Iterable[str]
) -> Traffic:
    """The shares, without aliases that get nothing.

    Parameters
    ----------
    aliases : those that the model has.

    Raises
    ------
    Invalid
        A share is no number from 0 to 1, or they do not add up to 1.
    Conflict
        The model has no such alias; the detail says which ones it has.
    """
    has = sorted(aliases)
    for alias, weight in weights.items():
        if not (isinstance(weight, int | float) and math.isfinite(weight) and 0 <= weight <= 1):
            raise Invalid.field("weights", f"the share of {alias[:80]!r} is no number from 0 to 1", weight)
    if len(weights) > _MAX_ALIASES:
        raise Invalid.field("weights", f"at most {_MAX_ALIASES} aliases", len(weights))
    total = math.fsum(weights.values())
    if abs(total - 1) > _ROUNDING:
        raise Invalid.field("weights", f"the shares add up to {total:g}; they have to add up to 1", dict(weights))
    if not (math.isfinite(shadow_share) and 0 < shadow_share <= 1):
        raise Invalid.field("shadow_share", "is no number above 0 and at most 1", shadow_share)
    for alias in (*weights, *([shadow] if shadow is not None else [])):
        check_alias(alias)
        if alias not in has:
            raise Conflict(f"there is no alias {alias!r} to send requests to; the model has {listed(has)}")
    if shadow is not None and weights.get(shadow) == 1:
        raise Invalid.field("shadow", "answers all requests already; it would be compared with itself", shadow)
    shares = {alias: float(weight) for alias, weight in weights.items() if weight > 0}
    return Traffic(weights=shares, shadow=shadow, shadow_share=shadow_share)


def pick(traffic: Traffic | None, key: str) -> str:
    """The alias that answers the request named `key`; the same for the same key and shares.

    The key's place between 0 and 1 decides. `default` has the upper end, so that a canary that is given more keeps
    the requests that it had.
    """
    if traffic is None:
        return DEFAULT_ALIAS
    order = sorted(traffic.weights, key=lambda alias: (alias == DEFAULT_ALIAS, alias))
    place, upper = place_of(key), 0.0
    for alias in order:
        upper += traffic.weights[alias]
        if place < upper:
            return alias
    return order[-1]


def is_shadowed(traffic: Traffic | None, key: str) -> bool:
    """Whether the shadow is asked too; which alias answers has no influence on it."""
    return traffic is not None and traffic.shadow is not None and place_of("shadow " + key) < traffic.shadow_share


def place_of(key: str) -> float:
    """A key's place in [0, 1): keys that differ are spread evenly."""
    digest = blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
    # The upper 53 bits, as many as a float holds exactly.
    return (int.from_bytes(digest, "big") >> 11) / 2**53
