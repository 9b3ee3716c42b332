"""Redis, as something that may be slow or away at any time without anybody being kept waiting.

No request waits for a connection: one is made in the background, and until it is there, and after anything goes
wrong, the caller is told so at once and does without. So Redis costs a request a few milliseconds at worst, and never
an error.
"""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from common.clock import Clock, SystemClock
from common.telemetry.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

log = get_logger("atoll.redis")

# Redis answers in less than one millisecond from the next machine; a request does not wait much longer.
PATIENCE_S = 0.02
_CONNECT_S = 2.0
_CONNECTIONS = 8
PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
# A few slow answers are a hiccup, of this process too.
_SLOW_IN_A_ROW = 3


class Away(Exception):
    """Redis cannot be asked now, or did not answer in time."""


class RedisLink:
    """The connections of one purpose, on one event loop at a time.

    Parameters
    ----------
    url : as redis-py takes it; with the password, so not for logs.
    purpose : for the log.
    patience_s : how long an answer is waited for.
    pause_s : until it is tried again after something went wrong; doubles each time.
    greet : done with each new client before it is used, e.g. to load scripts: a Redis that was restarted has lost them.
    """

    def __init__(
        self,
        url: str,
        purpose: str,
        greet: "Callable[[Redis], Awaitable[object]] | None" = None,
        clock: Clock | None = None,
        *,
        patience_s: float = PATIENCE_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._url = url
        self._purpose = purpose
        self._greet = greet or (lambda client: client.ping())
        self._patience_s = patience_s
        self._monotonic_s = (clock or SystemClock()).monotonic_s
        self._first_pause_s = self._pause_s = pause_s
        self._try_at_s = self._monotonic_s()
        self._slow = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Redis | None = None
        self._connecting: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether Redis is asked at the moment."""
        return self._client is not None

    @property
    def is_connecting(self) -> bool:
        """Whether a connection is being made, or one that failed is being closed."""
        return self._connecting is not None

    @property
    def pause_s(self) -> float:
        """How long the next pause will be."""
        return self._pause_s

    @property
    def client(self) -> "Redis | None":
        """What is used at the moment."""
        return self._client

    async def ask(self, work: "Callable[[Redis], Awaitable[T]]") -> T:
        """`await work(client)`.

        Raises
        ------
        Away
            There is no connection yet, or anything went wrong.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Connections belong to the loop that made them.
            self._loop, self._client, self._connecting = loop, None, None
        client = self._client
        if client is None:
            self._connect_soon(loop)
            raise Away
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await work(client)
        except TimeoutError:
            self._slow += 1
            if self._slow >= _SLOW_IN_A_ROW:
                self._leave(client, "too slow")
            raise Away from None
        # Whatever it is, no request fails for it.
        except Exception as exc:
            self._leave(client, type(exc).__name__)
            raise Away from exc
        self._slow = 0
        return answer

    async def close(self) -> None:
        """Close the connections; the next request makes new ones."""
        client, self._client = self._client, None
        if self._connecting is not None:
            self._connecting.cancel()
        if client is not None:
            await _close(client)

    def _connect_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._connecting is None and self._monotonic_s() >= self._try_at_s:
            # Not as a part of the request that happens to be there, whose id would stand in the log.
            self._connecting = loop.create_task(self._connect(), context=contextvars.Context())

    async def _connect(self) -> None:
        client = None
        try:
            # Importing takes a tenth of a second.
            client = await asyncio.to_thread(_make_client, self._url)
            async with asyncio.timeout(_CONNECT_S):
                await self._greet(client)
        except Exception as exc:  # noqa: BLE001  # whatever it is, it is tried again later
            if client is not None:
                await _close(client)
            self._wait(type(exc).__name__)
        else:
            self._client, self._slow, self._pause_s = client, 0, self._first_pause_s
            log.info("redis is used", purpose=self._purpose)
        finally:
            self._connecting = None

    def _leave(self, client: "Redis", reason: str) -> None:
        if self._client is client:
            self._client = None
            self._wait(reason)
            # The connections of requests under way end with their requests.
            self._connecting = asyncio.get_running_loop().create_task(self._closed(client))

    async def _closed(self, client: "Redis") -> None:
        try:
            await _close(client)
        finally:
            self._connecting = None

    def _wait(self, reason: str) -> None:
        # Not all processes at the same moment.
        self._try_at_s = self._monotonic_s() + self._pause_s * random.uniform(0.5, 1)
        log.warning("redis cannot be used", purpose=self._purpose, reason=reason, pause_s=self._pause_s)
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)


def _make_client(url: str) -> "Redis":
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_CONNECT_S,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_CONNECT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


async def _close(client: "Redis") -> None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            await client.aclose()
    except Exception as exc:  # noqa: BLE001  # it is gone either way
        log.debug("redis connection cannot be closed", reason=type(exc).__name__)
