"""A client that costs little: one kept connection, the standard library's parser, bodies left as bytes."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psutil

from benchmarks.report import NotMeasured

PREDICT = "/imputation/predict"


class NoAnswer(NotMeasured):
    """The connection was refused, broken or too slow."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    took_s: float
    cache: str
    version: str
    etag: str

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection to a server on this machine, kept open."""

    def __init__(self, port: int, *, timeout_s: float = 60) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return self._ask("GET", path, None, dict(headers or {}))

    def post(self, path: str, body: bytes, *, fresh: bool = False, headers: Mapping[str, str] | None = None) -> Reply:
        """`fresh` asks the server to compute the answer even if it knows it."""
        sent = {"Content-Type": "application/json"} | ({"Cache-Control": "no-cache"} if fresh else {})
        return self._ask("POST", path, body, sent | dict(headers or {}))

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        started = time.perf_counter()
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as exc:
            self._connection.close()
            raise NoAnswer(f"{method} {path}: {type(exc).__name__} {exc}") from exc
        told = (response.getheader(name, "") for name in ("X-Cache", "X-Model-Version", "ETag"))
        return Reply(response.status, content, time.perf_counter() - started, *told)

    @property
    def local_port(self) -> int:
        """0 before the first request."""
        port: int = self._connection.sock.getsockname()[1] if self._connection.sock else 0
        return port


def one_for_each(port: int, pids: list[int], *, timeout_s: float = 60, tries: int = 200) -> dict[int, Client]:
    """A connection to each of the processes that share `port`: which of them takes one is the kernel's choice, so
    connections are opened until each has one.
    """
    found: dict[int, Client] = {}
    for _ in range(tries):
        client = Client(port, timeout_s=timeout_s)
        client.get("/health/live")
        owner = next((pid for pid in pids if client.local_port in peers(pid)), None)
        if owner is None or owner in found:
            client.__exit__(None, None, None)
        else:
            found[owner] = client
        if len(found) == len(pids):
            return found
    raise NoAnswer(f"{tries} connections reached {len(found)} of {len(pids)} processes")


def peers(pid: int) -> set[int]:
    """Ports of the clients that a process is connected to."""
    return {connection.raddr.port for connection in psutil.Process(pid).net_connections("tcp") if connection.raddr}
