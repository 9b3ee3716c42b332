"""What tells whether two runs are of the same: their signature. Pure.

A listener that knows the stages sends one of its own. Without it, the system, the algorithm and those of its arguments
that are no numbers make one: paths and sizes differ from run to run, and the deadline is no part of what is run.
"""

import hashlib

from models.scaleout.records import Context

_PATHS = ("/", "\\", "://")


def signature_of(context: Context) -> str:
    """32 hexadecimal digits; equal for runs that can be compared job by job."""
    parts = [context.system.lower(), context.algorithm.lower()]
    parts += [argument for argument in context.arguments if names_something(argument)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def names_something(argument: str) -> bool:
    """Whether an argument chooses what is done, not how much of it or where."""
    if any(mark in argument for mark in _PATHS):
        return False
    try:
        float(argument)
    except ValueError:
        return True
    return False
