"""A TCP proxy on the loopback that can cut what runs through it, as a network would."""

import asyncio
import threading
from typing import Any


class Proxy:
    """Passes connections on to a port of this machine, on a thread of its own, from `start` to `close`.

    Attributes
    ----------
    port : where it listens.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._refusing = False
        self._transports: set[asyncio.WriteTransport] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._call(self._listen())

    def drop(self) -> None:
        """End all connections and accept none, until `heal`."""
        self._call(self._cut(refuse=True))

    def hang(self) -> None:
        """Accept everything and deliver nothing, until `heal`; what was sent meanwhile arrives then, late."""
        self._call(self._cut(refuse=False))

    def heal(self) -> None:
        self._call(self._heal())

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self, *, refuse: bool) -> None:
        self._open.clear()
        self._refusing = refuse
        if refuse:
            for transport in list(self._transports):
                transport.abort()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _heal(self) -> None:
        self._refusing = False
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            # The server itself is away.
            writer.transport.abort()
            return
        both = {writer.transport, far_writer.transport}
        self._transports |= both
        pumps = [
            asyncio.ensure_future(self._pump(reader, far_writer)),
            asyncio.ensure_future(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for transport in both:
                transport.abort()
            self._transports -= both

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
            # The end of a connection is news too, and is held back like the rest.
            await self._open.wait()
        except OSError:
            return
