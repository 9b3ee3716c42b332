"""Telling what went wrong because something that Atoll needs is away, from Atoll's own mistakes."""

import sys

from common.errors import DependencyFailed

_RETRY_AFTER_S = 5
# SQLite's answer to a statement that cannot be run, such as one about a table that is not there.
_SQLITE_ERROR = 1
_CONNECTION_ERRORS = ("OperationalError", "InterfaceError", "TimeoutError")


def dependency_down(exc: BaseException) -> DependencyFailed | None:
    """The answer to an error of the database's connection; None for any other error."""
    # Not imported here: it is slow to import, and where it is not there already, no error is one of its own.
    errors = sys.modules.get("sqlalchemy.exc")
    # Another thread may be importing it just now; until that is done, some names are missing.
    kinds = tuple(getattr(errors, name) for name in _CONNECTION_ERRORS if hasattr(errors, name))
    if not isinstance(exc, kinds):
        return None
    if getattr(getattr(exc, "orig", None), "sqlite_errorcode", None) == _SQLITE_ERROR:
        return None
    return DependencyFailed(
        "the database cannot be used at the moment; try again", headers={"Retry-After": str(_RETRY_AFTER_S)}
    )
