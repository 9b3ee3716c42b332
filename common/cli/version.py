"""`atoll version`."""

import typer


def version() -> None:
    """Print the version."""
    from common.version import VERSION

    typer.echo(VERSION)
