"""When to ask again. Pure: the time that has passed and the dice are given."""

from dataclasses import dataclass

from common.client.calls import Answer, Call, Loss, Lost, Repeat

_POLL_FIRST_S = 0.25
_POLL_CAP_S = 2.0
# What stands before a server says these of it: it broke off, it took too long.
_GATEWAY = {502: Loss.BROKEN, 504: Loss.SLOW}


@dataclass(frozen=True)
class Policy:
    """How patient to be.

    Attributes
    ----------
    tries : calls in all, the first included.
    for_s : no try begins later than this after the first.
    base_s, cap_s : the wait before the second try, and the longest; each is twice the one before, less up to half.
    """

    tries: int = 4
    for_s: float = 60.0
    base_s: float = 0.25
    cap_s: float = 5.0


# Somebody who waits for a job waits through a restart of the server.
WAITING = Policy(tries=60, for_s=120.0)


def next_try_s(
    call: Call, outcome: Answer | Lost, tries: int, elapsed_s: float, policy: Policy, dice: float
) -> float | None:
    """Seconds to wait before the same call is made again; None to leave it.

    Parameters
    ----------
    tries : calls made so far.
    elapsed_s : time since the first began.
    dice : a random number in [0, 1), so that many clients do not come back at once.
    """
    if tries >= policy.tries or not _may_repeat(call, outcome):
        return None
    delay_s = min(policy.cap_s, policy.base_s * 2.0 ** (tries - 1)) * (1 - dice / 2)
    asked_s = outcome.retry_after_s if isinstance(outcome, Answer) else None
    if asked_s is not None:
        # Later than told is as good; sooner is not.
        delay_s = asked_s + delay_s * dice
    return delay_s if elapsed_s + delay_s <= policy.for_s else None


def _may_repeat(call: Call, outcome: Answer | Lost) -> bool:
    if isinstance(outcome, Answer):
        if outcome.status in (429, 503):
            return True
        # Something that the server needs is away, and it cannot know how far it came.
        is_passing = outcome.status == 424 and outcome.retry_after_s is not None
        if outcome.status not in _GATEWAY and not is_passing:
            return False
        loss = _GATEWAY.get(outcome.status, Loss.BROKEN)
    else:
        loss = outcome.loss
    if loss is Loss.NOTHING_SENT or call.repeat is Repeat.ALWAYS:
        return True
    return call.repeat is Repeat.UNLESS_SLOW and loss is Loss.BROKEN


def next_poll_s(unchanged: int, asked_s: float | None) -> float:
    """Seconds until a job is looked at again: longer the longer nothing happens, and not before the server likes."""
    return max(asked_s or 0.0, min(_POLL_CAP_S, _POLL_FIRST_S * 2.0 ** min(unchanged, 8)))
