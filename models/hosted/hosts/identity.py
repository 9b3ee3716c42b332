"""The name by which this process tells itself from others."""

import os

from common.clock import new_id

# By process, since a fork would have the one of its parent.
_ids: dict[int, str] = {}


def host_id() -> str:
    """The same as long as the process lives, and nobody else's."""
    return _ids.setdefault(os.getpid(), new_id())
