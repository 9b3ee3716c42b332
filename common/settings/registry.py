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
