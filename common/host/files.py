"""How many files, and so connections, this process may have open."""

import contextlib

# What is usual where nobody sets it.
_USUAL = 1024
# More than any one process can serve.
_ENOUGH = 8192


def file_limit() -> int:
    """The limit, once it was raised as far as it may be and is of use: what a login shell gets is small."""
    try:
        import resource
    except ImportError:
        return _USUAL
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(_ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _ENOUGH if soft == resource.RLIM_INFINITY else int(soft)
