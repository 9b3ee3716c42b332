"""Settings of tokens from an identity provider."""

from pydantic import Field

from common.settings.base import Area


class OidcSettings(Area):
    """Tokens: which issuer's are taken, and what its roles may do."""

    issuer: str | None = Field(
        None,
        validation_alias="OIDC_ISSUER",
        description="Issuer whose tokens (JWT) are taken, e.g. `https://login.microsoftonline.com/<tenant>/v2.0`.",
    )
    audience: str | None = Field(
        None,
        validation_alias="OIDC_AUDIENCE",
        description="What tokens must be meant for: the application's id or URI.",
    )
