"""Runs uvicorn with Atoll's settings, one process or several, and says at start what a person wants to know."""

import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

import uvicorn

from common.errors import SettingsError
from common.host.tls import make_context, serves_https, uvicorn_context, warning_about
from common.security.anonymous import AnonymousRule
from common.security.keys.held import needs_first
from common.settings import CHECKOUT, Settings
from common.storage import open_share
from common.telemetry.folder import make_metrics_folder
from common.telemetry.logs import configure_logs
from common.version import VERSION

FACTORY = "common.host.asgi:app"
# Long enough for an imputation under way to end; Kubernetes kills after 30 s by default.
DRAIN_S = 25
# Longer than load balancers and clients keep a connection that is idle (nginx and AWS 60 s): where they are the ones
# who close it, no request is on its way just then.
_KEEP_ALIVE_S = 75


def serve(
    settings: Settings,
    *,
    reload: bool = False,
    out: TextIO = sys.stderr,
) -> None:
    """Serve until interrupted; requests under way are finished first (at most `DRAIN_S`).

    Raises
    ------
    SettingsError
        The address cannot be used, or the certificate.
    """
    is_tls = serves_https(settings.tls)
    if is_tls:
        # Here, so that a fault is told once and by a sentence; uvicorn's processes make their own.
        make_context(settings.tls)
    http = settings.http
    options: dict[str, Any] = {
        "factory": True,
        # By name: it brings the metrics, which look once, when they are imported, whether processes share them.
        "http": "common.host.protocol:BoundedProtocol",
        # Whom to believe about a caller's address is `TRUSTED_PROXIES`' to say; uvicorn would believe this machine.
        "proxy_headers": False,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": DRAIN_S,
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "ssl_context_factory": uvicorn_context if is_tls else None,
    }
    port = _check_address(http.host, http.port)
    if http.grpc_port:
        _check_grpc(settings, port, tls=is_tls)
    _say(settings, port, tls=is_tls, out=out)
    # uvicorn, once it has shut down, raises the signal that it got again, which would end this process before it has
    # cleaned up.
    signal.signal(signal.SIGTERM, _end)
    with _shared_metrics(settings):
        if needs_first(settings) and "http" in settings.roles:
            # Brings SQLAlchemy, which a server for this machine alone starts without.
            from common.security.keys.first import ensure_first

            configure_logs(settings.telemetry)
            ensure_first(settings, out)
        uvicorn.run(
            FACTORY,
            host=http.host,
            port=port,
            workers=None if reload else http.workers,
            reload=reload,
            reload_dirs=[str(CHECKOUT / "common"), str(CHECKOUT / "models")] if reload else None,
            **options,
        )


def _end(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


def _say(settings: Settings, port: int, *, tls: bool, out: TextIO) -> None:
    shown = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    url = f"{'https' if tls else 'http'}://{shown}:{port}"
    storage = settings.storage
    lines = {
        "address": f"{url}   (in a browser the console; API reference {url}/docs)",
        "processes": str(settings.http.workers),
        "access": AnonymousRule.of(settings).told,
        "state": f"{storage.state_dir}   (share {open_share(storage).label})",
    }
    if settings.http.grpc_port:
        lines["gRPC"] = f"{shown}:{settings.http.grpc_port}"
    if tls and settings.tls.certfile is not None and (told := warning_about(settings.tls.certfile)):
        lines["warning"] = told
    out.write(f"Atoll {VERSION}\n" + "".join(f"  {name:<10}{text}\n" for name, text in lines.items()))
    out.flush()


def _check_grpc(settings: Settings, port: int, *, tls: bool) -> None:
    from common.host.grpc.tls import check

    if settings.http.grpc_port == port:
        raise SettingsError(f"GRPC_PORT and PORT are both {port}; give each its own")
    if tls:
        check(settings.tls)
    _check_address(settings.http.host, settings.http.grpc_port)


def _check_address(host: str, port: int) -> int:
    """The port, for 0 a free one.

    An address that cannot be used fails here with a sentence; uvicorn's processes would each end with a log line and
    be started anew.
    """
    try:
        with socket.create_server((host, port), family=_family(host)) as found:
            return int(found.getsockname()[1])
    except OSError as exc:
        raise SettingsError(f"cannot listen on {host}:{port}: {exc.strerror}; choose another HOST or PORT") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextlib.contextmanager
def _shared_metrics(settings: Settings) -> Iterator[None]:
    """A folder in which several processes keep their metrics, so that any of them can answer for all."""
    has_job_processes = "queues" in settings.roles and settings.jobs.isolation == "process"
    is_alone = settings.http.workers == 1 and not has_job_processes
    if is_alone or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    folder = make_metrics_folder()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        shutil.rmtree(folder, ignore_errors=True)
