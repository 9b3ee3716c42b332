"""The settings as they are in effect, fit to be shown: no secret, and where each value comes from. Pure."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from common.settings import Settings
from common.settings.base import Area, is_secret_field
from common.settings.secrets import FILE_SUFFIX
from common.telemetry.masking import HIDDEN, mask

Source = Literal["default", "environment", "file", "program"]

_LIKE = 0.86
# OpenSSL's own: whom to trust.
_OTHERS = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR"})


class SettingInfo(BaseModel):
    """One setting."""

    name: str = Field(description="Of its variable.", examples=["DATABASE_URL"])
    value: Any = Field(description="In effect; `***` for a secret that is set.")
    source: Source = Field(
        description="`environment` (on Azure also what a Key Vault reference was resolved to), `file` (`NAME_FILE`), "
        "`default`, or `program` for one that was given by code."
    )
    is_secret: bool
    description: str
    no_effect: str | None = Field(description="Why the setting does nothing here, where that is so.")


class AreaInfo(BaseModel):
    """The settings of one area."""

    name: str
    description: str
    settings: list[SettingInfo]


class SettingsInfo(BaseModel):
    """All settings of a process."""

    areas: list[AreaInfo]
    unknown: dict[str, str] = Field(
        description="Variables that are no setting, but are spelled much like one; by name, the setting."
    )


def describe(settings: Settings, environment: Mapping[str, str]) -> SettingsInfo:
    """What is in effect.

    Parameters
    ----------
    environment : the variables that `settings` were read from.
    """
    given = {name.lower() for name, value in environment.items() if value}
    areas = [(name, area) for name, area in vars(settings).items() if isinstance(area, Area)]
    idle = dict(_idle(settings))
    return SettingsInfo(
        areas=[
            AreaInfo(
                name=name,
                description=(type(area).__doc__ or "").strip(),
                settings=[
                    _info(area, field, info, given, idle.get(str(info.validation_alias)))
                    for field, info in type(area).model_fields.items()
                ],
            )
            for name, area in areas
        ],
        unknown=dict(_misspelled(areas, environment)),
    )


def _info(area: Area, field: str, info: FieldInfo, given: set[str], no_effect: str | None) -> SettingInfo:
    variable = str(info.validation_alias)
    secret = is_secret_field(info)
    source: Source = "default"
    if variable.lower() in given:
        source = "environment"
    elif secret and (variable + FILE_SUFFIX).lower() in given:
        source = "file"
    elif field in area.model_fields_set:
        source = "program"
    value = getattr(area, field)
    plain = area.model_dump(mode="json", include={field})[field]
    if isinstance(value, frozenset):
        plain = sorted(plain)
    shown = (None if value is None else HIDDEN) if secret else _shown(plain)
    return SettingInfo(
        name=variable,
        value=shown,
        source=source,
        is_secret=secret,
        description=info.description or "",
        no_effect=no_effect if source != "default" else None,
    )


def _shown(value: Any) -> Any:
    """A value without what has the form of a secret: an address may hold a token, a schedule's body anything."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    return value


def _idle(settings: Settings) -> Iterator[tuple[str, str]]:
    """Settings that do nothing as the others are, and why."""
    if settings.security.functions_runtime is not None:
        for name in ("HOST", "PORT", "WORKERS", "SSL_KEYFILE", "SSL_CERTFILE", "SSL_KEYFILE_PASSWORD"):
            yield name, "the Functions host serves"
        yield "JOB_ISOLATION", "queue functions run jobs on threads"
        yield "JOB_CONCURRENCY", "host.json says how many jobs run at once"
    if settings.tls.certfile is None:
        for name in ("SSL_KEYFILE_PASSWORD", "SSL_MIN_VERSION", "SSL_CIPHERS"):
            yield name, "SSL_CERTFILE is not set"
    elif settings.tls.min_version == "1.3":
        yield "SSL_CIPHERS", "TLS 1.3 has ciphers of its own"
    if ".file.core." not in (settings.storage.share_url or ""):
        yield "FILE_SHARE_CREDENTIAL", "FILE_SHARE is no address of Azure Files"
    if settings.database_url.startswith("sqlite"):
        yield "DATABASE_POOL", "the database is SQLite"
    if settings.oidc.issuer is None:
        for name in _names(type(settings.oidc)):
            if name != "OIDC_ISSUER":
                yield name, "OIDC_ISSUER is not set"
    if "queues" not in settings.roles:
        for name in ("JOB_CONCURRENCY", "JOB_WORKERS", "JOB_ISOLATION", "JOB_MEMORY_BYTES"):
            yield name, "ATOLL_ROLES has no queues"
    if "timers" not in settings.roles:
        for name in ("SCHEDULES", "JOB_TICK_S", "AUDIT_DAYS"):
            yield name, "ATOLL_ROLES has no timers"


def _misspelled(areas: Iterable[tuple[str, Area]], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {name for _, area in areas for name in _names(type(area))}
    lower = {name.lower() for name in known} | {f"{name}{FILE_SUFFIX}".lower() for name in known}
    for name in sorted(environment):
        if name.lower() not in lower and name not in _OTHERS and len(name) > 5:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_LIKE)
            if near:
                yield name, near[0]


def _names(area: type[Area]) -> list[str]:
    return [str(info.validation_alias) for info in area.model_fields.values()]
