"""The table of commands, and the group that imports a command when it is asked for.

`atoll --help` and the completion of a command's name read the table alone; that is what keeps them quick.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand

from common.cli.plugged import PluggedApp


@dataclass(frozen=True)
class Command:
    """A command, or a group of them.

    Attributes
    ----------
    place : `module:name` of the function, or of the `typer.Typer` of a group.
    told : what `atoll --help` says of it: the first sentence of its own help.
    """

    place: str
    told: str


COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "Run Atoll here": {
        "serve": Command("common.cli.serve:serve", "Serve all models on this machine until Ctrl-C."),
        "worker": Command("common.cli.worker:worker", "Run queued jobs, and serve nothing."),
        "doctor": Command("common.cli.doctor:doctor", "Check this checkout or deployment, and say what to mend."),
        "settings": Command("common.cli.security:settings", "Show the settings that a server started here would have."),
    },
    "Ask a server": {
        "predict": Command("common.cli.predict:predict", "Ask a model, and print its answer."),
        "train": Command("common.cli.predict:train", "Queue a training, and print the job."),
        "jobs": Command("common.cli.jobs:app", "Look after queued work."),
        "submit": Command("common.cli.submit:submit", "Run a program on a cluster: a script, an archive, or a folder."),
        "tasks": Command("common.cli.tasks:app", "Look after programs on clusters; `atoll submit` makes them."),
        "clusters": Command("common.cli.clusters:app", "See the clusters that programs can be submitted to."),
        "bench": Command("common.cli.bench:bench", "Put a small load on a route, and measure its answers."),
    },
    "Keep it in order": {
        "models": Command("common.cli.models:app", "List the models, here or of a server, or pull one."),
        "registry": Command("common.cli.registry:app", "Look at model versions, and choose which one serves."),
        "datasets": Command("common.cli.datasets:app", "List data sets, send and fetch their files, or build one."),
        "keys": Command("common.cli.keys:app", "Make API keys, see who uses which, end them."),
        "audit": Command("common.cli.security:audit", "Show who did what, newest first."),
    },
    "Build": {
        "plugin": Command("common.cli.plugin:app", "Begin a plugin, and check one."),
        "version": Command("common.cli.version:version", "Print the version."),
    },
}
_BY_NAME = {name: command for section in COMMANDS.values() for name, command in section.items()}


class Commands(PluggedApp):
    """All commands. A word that is none of them may be the name of a plugin with commands of its own."""

    _is_naming = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = _BY_NAME.get(cmd_name)
        if found is None:
            return super().get_command(ctx, cmd_name)
        return TyperCommand(cmd_name, help=found.told) if self._is_naming else load(cmd_name, found)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_BY_NAME)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and (near := get_close_matches(args[0], _BY_NAME, 1)):
            raise typer.BadParameter(f"there is no command {args[0]!r}; do you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        # One column for all sections.
        width = max(map(len, _BY_NAME))
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), command.told) for name, command in commands.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        # To offer a name, a command is looked at, but not run.
        self._is_naming = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._is_naming = False


def load(name: str, command: Command) -> Any:
    """Import a command."""
    module, _, attribute = command.place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(found)
    return typer.main.get_command(alone)
