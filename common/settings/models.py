"""Settings of versions of models that are opened on demand, and of models that others upload."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings.base import Area, split


class ModelSettings(Area):
    """Versions of models: the memory and disk they may take, and the limits within which uploaded ones are checked."""

    pool_bytes: int = Field(
        1_000_000_000,
        ge=1_000_000,
        validation_alias="MODEL_POOL_BYTES",
        description="Memory that open versions of hosted models may take together in a process, in bytes; what was not "
        "used for longest is put out for others.",
    )
    pinned: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="MODEL_POOL_PINNED",
        description="Models whose default version stays open once it was asked for, separated by commas: "
        "`hosted.iris`.",
    )
    cache_bytes: int = Field(
        10_000_000_000,
        ge=0,
        validation_alias="MODEL_CACHE_BYTES",
        description="Disk of this machine for copies of versions that lie on the share, in bytes.",
    )
    check_memory_bytes: int = Field(
        2_000_000_000,
        ge=50_000_000,
        validation_alias="MODEL_CHECK_MEMORY_BYTES",
        description="Memory that an uploaded model may take where it is checked, in bytes; one that takes more is "
        "refused.",
    )
    check_s: float = Field(
        60.0,
        gt=0,
        le=600,
        validation_alias="MODEL_CHECK_S",
        description="CPU time, in seconds, within which an uploaded model has to load and answer; on the clock it may "
        "take twice as long.",
    )
    unpacked_bytes: int = Field(
        4_000_000_000,
        ge=1_000_000,
        validation_alias="MODEL_UNPACKED_BYTES",
        description="Most that the files of an uploaded archive may take together, in bytes.",
    )

    _split_pinned = field_validator("pinned", mode="before")(split)
