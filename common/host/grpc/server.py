"""Listens for gRPC for as long as the app is served."""

import asyncio
import contextlib
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import SettingsError
from common.host.grpc.service import NAME, InferenceService
from common.host.grpc.tls import credentials
from common.host.tls import serves_https
from common.runtime import Runtime
from common.settings import Settings
from common.telemetry.logs import get_logger

log = get_logger("atoll.grpc")

# As the HTTP side's drain.
_DRAIN_S = 20.0
_LOOK_S = 1.0
# A message has names and lengths beside its tensors.
_MORE_BYTES = 65_536
_STATUS = {
    True: health_pb2.HealthCheckResponse.SERVING,
    False: health_pb2.HealthCheckResponse.NOT_SERVING,
}


class WithGrpc:
    """Pure ASGI: starts with the app, and stops before it.

    Parameters
    ----------
    runtime : tells which models are ready.
    """

    def __init__(self, app: ASGIApp, settings: Settings, runtime: Runtime) -> None:
        self.app = app
        self._settings = settings
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        server = GrpcServer(self.app, self._settings, self._runtime)

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await server.stop()
            return message

        async def told(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await server.start()
            await send(message)

        await self.app(scope, heard, told)


class GrpcServer:
    """One a process; several share the port."""

    def __init__(self, app: ASGIApp, settings: Settings, runtime: Runtime) -> None:
        self._runtime = runtime
        self._http = settings.http
        self._tls = settings.tls
        hosts = settings.http.allowed_hosts
        self._service = InferenceService(
            app,
            (settings.http.host, settings.http.grpc_port),
            # A name is checked for the sake of browsers, which cannot call this.
            host=hosts[0].replace("*", "grpc") if hosts else None,
            is_tls=serves_https(settings.tls),
        )
        self._health = health.aio.HealthServicer()
        self._server: Any = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises SettingsError where the address cannot be used."""
        largest = self._http.max_body_bytes + _MORE_BYTES
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", largest),
                ("grpc.max_send_message_length", -1),
                # As the HTTP side's header; a token may have several thousand characters.
                ("grpc.max_metadata_size", 65_536),
                ("grpc.absolute_max_metadata_size", 65_536),
                ("grpc.max_concurrent_streams", 256),
                ("grpc.so_reuseport", 1),
                # Pings of idle connections are welcome, as load balancers send them.
                ("grpc.keepalive_permit_without_calls", 1),
            ]
        )
        server.add_generic_rpc_handlers((self._service.handler(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        host = f"[{self._http.host}]" if ":" in self._http.host else self._http.host
        address = f"{host}:{self._http.grpc_port}"
        try:
            if serves_https(self._tls):
                server.add_secure_port(address, credentials(self._tls))
            else:
                server.add_insecure_port(address)
        except RuntimeError:
            raise SettingsError(f"cannot listen on {address}; choose another GRPC_PORT") from None
        await self._tell()
        await server.start()
        self._server = server
        self._looking = asyncio.create_task(self._look())
        log.info("gRPC", address=address)

    async def stop(self) -> None:
        """Let calls under way end."""
        if self._looking is not None:
            self._looking.cancel()
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(_DRAIN_S)

    async def _look(self) -> None:
        """Keep telling what health checks ask."""
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(_LOOK_S)
                await self._tell()

    async def _tell(self) -> None:
        status = _STATUS[all(record.is_ready() for record in self._runtime.records)]
        for name in ("", NAME):
            await self._health.set(name, status)
