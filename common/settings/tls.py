"""Settings of https, as the local host serves it by itself."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from common.settings.base import Area


class TlsSettings(Area):
    """TLS: the local host's certificate, and which clients it takes. On Azure and behind an ingress, theirs counts."""

    keyfile: Path | None = Field(
        None, validation_alias="SSL_KEYFILE", description="File of the private key (PEM); with `SSL_CERTFILE`: https."
    )
    certfile: Path | None = Field(
        None,
        validation_alias="SSL_CERTFILE",
        description="File of the certificate (PEM), followed by those that it was signed with.",
    )
    keyfile_password: SecretStr | None = Field(
        None, validation_alias="SSL_KEYFILE_PASSWORD", description="Password of the private key, if it has one."
    )
    min_version: Literal["1.2", "1.3"] = Field(
        "1.2", validation_alias="SSL_MIN_VERSION", description="Oldest version of TLS that is taken: `1.2` or `1.3`."
    )
    ciphers: str | None = Field(
        None,
        validation_alias="SSL_CIPHERS",
        description="Ciphers of TLS 1.2 in OpenSSL's notation, e.g. `ECDHE+AESGCM`; by default Python's choice.",
    )
    client_ca: Path | None = Field(
        None,
        validation_alias="SSL_CLIENT_CA",
        description="File of authorities (PEM); clients then need a certificate of one of them (mTLS).",
    )
