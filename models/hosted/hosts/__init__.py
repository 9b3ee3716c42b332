"""Other hosts that serve the same models: which there are, which answer, and calls that survive the death of one.

`HostPool` is what routes use; without `MODEL_HOSTS` it is this process alone, and nothing leaves it.
"""

from models.hosted.hosts.identity import host_id
from models.hosted.hosts.pool import HostPool

__all__ = ["HostPool", "host_id"]
