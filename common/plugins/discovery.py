"""Finding plugins: the packages of `models/`, of the folders in `ATOLL_PLUGIN_PATH`, and installed entry points.

A plugin that cannot be imported never takes the app down; it is recorded with the reason.
"""

import importlib
import importlib.util
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from fastapi import APIRouter

from common.errors import SettingsError
from common.plugins.contract import RESERVED_NAMES, Plugin
from common.plugins.record import PluginRecord
from common.settings import PluginSettings
from common.telemetry.logs import get_logger

log = get_logger("atoll.plugins")

ENTRY_POINT_GROUP = "atoll.models"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

Importer = Callable[[], ModuleType]


def discover(settings: PluginSettings) -> list[PluginRecord]:
    """Import the plugins that this process serves, in the order of their names.

    A name found twice is taken from `models/` first, then from `ATOLL_PLUGIN_PATH`, then from entry points. A plugin
    named in `SERVICE_MODEL` that does not exist is recorded as unavailable.

    Raises
    ------
    SettingsError
        `ATOLL_PLUGIN_PATH` names something that is no folder.
    """
    found = find(settings)
    chosen = settings.service_model
    records = [_import(name, importer) for name, importer in found.items() if not chosen or name in chosen]
    records += [
        PluginRecord.unavailable(
            name, f"SERVICE_MODEL names {name!r}, but there is no such plugin; found: {', '.join(sorted(found))}"
        )
        for name in chosen
        if name not in found
    ]
    return sorted(records, key=lambda record: record.name)


def find(settings: PluginSettings) -> dict[str, Importer]:
    """What imports each plugin there is, by name, whether it is served or not; nothing is imported yet."""
    found: dict[str, Importer] = {}
    for name, importer in _candidates(settings):
        if name in found:
            log.warning("plugin found twice, the first is used", model=name)
        found.setdefault(name, importer)
    return found


def _candidates(settings: PluginSettings) -> Iterator[tuple[str, Importer]]:
    models = importlib.import_module("models")
    yield from _packages(models.__path__, lambda name: lambda: importlib.import_module(f"models.{name}"))
    for given in settings.path:
        # A module's file is compared with where Python finds one of that name, which is never relative.
        folder = given.resolve()
        if not folder.is_dir():
            raise SettingsError(f"ATOLL_PLUGIN_PATH names {given}, which is no folder")
        yield from _packages([str(folder)], partial(partial, _import_from, folder))
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda item: item.name):
        yield point.name, point.load


def _packages(path: Iterable[str], importer: Callable[[str], Importer]) -> Iterator[tuple[str, Importer]]:
    for module in pkgutil.iter_modules(list(path)):
        if module.ispkg and not module.name.startswith("_"):
            yield module.name, importer(module.name)


def _import_from(folder: Path, name: str) -> ModuleType:
    """Import `folder/name` as a module of its own name, without putting `folder` on the import path for good."""
    file = folder / name / "__init__.py"
    taken = PathFinder.find_spec(name)
    if name in sys.stdlib_module_names or (taken is not None and taken.origin != str(file)):
        raise ImportError(f"{name!r} is the name of an installed package, which everybody else imports; choose another")
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(folder / name)])
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {folder / name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import(name: str, importer: Importer) -> PluginRecord:
    if name in RESERVED_NAMES or not _NAME.fullmatch(name):
        return PluginRecord.unavailable(name, f"{name!r} cannot be a plugin's name: it is reserved or not [a-z0-9_]")
    started = time.process_time()
    try:
        module = importer()
        router, plugin = _declared(module)
    # SystemExit too: a plugin written as a script must not end the server.
    except (Exception, SystemExit) as exc:
        log.error("plugin cannot be imported", model=name, exc_info=exc)
        return PluginRecord.unavailable(name, f"cannot be imported: {type(exc).__name__}: {exc}"[:500])
    record = PluginRecord(name, router=router, plugin=plugin, module=module.__name__)
    record.import_cpu_s = time.process_time() - started
    return record


def _declared(module: ModuleType) -> tuple[APIRouter, Plugin]:
    # A package that makes it on first use (PEP 562) is asked plainly: what goes wrong in doing so is told as it is.
    router = module.router if "__getattr__" in vars(module) else getattr(module, "router", None)
    if not isinstance(router, APIRouter):
        raise TypeError("its package has no `router: APIRouter`")
    plugin = getattr(module, "plugin", None) or Plugin()
    if not isinstance(plugin, Plugin):
        raise TypeError("its `plugin` is not a common.plugins.Plugin")
    return router, plugin
