"""The inference runtime: a bounded pool for CPU work, results kept by content, equal requests computed once.

A plugin's route calls `answer` (below) and gets all three.
"""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from common.serving.answers import Answers

__all__ = ["Answers", "answer"]


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
