"""Who answers which path: every path has one owner, and Atoll's own paths are nobody else's."""

import re
from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts

from common.plugins.contract import RESERVED_NAMES
from common.plugins.record import PluginRecord

_PARAMETER = re.compile(r"{[^}]*}")
_CHANGE_PREFIX = "change the prefix of its router"


def in_order(records: Sequence[PluginRecord]) -> list[PluginRecord]:
    """The records in the order in which they may claim paths: those of `models/` first, then by name."""
    return sorted(records, key=lambda record: (not record.module.startswith("models."), record.name))


class Claims:
    """The paths taken so far."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def take(self, record: PluginRecord) -> str | None:
        """Take the prefixes and routes of `record`, which must have a router; or say what has to change, taking none.

        Routes that differ only in the names of their path parameters are the same.
        """
        claims = dict(_claims(record))
        for claim, change in claims.items():
            # An old prefix may begin with two slashes, as its clients send it.
            path = re.sub("^//(?!/)", "/", claim.rpartition(" ")[2])
            first = path.split("/")[1] if path.startswith("/") else path
            if first.startswith("{"):
                return f"its path {path} would answer for every other plugin: {change}"
            # "/openapi.json" too.
            if first.partition(".")[0] in RESERVED_NAMES | {""}:
                return f"its path {path} is Atoll's own: {change}"
            if claim in self._owners:
                return f"its routes are taken by plugin {self._owners[claim]} ({claim}): {change}"
        self._owners |= dict.fromkeys(claims, record.name)
        return None


def _claims(record: PluginRecord) -> Iterator[tuple[str, str]]:
    """What `record` would answer, and what to change if it may not."""
    if record.router is None:
        return
    own = record.router.prefix
    prefixes = [(record.prefix, own, record.router, _CHANGE_PREFIX)]
    prefixes += [
        (old.path, "", old.router or record.router, f"change or drop its old prefix {old.path}")
        for old in record.plugin.prefixes
    ]
    for before, kept, router, change in prefixes:
        yield before + kept, change
        for method, path in _routes(router):
            below = path.removeprefix(own) if router is record.router else path
            yield f"{method} {_PARAMETER.sub('{}', before + kept + below)}", change


def _routes(router: APIRouter) -> Iterator[tuple[str, str]]:
    """Method and path of each route."""
    for route in iter_route_contexts(router.routes):
        if route.path is not None:
            # A mounted app or a websocket has no methods.
            for method in sorted(route.methods or {"*"}):
                yield method, str(route.path)
