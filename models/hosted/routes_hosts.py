"""`POST /hosted/host`: what a host answers to the call of another one."""

import asyncio
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from models.hosted.hosts import HostPool, host_id
from models.hosted.uploading import runtime_of

router = APIRouter()

PATH = "/hosted/host"
# Who calls here may call there; nothing else of a request goes on.
_FORWARDED = ("authorization", "x-api-key")
# A connection belongs to its event loop.
_pools: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, ...], HostPool]]" = WeakKeyDictionary()


class Ping(BaseModel):
    """Something to be told back."""

    model_config = ConfigDict(extra="forbid")

    data: Any = Field(None, description="Any JSON.", examples=["ONE"])


class Pong(BaseModel):
    """What a host answered."""

    id: str = Field(description="Of the process that answered; the same as long as it lives.")
    data: Any = Field(description="What it was sent.")


@router.post("/host", summary="Which host answers")
async def post_host(body: Ping) -> Pong:
    return Pong(**_answer({"data": body.data}))


async def call_hosts(request: Request, data: Sequence[Any]) -> list[dict[str, Any]]:
    """One call to the hosts for each item: `id` of the one that answered, and the item as it came back.

    Raises
    ------
    Unavailable
        No host answers.
    """
    hosting = runtime_of(request).settings.hosting
    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    pool = pools.get(hosting.model_hosts)
    if pool is None:
        pool = pools[hosting.model_hosts] = HostPool(hosting.model_hosts, _answer, hosting.model_host_timeout_s)
    headers = {name: value for name in _FORWARDED if (value := request.headers.get(name)) is not None}
    return await pool.call_each(PATH, [{"data": item} for item in data], headers)


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": host_id(), "data": body["data"]}
