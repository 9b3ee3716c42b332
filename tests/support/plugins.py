"""Plugins and apps made for one test."""

import textwrap
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from common.app import create_app
from common.settings import HttpSettings, PluginSettings, ServingSettings, Settings, StorageSettings


def write_plugin(folder: Path, name: str, source: str) -> Path:
    """A plugin package `name` in `folder`; returns `folder`, for ATOLL_PLUGIN_PATH."""
    package = folder / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return folder


def settings(state: Path, *, path: tuple[Path, ...] = (), serve: tuple[str, ...] = (), **http: Any) -> Settings:
    """Settings for a test: nothing of the environment's state or data."""
    return Settings(
        http=HttpSettings(**http),
        plugins=PluginSettings(path=path, service_model=serve),
        storage=StorageSettings(state_dir=state),
        serving=ServingSettings(threads=2),
    )


def make_app(state: Path, *, path: tuple[Path, ...] = (), serve: tuple[str, ...] = ("sample",), **http: Any) -> FastAPI:
    """The app with the plugins named (by default the sample), and those of the folders in `path` among them."""
    return create_app(settings(state, path=path, serve=serve, **http))
