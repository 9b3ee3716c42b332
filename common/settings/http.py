"""Settings of the HTTP side."""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split

_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251})\.?|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s*]+")


class HttpSettings(Area):
    """The HTTP side: address, limits, who may call from a browser."""

    host: str = Field("127.0.0.1", validation_alias="HOST", description="Address the local host binds to.")
    port: int = Field(7071, ge=0, le=65535, validation_alias="PORT", description="Port of the local host; 0 picks one.")
    grpc_port: int = Field(
        0,
        ge=0,
        le=65535,
        validation_alias="GRPC_PORT",
        description="Port of the local host for the Open Inference Protocol over gRPC, usually 9000; 0 for none.",
    )
    workers: int = Field(1, ge=1, le=256, validation_alias="WORKERS", description="Processes of the local host.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (
            "https://lenseg.github.io",
            "https://sids-dashboard.github.io",
            "http://localhost",
            "http://localhost:8080",
        ),
        validation_alias="CORS_ORIGINS",
        description="Origins whose pages may call the API, separated by commas; `*` allows all, `none` allows none.",
    )
    max_body_bytes: int = Field(
        10_000_000,
        ge=1024,
        validation_alias="MAX_BODY_BYTES",
        description="Largest request body in bytes; a larger one is answered 413.",
    )

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="ALLOWED_HOSTS",
        description="Host names that requests may be sent to, separated by commas; `*.example.org` is all below it. "
        "Others are answered 421. By default any.",
    )

    _split_hosts = field_validator("allowed_hosts", mode="before")(split)

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in value if not _HOST.fullmatch(host)]
        if wrong:
            raise ValueError(f"{wrong[0][:80]!r} is no host name or address; give it without scheme, port or path")
        return tuple(host.lower().rstrip(".") for host in value)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _read_origins(cls, value: object) -> object:
        origins = split(value)
        return () if origins == ["none"] else origins

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # As browsers send them; any other would be allowed nothing without a word.
        origins = tuple(origin.lower().removesuffix("/") for origin in value)
        wrong = [origin for origin in origins if origin != "*" and not _ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(f"{wrong[0][:80]!r} is no origin; give scheme and host alone, e.g. `https://example.org`")
        return origins
