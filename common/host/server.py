"""Runs uvicorn with Atoll's settings, one process or several, and says at start what a person wants to know."""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import uvicorn

from common.errors import SettingsError
from common.settings import CHECKOUT, Settings
from common.storage import open_share
from common.version import VERSION

FACTORY = "common.host.asgi:app"
# Long enough for an imputation under way to end; Kubernetes kills after 30 s by default.
DRAIN_S = 25


def serve(
    settings: Settings,
    *,
    reload: bool = False,
    ssl_keyfile: Path | None = None,
    ssl_certfile: Path | None = None,
    out: TextIO = sys.stderr,
) -> None:
    """Serve until interrupted; requests under way are finished first (at most `DRAIN_S`).

    Raises
    ------
    SettingsError
        The address cannot be used, or only one of the two TLS files is given.
    """
    if (ssl_keyfile is None) != (ssl_certfile is None):
        raise SettingsError("TLS needs both --ssl-keyfile and --ssl-certfile")
    for path in (ssl_keyfile, ssl_certfile):
        if path is not None and not path.is_file():
            raise SettingsError(f"{path} is not a file")
    http = settings.http
    options: dict[str, Any] = {
        "factory": True,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": DRAIN_S,
        "ssl_keyfile": ssl_keyfile,
        "ssl_certfile": ssl_certfile,
    }
    port = _check_address(http.host, http.port)
    _say(settings, port, tls=ssl_keyfile is not None, out=out)
    with _shared_metrics(settings):
        uvicorn.run(
            FACTORY,
            host=http.host,
            port=port,
            workers=None if reload else http.workers,
            reload=reload,
            reload_dirs=[str(CHECKOUT / "common"), str(CHECKOUT / "models")] if reload else None,
            **options,
        )


def _say(settings: Settings, port: int, *, tls: bool, out: TextIO) -> None:
    shown = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    url = f"{'https' if tls else 'http'}://{shown}:{port}"
    storage = settings.storage
    lines = {
        "address": f"{url}   (docs {url}/docs, models {url}/models)",
        "processes": str(settings.http.workers),
        "state": f"{storage.state_dir}   (share {open_share(storage).label})",
    }
    out.write(f"Atoll {VERSION}\n" + "".join(f"  {name:<10}{text}\n" for name, text in lines.items()))
    out.flush()


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
    folder = tempfile.mkdtemp(prefix="atoll-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        shutil.rmtree(folder, ignore_errors=True)
