"""Values for the shell to complete: names of models and clusters, ids of jobs and tasks.

Whoever presses the Tab key waits for it: a server gets a second, and what goes wrong only means that nothing is
offered.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from common.client import Client

_TIMEOUT_S = 1.0
_OFFERED = 50
# What the shell is told: a value, and what people see beside it.
Offers = list[tuple[str, str]]


def models(context: typer.Context, incomplete: str) -> Offers:
    """Of the server that is named, else of this machine, which needs no import of one."""
    if _url(context) is None:
        return _chosen(((name, "") for name in _found_here()), incomplete)
    return _asked(context, incomplete, lambda client: ((item["name"], item["title"]) for item in client.models()))


def versioned_models(context: typer.Context, incomplete: str) -> Offers:
    """Models with versions."""
    return _asked(
        context, incomplete, lambda client: ((item["model"], item["description"]) for item in client.registry())
    )


def datasets(context: typer.Context, incomplete: str) -> Offers:
    return _asked(context, incomplete, lambda client: ((item["name"], item["origin"]) for item in client.datasets()))


def clusters(context: typer.Context, incomplete: str) -> Offers:
    return _asked(context, incomplete, lambda client: ((item["name"], item["state"]) for item in client.clusters()))


def jobs(context: typer.Context, incomplete: str) -> Offers:
    """The newest ones."""
    return _asked(
        context,
        incomplete,
        lambda client: (
            (job.id, f"{job.model} {job.state}") for job in islice(client.jobs(page_size=_OFFERED), _OFFERED)
        ),
    )


def tasks(context: typer.Context, incomplete: str) -> Offers:
    """The newest ones."""
    return _asked(
        context,
        incomplete,
        lambda client: (
            (task.id, f"{task.name} {task.state}") for task in islice(client.tasks(page_size=_OFFERED), _OFFERED)
        ),
    )


def _asked(context: typer.Context, incomplete: str, ask: "Callable[[Client], Iterable[tuple[str, str]]]") -> Offers:
    from common.client import AtollClientError, Client
    from common.client.retry import Policy

    with (
        contextlib.suppress(AtollClientError, ValueError),
        Client(_url(context), timeout_s=_TIMEOUT_S, policy=Policy(tries=1)) as client,
    ):
        return _chosen(ask(client), incomplete)
    return []


def _chosen(offered: Iterable[tuple[str, str]], incomplete: str) -> Offers:
    return [(value, told) for value, told in offered if value.startswith(incomplete)]


def _url(context: typer.Context) -> str | None:
    """The server that the command line, as far as it is written, or the environment names."""
    given: Any = context.params.get("url") or context.find_root().params.get("url")
    return given or os.environ.get("ATOLL_URL") or None


def _found_here() -> list[str]:
    from common.errors import SettingsError
    from common.plugins.discovery import find
    from common.settings import get_settings

    with contextlib.suppress(SettingsError):
        return sorted(find(get_settings().plugins))
    return []
