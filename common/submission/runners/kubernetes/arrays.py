"""The indices of an array, as Kubernetes writes them. Pure."""

from common.submission.arrays import MAX_ELEMENTS, indices

__all__ = ["MAX_ELEMENTS", "indices", "members"]


def members(intervals: str) -> set[int]:
    """The numbers in what Kubernetes writes as `1,3-5`."""
    found: set[int] = set()
    for part in filter(None, intervals.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
