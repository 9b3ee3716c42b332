"""Calling addresses that a caller gave, without becoming a way into this network.

A name is looked up once; every address it leads to is checked, and the connection goes to a checked one, so a name
that leads elsewhere a moment later changes nothing. TLS still verifies the name. No redirect is followed, no proxy of
the environment is used, and neither a slow answer nor a large one holds more than its share.
"""

import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from common.http.addresses import Address, Allowance, Refused

# httpx would log every URL, its query included: that is where callers keep their tokens.
logging.getLogger("httpx").setLevel(logging.WARNING)

Resolve = Callable[[str, int], Sequence[Address]]


class OutboundError(Exception):
    """The call came to nothing. The text is one line for people, and names no secret part of the URL."""


@dataclass(frozen=True)
class Limits:
    """How much a call may take. Times in seconds; `total_s` covers all of it, the look-up of the name included."""

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 15.0
    answer_bytes: int = 65_536


@dataclass(frozen=True)
class Answer:
    """What came back. `body` ends at the limit; `is_complete` tells whether that is all there was."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_complete: bool


@dataclass(frozen=True)
class Outbound:
    """Calls within the limits. Threads may share one; each call has a connection of its own.

    Parameters
    ----------
    allow : what may be called beside public addresses by https.
    tls : whom to trust; by default the public authorities and those of the machine.
    resolve : looks a name up; raises OSError where there is none.
    """

    allow: Allowance = field(default_factory=Allowance)
    limits: Limits = field(default_factory=Limits)
    tls: ssl.SSLContext | None = None
    resolve: Resolve | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_client", self.client())

    def client(self) -> httpx.Client:
        """An httpx client with these limits, but for the size of answers, which only `call` bounds."""
        limits = self.limits
        tls = self.tls or _trusted()
        resolve = self.resolve or _look_up
        return httpx.Client(
            mounts={
                # Plain http goes nowhere but where it is allowed to.
                "https://": _Transport(_Checked(self.allow, resolve, limits.total_s, only_listed=False), tls),
                "http://": _Transport(_Checked(self.allow, resolve, limits.total_s, only_listed=True), tls),
            },
            timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
            trust_env=False,
            follow_redirects=False,
        )

    def call(self, method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request, and read the answer up to the limit.

        Raises
        ------
        Refused
            The address may not be called.
        OutboundError
            No answer came.
        """
        self.allow.check_url(url)
        client: httpx.Client = self.__dict__["_client"]
        # What is not compressed cannot be a small answer to read and a large one to keep.
        sent = {"Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
        try:
            with client.stream(method, url, content=content, headers=sent) as answer:
                body, is_complete = _bounded(answer.iter_raw(), self.limits.answer_bytes)
                return Answer(answer.status_code, dict(answer.headers), body, is_complete)
        except httpx.TimeoutException:
            raise OutboundError(f"no answer within {self.limits.total_s:g} s") from None
        except httpx.ConnectError as exc:
            raise OutboundError(f"cannot connect: {_first_line(exc)}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise OutboundError(f"no usable answer: {type(exc).__name__}") from None

    def close(self) -> None:
        client: httpx.Client = self.__dict__["_client"]
        client.close()


class _Checked(httpcore.NetworkBackend):
    """Connects to addresses that were looked up here and are allowed."""

    def __init__(self, allow: Allowance, resolve: Resolve, total_s: float, *, only_listed: bool) -> None:
        self._allow = allow
        self._resolve = resolve
        self._total_s = total_s
        self._only_listed = only_listed
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        ends_s = time.monotonic() + self._total_s
        until_s = min(ends_s, time.monotonic() + (self._total_s if timeout is None else timeout))
        addresses = self._looked_up(host, port, until_s)
        # One that is refused makes all suspect: a name that leads to both is a name to mistrust.
        for address in addresses:
            self._allow.check_address(host, address, only_listed=self._only_listed)
        failure: Exception = httpcore.ConnectError("the name leads to no address")
        for address in addresses:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise httpcore.ConnectTimeout("connecting took too long")
            try:
                stream = self._sockets.connect_tcp(str(address), port, left_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
            else:
                return _Bounded(stream, ends_s)
        raise failure

    def _looked_up(self, host: str, port: int, until_s: float) -> Sequence[Address]:
        """Look a name up on a thread of its own: the machine's resolver takes no time limit."""
        answers: queue.SimpleQueue[Sequence[Address] | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._resolve(host, port))
            except (OSError, UnicodeError):
                # What the resolver says differs between machines, and the name is in the URL.
                answers.put(OSError("the name is not known"))

        threading.Thread(target=look_up, name="look-up", daemon=True).start()
        try:
            found = answers.get(timeout=max(0.0, until_s - time.monotonic()))
        except queue.Empty:
            raise httpcore.ConnectTimeout("looking the name up took too long") from None
        if isinstance(found, OSError):
            raise httpcore.ConnectError(str(found))
        return found


class _Bounded(httpcore.NetworkStream):
    """A stream that ends at a moment: limits a read each would let an answer trickle for ever."""

    def __init__(self, stream: httpcore.NetworkStream, ends_s: float) -> None:
        self._stream = stream
        self._ends_s = ends_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left_s = self._left_s(timeout, httpcore.ConnectTimeout)
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, left_s), self._ends_s)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left_s(self, timeout: float | None, late: type[Exception]) -> float:
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise late("the call took too long")
        return left_s if timeout is None else min(timeout, left_s)


class _Transport(httpx.BaseTransport):
    """httpx over httpcore with a network of our own, which httpx's transport cannot be given."""

    def __init__(self, network: httpcore.NetworkBackend, tls: ssl.SSLContext) -> None:
        # No connection is kept: the next call looks the name up anew, and has its own time.
        self._pool = httpcore.ConnectionPool(ssl_context=tls, max_keepalive_connections=0, network_backend=network)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        assert isinstance(request.stream, httpx.SyncByteStream)  # noqa: S101 - the client is not an asynchronous one
        sent = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        try:
            got = self._pool.handle_request(sent)
        except _FAILURES as exc:
            raise _as_httpx(exc) from exc
        assert isinstance(got.stream, Iterable)  # noqa: S101 - as above
        return httpx.Response(got.status, headers=got.headers, stream=_Stream(got), extensions=got.extensions)

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except _FAILURES as exc:
            raise _as_httpx(exc) from exc

    def close(self) -> None:
        self._answer.close()


_FAILURES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


def _as_httpx(exc: Exception) -> httpx.HTTPError:
    """httpx's error of the same name."""
    found: type[httpx.HTTPError] = getattr(httpx, type(exc).__name__, httpx.TransportError)
    return found(str(exc))


def _bounded(chunks: Iterator[bytes], limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


def _look_up(host: str, port: int) -> Sequence[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # In the resolver's order of preference; each once.
    return list(dict.fromkeys(ip_address(str(item[4][0]).partition("%")[0]) for item in found))


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The public authorities, as a slim container has none, and those of the machine, as an institution has its own."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0][:200] or type(exc).__name__


__all__ = ["Answer", "Limits", "Outbound", "OutboundError", "Refused"]
