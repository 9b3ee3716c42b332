"""API keys: made once, shown once, kept as hashes; told from memory, and revoked everywhere within seconds.

`Keys` is what a process holds of them.
"""

from common.security.keys.held import Keys

__all__ = ["Keys"]
