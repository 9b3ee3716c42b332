"""uvicorn's HTTP/1.1 with bounds that it lacks: how long a request's header may take and how large it may be, how many
connections there are, how long one may leave an answer unread; and a few requests refused that two servers could read
differently (RFC 9112, 11.2).

The parser (llhttp) refuses most of those by itself. Bodies are bounded where they are read (`common.http.limit`).
What is refused here is answered as everywhere (problem+json), and its connection closed.

Only what is unusual costs anything: a request that comes in one piece sets no timer.
"""

import asyncio
import uuid
from collections import Counter
from typing import Any, ClassVar

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from common.errors import (
    PROBLEM_JSON,
    AtollError,
    BadRequest,
    HeaderTooLarge,
    RequestTimeout,
    Unavailable,
    problem,
)
from common.host.files import file_limit
from common.host.joined import JoinedWrites
from common.http.headers import completed
from common.security.limits.client import named, parsed
from common.settings import get_settings
from common.telemetry.logs import get_logger

log = get_logger("atoll.http")

MAX_HEAD_BYTES = 65_536
# Closed at once, a connection takes an answer that was not read yet with it.
_LINGER_S = 3.0
_LINGER_BYTES = 2_000_000
# Requests on one connection that wait for the answers before theirs; browsers send none, and 64 kB hold thousands.
_MAX_WAITING = 50
# Of `REQUEST_READ_TIMEOUT_S`: in that time some of an answer has to be read, if there is more than fits on the way.
_UNREAD_TIMES = 3
# Files that are no connections: databases, models, logs.
_OTHER_FILES = 128
# Of all connections, one address may have this part; a trusted proxy any number.
_SHARE = 4


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    # Of this process.
    _by_peer: ClassVar[Counter[str]] = Counter()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        limits = get_settings().limits
        self._timeout_s = limits.read_timeout_s
        self._trusted = limits.trusted_proxies
        self._peer = ""
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._refusal: AtollError | None = None
        self._is_over = False
        self._in_head = False
        self._head_bytes = 0
        self._discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._peer = named(self.client[0]) if self.client else ""
        self._by_peer[self._peer] += 1
        most = max(1, file_limit() - _OTHER_FILES)
        if len(self.connections) > most or (self._by_peer[self._peer] > most // _SHARE and not self._is_proxy()):
            self._refuse(Unavailable("too many connections; close those you do not use", retry_after_s=self._timeout_s))
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        if self._unread is not None:
            self._unread.cancel()
        self._by_peer[self._peer] -= 1
        if self._by_peer[self._peer] <= 0:
            del self._by_peer[self._peer]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            # Whoever sends before reading has to be rid of it to find the answer.
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.flow.pause_reading()
            return
        was_in_head = self._in_head
        super().data_received(data)
        if self._has_refused():
            return
        if self._in_head:
            # The parser tells a header when it is complete: of one that goes on and on nothing.
            self._head_bytes += len(data) if was_in_head else 0
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_too_large())
                return
        if self._in_head or self._is_idle():
            self._expect_head()
        elif not self._is_answered():
            self._cancel_timer()

    def eof_received(self) -> None:
        if self._is_over:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        # Without a word: it would have to wait behind what is not read.
        self._unread = self.loop.call_later(_UNREAD_TIMES * self._timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    # The parser's callbacks. What they raise ends in `send_400_response`.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES:
            self._raise(_too_large())
        told = _ambiguity(self.parser.get_http_version(), self.headers)
        if told:
            self._raise(BadRequest(f"{told}; send HTTP/1.1 as RFC 9112 has it"))
        if len(self.pipeline) >= _MAX_WAITING:
            self._raise(BadRequest("too many requests wait on this connection; wait for their answers"))
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = JoinedWrites(self.transport, self.loop)  # type: ignore[assignment]  # as one
        if self.parser.should_upgrade():
            # Nobody here speaks what would follow.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            # The rest of a body that nobody wanted.
            self.cycle.more_body = False
            self._cancel_timer()

    def on_response_complete(self) -> None:
        has_more = self.cycle is not None and self.cycle.more_body and not self.pipeline
        super().on_response_complete()
        if not has_more or self.transport.is_closing():
            return
        if self.expect_100_continue:
            # The caller was not told to send the body. Who knows what comes next?
            self.transport.close()
        else:
            self._cancel_timer()
            self._timer = self.loop.call_later(_LINGER_S, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or BadRequest("the request is not well-formed; send HTTP/1.1 as RFC 9112 has it"))

    def _raise(self, refusal: AtollError) -> None:
        self._refusal = refusal
        raise refusal

    def _expect_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._timeout_s, self._on_timeout)

    def _on_timeout(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The one before is still being answered.
            self._expect_head()
        elif self._in_head:
            self._refuse(RequestTimeout(f"the header did not come within {self._timeout_s:g} s"))
        else:
            self.transport.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _has_refused(self) -> bool:
        return self._is_over

    def _is_idle(self) -> bool:
        """No request is there, nor a part of one: line ends between requests, say."""
        return self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body)

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _is_proxy(self) -> bool:
        address = parsed(self.client[0]) if self.client else None
        return address is not None and any(address in network for network in self._trusted)

    def _refuse(self, error: AtollError) -> None:
        """Answer, read no more, and close once the caller can have read it."""
        self._is_over = True
        self._cancel_timer()
        self._unset_keepalive_if_required()
        request_id = uuid.uuid4().hex
        log.info("refused", status=error.status, reason=error.detail, request_id=request_id)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or self.pipeline:
                # An answer is on its way, of which this would become a part.
                self.transport.close()
                return
            # The app waits for the rest of a body that cannot be read.
            cycle.disconnected = True
            cycle.message_event.set()
        body = orjson.dumps(problem(error, instance="", request_id=request_id))
        headers = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in completed(headers, {"headers": ()})]
        self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", body]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self.transport.close)


def _too_large() -> AtollError:
    return HeaderTooLarge(f"the address and the headers are larger than {MAX_HEAD_BYTES} bytes; send less")


def _ambiguity(version: str, headers: list[tuple[bytes, bytes]]) -> str:
    """What two servers could read differently; empty where there is nothing."""
    if version not in ("1.0", "1.1"):
        return f"this is HTTP/{version}"
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and (version == "1.0" or value.lower() != b"chunked"):
            return "Transfer-Encoding is something else than chunked, or HTTP/1.0"
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return f"there are {hosts} Host headers"
    return ""
