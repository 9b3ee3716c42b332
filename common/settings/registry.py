"""Settings of the registry of model versions."""

from pydantic import Field

from common.settings.base import Area


class RegistrySettings(Area):
    """How long versions and their files are kept."""

    keep_versions: int = Field(
        0,
        ge=0,
        validation_alias="REGISTRY_KEEP_VERSIONS",
        description="Newest versions of each model that are kept; older ones go, but for those that an alias points to "
        "or a rollback leads to. 0 keeps all.",
    )
    keep_days: float = Field(
        30.0,
        ge=0,
        validation_alias="REGISTRY_KEEP_DAYS",
        description="Days that every version is kept, however many there are.",
    )
    grace_hours: float = Field(
        24.0,
        gt=0,
        validation_alias="REGISTRY_GRACE_HOURS",
        description="Hours that the files of a version stay on the share after it was deleted.",
    )
    sampling: bool = Field(
        False,
        validation_alias="SAMPLING",
        description="Whether rows of requests and answers may be kept on the share, of models for which "
        "`PUT /registry/{model}/sampling` asks for it; without it nothing is.",
    )
    sample_days: float = Field(
        30.0, gt=0, validation_alias="SAMPLE_DAYS", description="Days after which kept rows are removed."
    )
    sample_bytes: int = Field(
        50_000_000,
        ge=100_000,
        validation_alias="SAMPLE_BYTES",
        description="Bytes of kept rows of each version on the share; the oldest go when there are more.",
    )
