"""Asking a public source: one request after the other, patiently, and never twice for what is known.

A source is on the internet, or where the operator says (`--base-url`). It cannot send a pull anywhere else: each
address, those of redirects too, is looked up once, checked and connected to as checked (`common.http.outbound`).
Through a proxy of the environment (`HTTPS_PROXY`) names are the proxy's to look up; addresses are checked all the same.
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from common.clock import Clock, SystemClock, new_id
from common.errors import DependencyFailed, NotFound
from common.http.addresses import Allowance, Refused
from common.http.outbound import Limits, Outbound
from common.version import VERSION

T = TypeVar("T")

# Long enough to go on after a broken night, short against how often the sources publish.
KEPT = timedelta(days=1)
TRIES = 5
_BASE_S, _CAP_S = 1.0, 30.0
# A source that asks for more patience is left alone.
_LONGEST_S = 120.0
_PASSING = frozenset({429, 500, 502, 503, 504})
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LIMITS = Limits(connect_s=10.0, read_s=60.0, total_s=600.0)
_HEADERS = {"User-Agent": f"atoll/{VERSION} (datasets pull)"}
_REDIRECTS = 5
# The largest of the sources' files has 10 MB.
_MAX_BYTES = 500_000_000


def next_try_s(tries: int, retry_after: str | None, dice: float) -> float | None:
    """Seconds until a failed request is sent again, None to give up.

    Args:
        tries: requests sent so far.
        retry_after: the header, if there was one; dates are not read.
        dice: a random number in [0, 1), so that many clients do not come back at once.
    """
    if tries >= TRIES:
        return None
    if retry_after is not None and retry_after.isascii() and retry_after.isdecimal():
        asked_s = float(retry_after)
        return asked_s if asked_s <= _LONGEST_S else None
    return min(_CAP_S, _BASE_S * 2.0 ** (tries - 1)) * (1 - dice / 2)


class Fetcher:
    """Answers by address, from the source or from `cache`, a folder with a file an answer.

    Args:
        mirror: address that the operator named; its host may be private, and answer by plain http.

    Attributes:
        requests: sent, repeated ones included. from_cache: answers that took none.
    """

    def __init__(
        self,
        cache: Path,
        *,
        fresh: bool = False,
        mirror: str | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.requests = 0
        self.from_cache = 0
        self._cache = cache
        self._fresh = fresh
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._has_answered = False
        host = urlsplit(mirror).hostname if mirror else None
        self._allow = Allowance(hosts=frozenset({host.lower().rstrip(".")} if host else ()))
        self._direct = Outbound(self._allow, _LIMITS).client()
        self._proxied: dict[str, httpx.Client] = {}

    def __enter__(self) -> "Fetcher":
        self._cache.mkdir(parents=True, exist_ok=True)
        for path in self._cache.iterdir():
            if not self._is_young(path):
                path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in (self._direct, *self._proxied.values()):
            client.close()

    def get(self, address: str, params: Mapping[str, str], parse: Callable[[bytes], T], *, fresh: bool = False) -> T:
        """What `parse` makes of the answer. Only what it accepts is kept.

        Args:
            parse: raises ValueError for an answer that was cut or garbled, which is asked for again; any other error
                ends the pull.
            fresh: whether to pass over the cache.

        Raises:
            NotFound: the source has no such thing.
            DependencyFailed: it does not answer.
        """
        url = httpx.URL(address, params=dict(params))
        path = self._cache / hashlib.sha256(str(url).encode()).hexdigest()
        if not (fresh or self._fresh) and self._is_young(path):
            try:
                kept = parse(path.read_bytes())
            except (OSError, ValueError):
                pass
            else:
                self.from_cache += 1
                return kept
        body, parsed = self._ask(url, parse)
        self._keep(path, body)
        return parsed

    def _ask(self, url: httpx.URL, parse: Callable[[bytes], T]) -> tuple[bytes, T]:
        tries = 0
        while True:
            tries += 1
            self.requests += 1
            retry_after = None
            try:
                status, headers, body = self._send(url)
            except Refused as exc:
                raise _away(url, f"it {exc}") from None
            except httpx.ConnectError as exc:
                # Nothing was there from the start: waiting would only hide it.
                if not self._has_answered:
                    raise _away(url, str(exc) or "no connection") from None
                reason = "the connection was refused"
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.DecodingError) as exc:
                raise _away(url, str(exc)) from None
            except httpx.HTTPError as exc:
                reason = str(exc) or type(exc).__name__
            else:
                self._has_answered = True
                if status in _PASSING:
                    reason = f"answered {status}"
                    retry_after = headers.get("retry-after")
                elif not 200 <= status < 300:
                    # The source's own words, where it has some.
                    with suppress(ValueError, DependencyFailed):
                        parse(body)
                    raise NotFound(f"{_shown(url)} answered {status}; --base-url takes another address")
                else:
                    try:
                        return body, parse(body)
                    except ValueError:
                        reason = "the answer cannot be read"
            delay_s = next_try_s(tries, retry_after, random.random())
            if delay_s is None:
                raise _away(url, reason)
            self._sleep(delay_s)

    def _send(self, url: httpx.URL) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body of an answer; of the last one, where the source leads on."""
        for _ in range(_REDIRECTS + 1):
            # Queries with all countries are longer than any address that a caller may name.
            self._allow.check_url(str(url.copy_with(query=None)))
            with self._client(url).stream("GET", url, headers=_HEADERS) as answer:
                following = answer.next_request
                if following is not None:
                    url = following.url
                    continue
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise httpx.DecodingError(f"it is larger than {_MAX_BYTES} bytes")
                return answer.status_code, answer.headers, bytes(body)
        raise httpx.TooManyRedirects(f"it leads on more than {_REDIRECTS} times")

    def _client(self, url: httpx.URL) -> httpx.Client:
        proxy = None if proxy_bypass(url.host) or self._allow.has_host(url.host) else getproxies().get(url.scheme)
        if proxy is None:
            return self._direct
        if proxy not in self._proxied:
            # Of the environment nothing else counts: no `.netrc` sends a password along.
            self._proxied[proxy] = httpx.Client(proxy=proxy, trust_env=False, timeout=_TIMEOUT)
        return self._proxied[proxy]

    def _keep(self, path: Path, body: bytes) -> None:
        scratch = path.with_name(f".{new_id()}")
        try:
            scratch.write_bytes(body)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)

    def _is_young(self, path: Path) -> bool:
        try:
            age_s = self._clock.now().timestamp() - path.stat().st_mtime
        except OSError:
            return False
        return age_s < KEPT.total_seconds()


def _away(url: httpx.URL, reason: str) -> DependencyFailed:
    return DependencyFailed(
        f"no answer from {_shown(url)}: {reason}. What was answered so far is kept for a day; the same command goes on "
        "from there. --base-url takes another address"
    )


def _shown(url: httpx.URL) -> str:
    """Without what an operator may have put in as a credential."""
    return str(url.copy_with(userinfo=b"", query=None))
