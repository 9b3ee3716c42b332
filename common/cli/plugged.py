"""Commands that plugins add to a group (`Plugin.cli`)."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup


class PluggedGroup(TyperGroup):
    """A group with commands of its own, and those that plugins add to it.

    Plugins are imported only where a command is asked for that is none of its own, or all are listed.
    """

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _plugged(str(self.name)).get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return own + sorted(_plugged(str(self.name)).keys() - set(own))


def _plugged(group: str) -> dict[str, Any]:
    """The commands that plugins add to a group, by name."""
    from common.cli.quiet import quiet
    from common.plugins.discovery import discover
    from common.settings import get_settings
    from common.telemetry.logs import configure_logs

    configure_logs(quiet())
    found: dict[str, Any] = {}
    # Whether this machine serves the plugin does not matter: the command may ask another.
    for record in discover(get_settings().plugins.model_copy(update={"service_model": ()})):
        for command, place in record.plugin.cli.items():
            of, _, name = command.partition(" ")
            if of == group:
                found.setdefault(name, _command(name, place))
    return found


def _command(name: str, place: str) -> Any:
    """The command whose function is at `module:function`."""
    module, _, function = place.partition(":")
    made = typer.Typer(add_completion=False)
    made.command(name)(getattr(importlib.import_module(module), function))
    command = typer.main.get_command(made)
    command.name = name
    return command
