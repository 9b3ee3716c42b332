"""Settings of models that are uploaded, and of the hosts that serve them."""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split

_HOST = re.compile(r"(?:https?://)?(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")


class HostingSettings(Area):
    """Uploaded models: how large, and which hosts serve them."""

    max_model_bytes: int = Field(
        4_000_000_000,
        ge=1024,
        validation_alias="MAX_MODEL_BYTES",
        description="Largest file of a model that may be uploaded, in bytes; a larger one is answered 413.",
    )
    upload_part_bytes: int = Field(
        64_000_000,
        ge=1024,
        le=100_000_000,
        validation_alias="UPLOAD_PART_BYTES",
        description="Largest part of an upload that is sent in parts, in bytes; Azure takes bodies of 100 MB at most.",
    )
    max_image_pixels: int = Field(
        50_000_000,
        ge=1,
        validation_alias="MAX_IMAGE_PIXELS",
        description="Pixels that an image sent for a prediction may have; a larger one is answered 413, undecoded.",
    )
    model_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="MODEL_HOSTS",
        description="Other hosts that serve the same models: `host:port` or addresses, separated by commas; a name "
        "stands for all addresses that DNS has of it. By default this process alone.",
    )
    model_host_timeout_s: float = Field(
        5.0,
        gt=0,
        le=200,
        validation_alias="MODEL_HOST_TIMEOUT_S",
        description="Seconds that a host has to answer before another one is asked.",
    )

    _split_hosts = field_validator("model_hosts", mode="before")(split)

    @field_validator("model_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in value if not _HOST.fullmatch(host)]
        if wrong:
            raise ValueError(f"{wrong[0][:80]!r} is no host; give `host:port` or `http(s)://host:port`, without a path")
        return tuple(host.rstrip("/") for host in value)
