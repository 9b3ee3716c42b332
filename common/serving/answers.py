"""Answers that are computed once and kept: the way of a prediction from key to bytes."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response

from common.serving.cache import ByteCache
from common.serving.gone import unless_gone
from common.serving.pool import WorkPool
from common.serving.single_flight import SingleFlight
from common.telemetry import metrics

# nginx's status for it; nobody sees it but the log and the metrics.
_CLIENT_CLOSED_REQUEST = 499


class Answers:
    """Joins the cache, single flight and the pool. One a process."""

    def __init__(self, pool: WorkPool, cache: ByteCache) -> None:
        self._pool = pool
        self._cache = cache
        self._flights: SingleFlight[bytes] = SingleFlight()

    async def answer(self, request: Request, key: Iterable[str], compute: Callable[[], Any]) -> Response:
        """See `common.serving.answer`. `Cache-Control: no-cache` computes anew, `no-store` also keeps nothing."""
        digest = _digest(key)
        asked = request.headers.get("cache-control", "")
        fresh, keep = "no-cache" in asked or "no-store" in asked, "no-store" not in asked
        body = None if fresh else self._cache.get(digest)
        hit = body is not None
        if body is None:
            # A fresh answer is shared only with others who asked for a fresh one.
            flight = digest + (b"fresh" if fresh else b"")
            computed = await unless_gone(request, self._flights.run(flight, lambda: self._pool.run(_encode, compute)))
            if computed is None:
                return Response(status_code=_CLIENT_CLOSED_REQUEST)
            body = computed
            if keep:
                self._cache.put(digest, body)
                metrics.CACHE_BYTES.set(self._cache.size_bytes)
        metrics.CACHE_ANSWERS.labels("hit" if hit else "miss").inc()
        return Response(body, media_type="application/json", headers={"X-Cache": "hit" if hit else "miss"})


def _encode(compute: Callable[[], Any]) -> bytes:
    """On the pool's thread too: a large body takes milliseconds to write."""
    return orjson.dumps(compute(), option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _digest(parts: Iterable[str]) -> bytes:
    """A key of 32 bytes; lengths go in, so that ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()
