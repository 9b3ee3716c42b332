"""Head and body of an answer in one piece: one system call and one packet instead of two.

uvicorn writes the head when the app sends it and the body when that comes. Most apps send both without a pause in
between; of a small answer each write is a tenth of what the whole request costs.
"""

import asyncio
from typing import Any

_CONTINUE = b"HTTP/1.1 100 "


class JoinedWrites:
    """Stands for the transport towards one answer; everything but the first write goes through.

    The head waits for the body until the event loop comes round, no longer.
    """

    __slots__ = ("_flush_soon", "_has_begun", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._has_begun = False
        self._flush_soon: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        if self._head:
            self._forget()
            self._transport.write(self._take() + data)
        elif self._has_begun or data.startswith(_CONTINUE):
            self._transport.write(data)
        else:
            self._has_begun = True
            self._head = data
            self._flush_soon = self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        self._forget()
        if self._head and not self._transport.is_closing():
            self._transport.write(self._take())

    def _take(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def _forget(self) -> None:
        if self._flush_soon is not None:
            self._flush_soon.cancel()
            self._flush_soon = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
