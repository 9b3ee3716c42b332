import asyncio
from collections.abc import Callable

import pytest

from common.host.joined import JoinedWrites


class Written(asyncio.Transport):
    """Keeps what is written to it, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def pieces(send: Callable[[JoinedWrites], None], later: Callable[[JoinedWrites], None] | None = None) -> Written:
    """What comes of writing, and of writing more when the event loop has come round."""
    transport = Written()

    async def main() -> None:
        joined = JoinedWrites(transport, asyncio.get_running_loop())
        send(joined)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if later is not None:
            later(joined)

    asyncio.run(main())
    return transport


def test_head_and_body_that_come_together_are_one_piece() -> None:
    def send(joined: JoinedWrites) -> None:
        for part in (b"head ", b"body", b" more"):
            joined.write(part)

    assert pieces(send).pieces == [b"head body", b" more"]


def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    found = pieces(lambda joined: joined.write(b"head "), lambda joined: joined.write(b"body"))
    assert found.pieces == [b"head ", b"body"]


def test_what_tells_the_caller_to_go_on_is_no_head() -> None:
    def send(joined: JoinedWrites) -> None:
        joined.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        joined.write(b"head ")
        joined.write(b"body")

    assert pieces(send).pieces == [b"HTTP/1.1 100 Continue\r\n\r\n", b"head body"]


def test_a_head_without_a_body_goes_out_before_the_end() -> None:
    def send(joined: JoinedWrites) -> None:
        joined.write(b"head")
        joined.close()

    found = pieces(send)
    assert (found.pieces, found.is_closed) == ([b"head"], True)


@pytest.mark.parametrize("name", ["is_closing", "get_extra_info"])
def test_all_else_is_the_transports(name: str) -> None:
    async def main() -> None:
        transport = Written()
        joined = JoinedWrites(transport, asyncio.get_running_loop())
        assert getattr(joined, name) == getattr(transport, name)

    asyncio.run(main())
