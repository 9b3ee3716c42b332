"""Settings of the plugins, and of what a process does."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split

_ROLES = frozenset({"http", "queues", "timers"})


class PluginSettings(Area):
    """Which plugins a process serves, and where else to look for them."""

    service_model: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="SERVICE_MODEL",
        description="Serve only these plugins, separated by commas; empty serves all that are found.",
    )
    path: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        validation_alias="ATOLL_PLUGIN_PATH",
        description="More folders that hold plugin packages, separated by commas.",
    )
    roles: Annotated[frozenset[str], NoDecode] = Field(
        _ROLES,
        validation_alias="ATOLL_ROLES",
        description="What this process does: `http`, `queues`, `timers`, separated by commas.",
    )

    _split_lists = field_validator("service_model", "path", "roles", mode="before")(split)

    @field_validator("roles")
    @classmethod
    def _check_roles(cls, value: frozenset[str]) -> frozenset[str]:
        if not value or not value <= _ROLES:
            raise ValueError(f"roles are {', '.join(sorted(_ROLES))}")
        return value
