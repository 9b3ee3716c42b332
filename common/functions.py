"""The bridges from Azure Functions to the app and to queued work; `function_app.py` is their only user."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import azure.functions as func

from common.jobs.queues.base import Message as JobMessage
from common.jobs.queues.names import queue_names
from common.runtime import Runtime

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]


class Bridge:
    """Calls an ASGI app through the library's middleware, and makes good what that one gets wrong.

    The library's own `AsgiFunctionApp` runs the start-up once for each of the requests that come first together,
    registers whatever methods its version knows, and runs the shutdown in a foreign event loop.
    """

    def __init__(self, asgi: AsgiApp) -> None:
        self._asgi = asgi
        self._starting = asyncio.Lock()
        self._started: func.AsgiMiddleware | None = None

    async def start(self) -> func.AsgiMiddleware:
        """Run the app's start-up once, whichever functions come first; after a failure the next one tries again."""
        async with self._starting:
            if self._started is None:
                # A new one each time: after a failure a middleware takes every later attempt to be over at once.
                middleware = func.AsgiMiddleware(self._call)  # type: ignore[no-untyped-call]
                if not await middleware.notify_startup():  # type: ignore[no-untyped-call]
                    raise RuntimeError("the app could not start; the log says why")
                self._started = middleware
        return self._started

    async def handle(self, req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        middleware = await self.start()
        response: func.HttpResponse = await middleware.handle_async(_with_readable_path(req), context)
        return response

    async def _call(self, scope: Message, receive: Receive, send: Send) -> None:
        async def send_complete(message: Message) -> None:
            # ASGI lets an app leave out headers and body; the library does not.
            if message["type"] == "http.response.start":
                message = {**message, "headers": _merged(message.get("headers", ()))}
            elif message["type"] == "http.response.body":
                message = {"body": b"", **message}
            await send(message)

        await self._asgi({**scope, "asgi": {"version": "3.0", "spec_version": "2.4"}}, receive, send_complete)


def _with_readable_path(req: func.HttpRequest) -> func.HttpRequest:
    """Read bytes that are not UTF-8 as U+FFFD, as other servers do; the library fails before the app could answer."""
    if "%" not in req.url:
        return req
    url = urlsplit(req.url)
    return func.HttpRequest(
        req.method,
        url._replace(path=quote(unquote(url.path))).geturl(),
        headers=req.headers,
        params=req.params,
        route_params=req.route_params,
        body=req.get_body(),
    )


def _merged(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """One line a header, as UTF-8: the worker keeps the last of several (but for cookies) and reads no Latin-1."""
    lines: dict[bytes, bytes] = {}
    cookies = []
    for name, raw in headers:
        key, value = name.lower(), raw.decode("latin-1").encode()
        if key == b"set-cookie":
            cookies.append((key, value))
        else:
            lines[key] = lines[key] + b", " + value if key in lines else value
    return [*lines.items(), *cookies]


class Triggers:
    """What queue and timer functions call. Nothing is built before the first of them is."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def queue_names(self) -> list[str]:
        """The queues whose jobs this process can run; none without a storage account to trigger from."""
        return queue_names(self._runtime.settings) if self._runtime.settings.jobs.has_storage_account else []

    def handler(self, queue: str) -> Callable[[func.QueueMessage], None]:
        """A function for a queue: runs the job that a message names."""

        def handle(message: func.QueueMessage) -> None:
            # Brings SQLAlchemy; a process that only answers requests does without.
            from common.jobs.handling import Disposition

            self._runtime.start()
            job_id, receipt = message.get_body().decode(), message.pop_receipt or ""
            found = JobMessage(message.id or "", queue, job_id, receipt, message.dequeue_count or 1)
            if self._runtime.jobs.runner.handle(found) is Disposition.GIVE_BACK:
                # The only way to tell the host; it makes the message visible again.
                raise RuntimeError("not handled; the log says why")

        return handle

    def poison_handler(self, queue: str) -> Callable[[func.QueueMessage], None]:
        """A function for a poison queue: a message lands there without a reason, so its job is marked dead."""

        def handle(message: func.QueueMessage) -> None:
            self._runtime.start()
            self._runtime.jobs.runner.handle_poison(message.get_body().decode())

        handle.__doc__ = f"The backstop of {queue}."
        return handle

    def tick(self, timer: func.TimerRequest) -> None:
        """The timer's function: one round of the scheduler."""
        self._runtime.start()
        self._runtime.jobs.scheduler.tick()
