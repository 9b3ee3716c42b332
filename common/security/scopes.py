"""What a caller may do. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """One permission. `admin` has all the others too; the others include nothing but themselves."""

    PREDICT = "predict"
    TRAIN = "train"
    SUBMIT = "submit"
    ADMIN = "admin"


ALL_SCOPES: frozenset[Scope] = frozenset(Scope)


def parse_scopes(given: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their names. Raises ValueError that names what is no scope, and those there are."""
    names = tuple(given)
    wrong = [name for name in names if name not in Scope.__members__.values()]
    if wrong:
        raise ValueError(f"{wrong[0][:40]!r} is no scope; there are {', '.join(Scope)}")
    return frozenset(map(Scope, names))
