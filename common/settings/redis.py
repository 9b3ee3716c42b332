"""Settings of Redis."""

from pydantic import Field, SecretStr, field_validator

from common.settings.base import Area

_SCHEMES = ("redis://", "rediss://", "unix://")


class RedisSettings(Area):
    """Redis: what several processes share for a while."""

    url: SecretStr | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="A Redis for what processes share, e.g. rate limits: `redis://[:password@]host:port/0`, or "
        "`rediss://` for TLS. By default each process keeps its own.",
    )

    @field_validator("url")
    @classmethod
    def _check_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_SCHEMES):
            raise ValueError(f"begins with none of {', '.join(_SCHEMES)}")
        return value
