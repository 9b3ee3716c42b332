"""`atoll serve`: what `make run` does."""

import os
from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to [HOST, 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one [PORT, 7071].")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes [WORKERS, 1].")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Serve only this model; may be given again [SERVICE_MODEL, all]."),
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew when the code changes (development).")] = False,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Private key, PEM; serves https [SSL_KEYFILE].")] = None,
    ssl_certfile: Annotated[Path | None, typer.Option(help="Certificate chain, PEM [SSL_CERTFILE].")] = None,
) -> None:
    """Serve all models on this machine until Ctrl-C.

    An option given here counts before the setting in brackets; `atoll settings` shows them all, docs/settings.md
    explains them.

    \b
    Examples:
      atoll serve
      atoll serve --port 8080 --model sample --model imputation
      ATOLL_ROLES=http atoll serve --host 0.0.0.0 --workers 4
    """
    # The processes that uvicorn starts read their settings from the environment, as this one does.
    tls = (("SSL_KEYFILE", ssl_keyfile), ("SSL_CERTFILE", ssl_certfile))
    chosen = ",".join(model) if model else None
    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers), ("SERVICE_MODEL", chosen), *tls):
        if value is not None:
            os.environ[name] = str(value)
    from common.host.server import serve as run
    from common.settings import get_settings

    run(get_settings(), reload=reload)
