"""Settings of tokens from an identity provider."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from common.security.scopes import Scope
from common.security.tokens.issuers import Issuer, check_address
from common.security.tokens.roles import DEFAULT_CLAIMS, DEFAULT_ROLES, parse_roles
from common.settings.base import Area, split


class OidcSettings(Area):
    """Tokens: which issuer's are taken, and what its roles may do."""

    # Before `issuer`, which is read with them.
    tenants: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        validation_alias="OIDC_TENANTS",
        description="Ids of the tenants of Entra ID whose tokens are taken, separated by commas, where `OIDC_ISSUER` "
        "names `organizations` or `common` in the place of one.",
    )
    issuer: str | None = Field(
        None,
        validation_alias="OIDC_ISSUER",
        description="Issuer whose tokens (JWT) are taken, e.g. `https://login.microsoftonline.com/<tenant>/v2.0`; "
        "https, but for one on this machine.",
    )
    audience: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validate_default=True,
        validation_alias="OIDC_AUDIENCE",
        description="What tokens must be meant for, one of these separated by commas: the application's id, its URI. "
        "Needed with `OIDC_ISSUER`: an issuer's tokens for other applications are no business of this one.",
    )
    jwks_url: str | None = Field(
        None,
        validation_alias="OIDC_JWKS_URL",
        description="Where the issuer's keys are; by default where its discovery document says.",
    )
    roles: Annotated[dict[str, frozenset[Scope]], NoDecode] = Field(
        DEFAULT_ROLES,
        validation_alias="OIDC_ROLES",
        description="What roles and scopes of a token may do here: `Role=scope`, or `Role=scope+scope`, separated by "
        "commas. By default `Atoll.Predict`, `Atoll.Train`, `Atoll.Submit`, `Atoll.Admin` and the plain `predict`, "
        "`train`, `submit`, `admin`.",
    )
    role_claims: Annotated[tuple[str, ...], NoDecode] = Field(
        DEFAULT_CLAIMS,
        validation_alias="OIDC_ROLE_CLAIMS",
        description="Claims of a token that hold its roles, separated by commas; a dot leads into an object.",
    )
    client_id: str | None = Field(
        None,
        validation_alias="OIDC_CLIENT_ID",
        description="Id of the application by which people sign in to the console at the issuer; without it they do so "
        "with keys alone.",
    )
    client_secret: SecretStr | None = Field(
        None,
        validation_alias="OIDC_CLIENT_SECRET",
        description="Secret of that application, where the issuer asks for one beside PKCE.",
    )
    sign_in_scope: str | None = Field(
        None,
        validation_alias="OIDC_SIGN_IN_SCOPE",
        description="What is asked for at sign-in. By default `openid profile`, and of Entra ID `<audience>/.default` "
        "too, which gives tokens for this API.",
    )
    leeway_s: float = Field(
        60.0,
        ge=0,
        le=300,
        validation_alias="OIDC_LEEWAY_S",
        description="Seconds by which the issuer's clock and this one may differ.",
    )

    _split_lists = field_validator("tenants", "audience", "role_claims", mode="before")(split)

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            Issuer.parse(value, info.data.get("tenants", frozenset()))
        return value

    @field_validator("audience")
    @classmethod
    def _check_audience(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("issuer") and not value:
            raise ValueError(
                "set OIDC_AUDIENCE with OIDC_ISSUER: the application's id or URI, or any token of the issuer would do"
            )
        return value

    @field_validator("jwks_url")
    @classmethod
    def _check_jwks_url(cls, value: str | None) -> str | None:
        return None if value is None else check_address(value)

    @field_validator("roles", mode="before")
    @classmethod
    def _read_roles(cls, value: object) -> object:
        return parse_roles(value) if isinstance(value, str) else value
