"""Settings of how much a caller may ask."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split


class LimitSettings(Area):
    """Limits: how much one caller may ask. None stands for a default that depends on who can call at all."""

    rate_per_s: float | None = Field(
        None,
        ge=0,
        le=1_000_000,
        validation_alias="RATE_LIMIT_PER_S",
        description="Requests a second that one key, or one address without a key, may send on average; 0 for any. By "
        "default 50, and any where only this machine can call.",
    )
    burst: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        validation_alias="RATE_LIMIT_BURST",
        description="Requests that may come at once; by default those of two seconds.",
    )
    failures_per_min: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        validation_alias="AUTH_FAILURES_PER_MIN",
        description="Failed authentications a minute from one address; 0 for any. By default 30, and any where only "
        "this machine can call.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (),
        validation_alias="TRUSTED_PROXIES",
        description="Addresses and CIDRs of the proxies in front, separated by commas, whose `X-Forwarded-For` counts.",
    )
    jobs_per_owner: int | None = Field(
        None,
        ge=0,
        validation_alias="MAX_JOBS_PER_OWNER",
        description="Jobs of one caller that may wait or run at once; 0 for any. By default 1000, and any where only "
        "this machine can call.",
    )
    read_timeout_s: float = Field(
        20.0,
        gt=0,
        le=3600,
        validation_alias="REQUEST_READ_TIMEOUT_S",
        description="Seconds in which a request's header has to arrive, and its body to begin to; the body must go on "
        "with 4 kB a second or more.",
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        entries = split(value)
        return [_network(entry) for entry in entries] if isinstance(entries, list) else entries


def _network(entry: object) -> object:
    if not isinstance(entry, str):
        return entry
    try:
        # A proxy's own address with the length of its network is what people copy from `ip address`.
        return ip_network(entry, strict=False)
    except ValueError:
        raise ValueError(f"{entry!r} is no address or CIDR, e.g. `10.1.0.0/16`") from None
