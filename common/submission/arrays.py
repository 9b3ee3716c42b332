"""The indices of an array, in order. Pure."""

from common.errors import Invalid

MAX_ELEMENTS = 10_000


def indices(array: str) -> tuple[list[int], int | None]:
    """The indices that an expression names, ascending and once each, and how many may run at once.

    Raises
    ------
    Invalid
        It names none, or too many.
    """
    ranges, _, at_once = array.partition("%")
    found: set[int] = set()
    for part in ranges.split(","):
        bounds, _, step = part.partition(":")
        first, _, last = bounds.partition("-")
        if step and int(step) == 0:
            raise Invalid.field("array", "has a step of 0; send e.g. 0-9:3", array)
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
        if len(found) > MAX_ELEMENTS:
            raise Invalid.field("array", f"has more than {MAX_ELEMENTS} elements", array)
    if not found:
        raise Invalid.field("array", "names no element; send e.g. 0-9", array)
    if at_once and int(at_once) == 0:
        raise Invalid.field("array", "lets none run at once; send e.g. 0-9%2", array)
    return sorted(found), int(at_once) if at_once else None
