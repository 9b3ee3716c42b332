"""Settings of callbacks: telling callers that their jobs have ended."""

import re
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from common.http.addresses import Allowance
from common.http.signing import key_of
from common.settings.base import Area, split


class CallbackSettings(Area):
    """Callbacks: how they are signed, where they may go, how often they are tried."""

    secret: SecretStr | None = Field(
        None,
        validation_alias="CALLBACK_SECRET",
        description="Secret that signs callbacks (`whsec_` and base64); several, separated by spaces, all sign. By "
        "default one is made and kept in the database.",
    )
    allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="CALLBACK_ALLOW",
        description="Host names (`*.` for all below one), addresses and CIDRs, separated by commas, that callbacks may "
        "go to though they are private, and by plain http.",
    )
    attempts: int = Field(
        20,
        ge=1,
        le=100,
        validation_alias="CALLBACK_ATTEMPTS",
        description="Tries before a callback is given up; the default takes about a day.",
    )
    timeout_s: float = Field(
        15.0, gt=0, le=60, validation_alias="CALLBACK_TIMEOUT_S", description="Seconds that a receiver has to answer."
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that were set, the first one first; none where one is to be made."""
        return () if self.secret is None else tuple(re.split(r"[\s,]+", self.secret.get_secret_value().strip(" ,")))

    @property
    def allowance(self) -> Allowance:
        return Allowance.parse(self.allow)

    _split_allow = field_validator("allow", mode="before")(split)

    @field_validator("allow")
    @classmethod
    def _check_allow(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Allowance.parse(value)
        return value

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        for secret in cls.model_construct(secret=value).secrets:
            key_of(secret)
        return value
