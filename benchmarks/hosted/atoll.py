"""Atoll's own server and a client that asks it, for what is measured without peers."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hosted.bench import Bench
from benchmarks.hosted.contestants import lean
from benchmarks.report import NotMeasured
from benchmarks.server import Server

_ROW = {"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [1, 1, 1, 1]}]}
_BODY = json.dumps(_ROW, separators=(",", ":")).encode()


@contextmanager
def serving(bench: Bench, state: Path, **settings: str) -> Iterator[Server]:
    with Server(state, state, cpus=bench.server_cpus, settings=lean(state, **settings)) as server:
        yield server


class Caller:
    """One kept connection, read by hand: the client shares a CPU with its like."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "Caller":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def infer(self, model: str) -> tuple[int, bytes, float]:
        """Status, body, seconds."""
        head = (
            f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(_BODY)}\r\n\r\n"
        )
        return await self.send(head.encode() + _BODY)

    async def send(self, request: bytes) -> tuple[int, bytes, float]:
        began = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        body = await self._reader.readexactly(length)
        return int(head.split(b" ", 2)[1]), body, time.perf_counter() - began


def metric(text: str, name: str) -> float:
    """The sum of a metric's series. Raises NotMeasured where there is none."""
    values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    if not values:
        raise NotMeasured(f"/metrics has no {name}")
    return sum(values)
