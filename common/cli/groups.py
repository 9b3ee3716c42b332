"""How groups of commands are made."""

from typing import Any

import typer


def group(told: str, *, cls: Any = None, epilog: str | None = None, no_args_is_help: bool = True) -> typer.Typer:
    """A group whose help is plain text, as that of all commands.

    Parameters
    ----------
    told : its help; the first sentence is what `atoll --help` says too.
    """
    return typer.Typer(
        cls=cls, help=told, epilog=epilog, no_args_is_help=no_args_is_help, add_completion=False, rich_markup_mode=None
    )
