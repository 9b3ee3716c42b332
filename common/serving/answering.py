"""What routes call: one answer from the cache or computed, or those of many items in common batches."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from common.errors import TooLarge
from common.http.written import WrittenJson
from common.serving.answers import Answers
from common.serving.asked import asked_by
from common.serving.gone import unless_gone
from common.serving.items import Answered, Looked

# nginx's status for it; nobody sees it but the log and the metrics.
_CLIENT_CLOSED_REQUEST = 499


async def answer(request: Request, key: Iterable[str], compute: Callable[[], Any]) -> Response:
    """The JSON answer of `compute()`, from the cache, from an equal request under way, or computed on a thread.

    Parameters
    ----------
    key : everything the answer depends on: code version, digest of the data, the request itself. Two requests with
        equal keys get equal bytes.
    compute : makes the body: anything orjson can write, NumPy arrays too (NaN becomes null).

    Raises
    ------
    Busy
        The queue for predictions is full.
    """
    answers: Answers = request.app.state.runtime.answers
    return await answers.answer(request, key, compute)


async def answer_items(
    request: Request, model: str, items: Sequence[Any], *, around: tuple[bytes, bytes] = (b"[", b"]")
) -> Response:
    """The JSON answer that holds the result of each item, in their order.

    Parameters
    ----------
    model : name of the plugin, which declares `predict_batch`.
    around : what stands before and after the results, which are separated by commas.

    Raises
    ------
    TooLarge
        There are more than `MAX_ITEMS`.
    Exception
        That of the first item that failed.
    Busy, TooManyRequests, Unavailable
        The queue is full, this caller holds half of it, or `X-Timeout-Ms` has passed.
    """
    runtime = request.app.state.runtime
    most = runtime.settings.serving.max_items
    if len(items) > most:
        raise TooLarge(f"{len(items)} items are more than one request may hold; send at most {most} at a time")
    server = runtime.items[model]
    asked = asked_by(request)
    looked = server.look(items, asked)
    answered = looked if isinstance(looked, Answered) else None
    if isinstance(looked, Looked):
        answered = await unless_gone(request, server.predict(items, asked, looked))
    if answered is None:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)
    runtime.sampler.offer_items(model, items, answered.outcomes)
    body = around[0] + b",".join(answered.outcomes) + around[1]
    return WrittenJson(body, (b"x-cache", answered.cache.encode()))
