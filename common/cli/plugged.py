"""Commands that plugins add to a group, and groups of their own name (`Plugin.cli`)."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from common.cli.groups import group


class PluggedGroup(TyperGroup):
    """A group with commands of its own, and those that plugins add to it.

    Plugins are imported only where a command is asked for that is none of its own, or all are listed.
    """

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or self._plugged().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return own + sorted(self._plugged().keys() - set(own))

    def _plugged(self) -> dict[str, Any]:
        return _plugged(str(self.name))


class OwnGroup(PluggedGroup):
    """The commands of one plugin, under its own name; no other plugin is imported."""

    def _plugged(self) -> dict[str, Any]:
        return _plugged(str(self.name), only=str(self.name))


class PluggedApp(TyperGroup):
    """A word that is no command may be the name of a plugin with commands of its own."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _own_group(cmd_name)


def _own_group(name: str) -> Any:
    from common.plugins.discovery import find
    from common.settings import get_settings

    # Which plugins there are is known without importing one.
    if name not in find(get_settings().plugins) or not _plugged(name, only=name):
        return None
    made = group(f"Commands of the model {name}.", cls=OwnGroup)
    made.info.name = name
    made.callback()(_nothing)
    return typer.main.get_group(made)


def _nothing() -> None:
    """Lets the group be one, whatever is in it."""


def _plugged(group: str, only: str | None = None) -> dict[str, Any]:
    """The commands that plugins, or the one named, add to a group, by name."""
    from common.cli.quiet import quiet
    from common.plugins.discovery import discover
    from common.settings import get_settings
    from common.telemetry.logs import configure_logs

    configure_logs(quiet())
    found: dict[str, Any] = {}
    # Whether this machine serves the plugin does not matter: the command may ask another.
    chosen = () if only is None else (only,)
    for record in discover(get_settings().plugins.model_copy(update={"service_model": chosen})):
        for command, place in record.plugin.cli.items():
            of, _, name = command.partition(" ")
            if of == group:
                found.setdefault(name, _command(name, place))
    return found


def _command(name: str, place: str) -> Any:
    """The command whose function is at `module:function`."""
    module, _, function = place.partition(":")
    made = typer.Typer(add_completion=False, rich_markup_mode=None)
    made.command(name)(getattr(importlib.import_module(module), function))
    command = typer.main.get_command(made)
    command.name = name
    return command
