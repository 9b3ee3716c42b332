"""Which host is asked next. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Host:
    """Where a host is reached.

    Parameters
    ----------
    url : scheme, address and port.
    name : what it was called by before it was looked up, for the Host header and TLS.
    """

    url: str
    name: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A host that did not answer: how often in a row, and when it is asked again, in seconds of the monotonic clock."""

    times: int
    until_s: float


def failed_again(before: Failed | None, now_s: float) -> Failed:
    """After another failure: twice the pause, at most half a minute."""
    times = (before.times if before else 0) + 1
    pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(times - 1, 10))
    return Failed(times, now_s + pause_s)


def choose(
    hosts: Sequence[Host], failed: Mapping[Host, Failed], tried: Collection[Host], turn: int, now_s: float
) -> Host | None:
    """The next host for a call.

    Those that answer take turns. One that did not is left out for its pause; where only such are left, the one whose
    pause ends first is asked all the same.

    Parameters
    ----------
    tried : hosts that this call came to nothing on; asked no second time.
    turn : counts calls.

    Returns
    -------
    None where all have been tried.
    """
    left = [host for host in hosts if host not in tried]
    if not left:
        return None
    well = [host for host in left if host not in failed or failed[host].until_s <= now_s]
    if well:
        return well[turn % len(well)]
    return min(left, key=lambda host: failed[host].until_s)
