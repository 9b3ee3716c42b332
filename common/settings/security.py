"""Settings of who may do what."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from common.security.scopes import Scope, parse_scopes
from common.settings.base import Area, split


class SecuritySettings(Area):
    """Security: what callers without a key may do, and the first key."""

    anonymous_scopes: Annotated[frozenset[Scope] | None, NoDecode] = Field(
        None,
        validation_alias="ANONYMOUS_SCOPES",
        description="What callers without a key may do: scopes separated by commas, or `none`. By default all where "
        "only this machine can call (`HOST` is a loopback address), else none.",
    )
    admin_key: SecretStr | None = Field(
        None,
        validation_alias="ATOLL_ADMIN_KEY",
        description="An API key with the scope `admin`, at least 32 characters. By default the first start that others "
        "can reach makes one and prints it once.",
    )

    functions_runtime: str | None = Field(
        None,
        validation_alias="FUNCTIONS_WORKER_RUNTIME",
        description="Set by the Azure Functions host; nobody is let in without a key there, unless `ANONYMOUS_SCOPES` "
        "says so.",
    )

    audit_days: float = Field(
        365.0, gt=0, validation_alias="AUDIT_DAYS", description="Days that records of the audit log are kept."
    )

    @field_validator("anonymous_scopes", mode="before")
    @classmethod
    def _read_scopes(cls, value: object) -> object:
        names = split(value)
        if not isinstance(names, list):
            return names
        return frozenset() if names == ["none"] else parse_scopes(names)

    @field_validator("admin_key")
    @classmethod
    def _check_length(cls, value: SecretStr | None) -> SecretStr | None:
        text = "" if value is None else value.get_secret_value()
        if value is not None and len(text) < 32:
            raise ValueError("shorter than 32 characters; `openssl rand -hex 32` makes one")
        if len(text) > 1024 or not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("cannot stand in a header; `openssl rand -hex 32` makes one that can")
        return value
