"""Asking a public source: one request after the other, patiently, and never twice for what is known.

The address is the operator's own choice, made on this machine, so this is plain httpx with time limits; `common.http.
outbound` is for addresses that callers of the API name.
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

import httpx

from common.clock import Clock, SystemClock, new_id
from common.errors import DependencyFailed, NotFound
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

    Attributes:
        requests: sent, repeated ones included. from_cache: answers that took none.
    """

    def __init__(
        self,
        cache: Path,
        *,
        fresh: bool = False,
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
        self._client = httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, headers={"User-Agent": f"atoll/{VERSION} (datasets pull)"}
        )

    def __enter__(self) -> "Fetcher":
        self._cache.mkdir(parents=True, exist_ok=True)
        for path in self._cache.iterdir():
            if not self._is_young(path):
                path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

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
                answer = self._client.get(url)
            except httpx.ConnectError as exc:
                # Nothing was there from the start: waiting would only hide it.
                if not self._has_answered:
                    raise _away(url, str(exc) or "no connection") from None
                reason = "the connection was refused"
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as exc:
                raise _away(url, str(exc)) from None
            except httpx.HTTPError as exc:
                reason = str(exc) or type(exc).__name__
            else:
                self._has_answered = True
                if answer.status_code in _PASSING:
                    reason = f"answered {answer.status_code}"
                    retry_after = answer.headers.get("retry-after")
                elif not answer.is_success:
                    # The source's own words, where it has some.
                    with suppress(ValueError, DependencyFailed):
                        parse(answer.content)
                    raise NotFound(f"{_shown(url)} answered {answer.status_code}; --base-url takes another address")
                else:
                    try:
                        return answer.content, parse(answer.content)
                    except ValueError:
                        reason = "the answer cannot be read"
            delay_s = next_try_s(tries, retry_after, random.random())
            if delay_s is None:
                raise _away(url, reason)
            self._sleep(delay_s)

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
