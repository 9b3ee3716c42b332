"""Calls to the hosts: each goes to one that answers, and to another one where it does not."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.errors import AtollError, BadRequest, Unavailable
from common.telemetry.logs import get_logger
from models.hosted.hosts.choice import Failed, Host, choose, failed_again
from models.hosted.hosts.names import Names

if TYPE_CHECKING:
    import httpx

log = get_logger("atoll.hosted")

# One caller's calls that are under way at once.
_AT_ONCE = 16
# What another host may answer better; of the rest the caller is told.
_ANOTHER = frozenset({429, 500, 502, 503, 504})


class HostPool:
    """One for each event loop.

    Parameters
    ----------
    given : `MODEL_HOSTS`; empty for this process alone.
    alone : answers a call in this process.
    timeout_s : that a host has to answer.
    """

    def __init__(self, given: Sequence[str], alone: Callable[[Any], Any], timeout_s: float) -> None:
        self._names = Names(given)
        self._is_alone = not given
        self._alone = alone
        self._timeout_s = timeout_s
        self._failed: dict[Host, Failed] = {}
        self._turns = itertools.count()
        self._client: httpx.AsyncClient | None = None

    async def call_each(self, path: str, bodies: Sequence[Any], headers: Mapping[str, str]) -> list[Any]:
        """One call for each body, several at a time; the answers in their order. Raises as `call`."""
        if self._is_alone:
            return [self._alone(body) for body in bodies]
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(body: Any) -> Any:
            async with places:
                return await self.call(path, body, headers)

        tasks = [asyncio.ensure_future(one(body)) for body in bodies]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # Those that are left where one came to nothing.
            for task in tasks:
                task.cancel()

    async def call(self, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        """`POST` a body to one host after the other until one answers; its JSON.

        Raises
        ------
        Unavailable
            No host answers.
        BadRequest
            A host refuses the call.
        """
        hosts = await self._names.hosts()
        tried: set[Host] = set()
        turn = next(self._turns)
        while (host := choose(hosts, self._failed, tried, turn, time.monotonic())) is not None:
            answer = await self._ask(host, path, body, headers)
            if answer is not None:
                self._failed.pop(host, None)
                if answer.is_success:
                    return answer.json()
                raise _refused(answer.status_code, answer.text)
            tried.add(host)
            self._failed[host] = failed_again(self._failed.get(host), time.monotonic())
        if not hosts:
            raise Unavailable("no model host has an address; look at MODEL_HOSTS", retry_after_s=5)
        raise Unavailable(f"none of {len(hosts)} model hosts answers; try again", retry_after_s=1)

    async def _ask(self, host: Host, path: str, body: Any, headers: Mapping[str, str]) -> "httpx.Response | None":
        """The answer, or None where another host may do better."""
        # Only processes that have other hosts need it.
        import httpx

        if self._client is None:
            limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
            self._client = httpx.AsyncClient(timeout=self._timeout_s, limits=limits, trust_env=False)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.post(
                    host.url + path,
                    json=body,
                    headers={**headers, "Host": host.name},
                    # Of TLS the name is verified, not the address.
                    extensions={"sni_hostname": host.name.rpartition(":")[0] or host.name},
                )
        except (httpx.HTTPError, TimeoutError) as exc:
            log.warning("a model host does not answer; another one is asked", host=host.url, error=type(exc).__name__)
            return None
        if answer.status_code in _ANOTHER:
            log.warning("a model host cannot answer; another one is asked", host=host.url, status=answer.status_code)
            return None
        return answer


def _refused(status: int, text: str) -> AtollError:
    return BadRequest(f"a model host refused the call with {status}: {text[:200]}")
