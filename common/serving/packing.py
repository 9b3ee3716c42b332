"""Which waiting items go into one batch. Pure."""

from collections.abc import Sequence


def pack(costs: Sequence[int], budget: int, max_items: int) -> list[int]:
    """Places of the items to run together, the first one among them.

    A batch is as wide as its widest item, since the others are padded to it: it costs `widest x number`. Items of like
    cost go together, so that little is padding; the first one, which has waited longest, is never left out, however
    wide.

    Parameters
    ----------
    costs : of the waiting items in the order of their turn; e.g. tokens of a text, 1 for a row.
    budget : most that a batch may cost; an item that is wider runs alone.
    max_items : most items in a batch.

    Returns
    -------
    Ascending by cost; equal ones in the order of their turn.
    """
    order = sorted(range(len(costs)), key=lambda place: (costs[place], place))
    if not order:
        return []
    first = order.index(0)
    low = high = first
    # From the first one outwards, the nearer in cost before the farther.
    while high - low + 1 < max_items:
        below = costs[order[low]] - costs[order[low - 1]] if low > 0 else None
        above = costs[order[high + 1]] - costs[order[high]] if high + 1 < len(order) else None
        count = high - low + 2
        if above is not None and costs[order[high + 1]] * count > budget:
            above = None
        if below is not None and costs[order[high]] * count > budget:
            below = None
        if above is not None and (below is None or above < below):
            high += 1
        elif below is not None:
            low -= 1
        else:
            break
    return order[low : high + 1]
