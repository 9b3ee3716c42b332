"""Settings of how much a caller may ask."""

from pydantic import Field

from common.settings.base import Area


class LimitSettings(Area):
    """Limits: how much one caller may ask."""

    rate_per_s: float = Field(
        50.0,
        ge=0,
        validation_alias="RATE_LIMIT_PER_S",
        description="Requests a second that one key, or one address without a key, may send on average; 0 for any.",
    )
