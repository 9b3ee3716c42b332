"""Apps that ask for keys, and keys for them."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from common.app import create_app
from common.security.keys.definitions import KeyDraft
from common.security.principal import SYSTEM
from common.security.scopes import Scope
from common.settings import (
    HttpSettings,
    LimitSettings,
    PluginSettings,
    SecuritySettings,
    ServingSettings,
    Settings,
    StorageSettings,
)


def closed_app(
    state: Path,
    *,
    path: tuple[Path, ...] = (),
    serve: tuple[str, ...] = ("sample",),
    anonymous: frozenset[Scope] | None = frozenset(),
    **http: Any,
) -> FastAPI:
    """The app with the plugins named, where nobody without a key may do more than `anonymous`; None as by default."""
    return create_app(
        Settings(
            http=HttpSettings(**http),
            plugins=PluginSettings(path=path, service_model=serve),
            storage=StorageSettings(state_dir=state),
            serving=ServingSettings(threads=2),
            security=SecuritySettings(anonymous_scopes=anonymous),
            limits=LimitSettings(rate_per_s=0, failures_per_min=0, jobs_per_owner=0),
        )
    )


def make_key(app: FastAPI, *scopes: Scope, models: list[str] | None = None, name: str = "test") -> str:
    """A key of the app, as its holder sends it."""
    text, _ = app.state.runtime.keys.service.create(KeyDraft(name=name, scopes=list(scopes), models=models), SYSTEM)
    made: str = text
    return made


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
