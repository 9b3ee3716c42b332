"""Which values of the environment are secrets."""

import os
import re

_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|(?:^|_)KEYS?(?:_|$)|CONNECTION|SAS|_URL$|Storage$", re.I
)
# Shorter values ("true", "1") stand in too many innocent texts.
_SECRET_CHARS = 8


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def secret_values() -> tuple[str, ...]:
    """Values of this process's environment that must not appear in a log, an error or a job's record; longest first.

    Plugins have secrets of their own, so they are told by the names that variables usually have.
    """
    found = {value for name, value in os.environ.items() if len(value) >= _SECRET_CHARS and is_secret(name)}
    return tuple(sorted(found, key=len, reverse=True))
