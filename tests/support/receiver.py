"""A real HTTP or HTTPS server on loopback that takes callbacks, and answers as a test tells it to."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


@dataclass(frozen=True)
class Received:
    """One request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, or mistrust the certificate, are part of the tests."""


Answer = Callable[[BaseHTTPRequestHandler, Received], object]


@dataclass
class Receiver:
    """Answers 204, or what `script` says: a status a request, the last one from then on; or a function that answers.

    Parameters
    ----------
    names : of the certificate; without any it is plain http.
    """

    script: list[int] = field(default_factory=lambda: [204])
    answer: Answer | None = None
    names: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                request = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                receiver._take(self, request)

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.authority = trustme.CA() if self.names else None
        if self.authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert(*self.names).configure_cert(context)
            self._server.socket = context.wrap_socket(self._server.socket, True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.names else 'http'}://{self.names[0] if self.names else '127.0.0.1'}:{self.port}/hook"

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust the certificate."""
        assert self.authority is not None
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler, request: Received) -> None:
        with self._lock:
            self.received.append(request)
            status = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if self.answer is not None:
            self.answer(handler, request)
            return
        handler.send_response(status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def unused_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
