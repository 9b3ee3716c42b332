"""What the areas share: a field is read from its documented variable only."""

from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from common.settings.secrets import FILE_SUFFIX, Unreadable, check_resolved, read_secret_file

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def split(value: object) -> object:
    """Read `a, b` from the environment as a list; anything else is left to the field's own validation."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def is_secret_field(field: FieldInfo) -> bool:
    """Whether a setting holds a secret, which may then be given as a file too."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


class _Variables(EnvSettingsSource):
    """Reads a field from its documented variable only, not from one of the field's name: `PATH` is no plugin path."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = str(field.validation_alias)
        value = self.env_vars.get(variable.lower())
        if value is not None:
            check_resolved(variable, value)
        if is_secret_field(field):
            path = self.env_vars.get((variable + FILE_SUFFIX).lower())
            if path and value:
                raise Unreadable(f"both {variable} and {variable}{FILE_SUFFIX} are set; keep one of them")
            if path:
                value = read_secret_file(variable, path)
        return value, variable, False


class Area(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Variables(settings_cls)
