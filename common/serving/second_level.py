"""The cache behind the one in memory: shared by processes and machines. See `common.serving.redis_cache`."""

from collections.abc import Sequence
from typing import Protocol


class SecondLevel(Protocol):
    """It may be slow or away: both calls return soon then, with nothing found and nothing kept, and never raise."""

    async def get(self, names: Sequence[bytes]) -> list[bytes | None]:
        """The value of each name; None for those that are not known."""

    def put(self, name: bytes, value: bytes, ttl_s: float) -> None:
        """Keep a value for a while; done in the background, with others that come at the same time."""
