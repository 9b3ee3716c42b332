"""gRPC with the certificate of the local host's https."""

from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from common.errors import SettingsError
from common.settings import TlsSettings


def check(tls: TlsSettings) -> None:
    """Raise SettingsError for what gRPC's library has no option for."""
    if tls.min_version != "1.2":
        raise SettingsError("gRPC takes TLS 1.2 too; leave SSL_MIN_VERSION at 1.2, or GRPC_PORT out")
    if tls.ciphers is not None:
        raise SettingsError("SSL_CIPHERS does not count for gRPC; leave it or GRPC_PORT out")


def credentials(tls: TlsSettings) -> Any:
    """Certificate, key and, with `SSL_CLIENT_CA`, whose clients are taken. The files have been checked."""
    check(tls)
    assert tls.keyfile is not None and tls.certfile is not None  # noqa: S101, PT018 - `serves_https` was asked
    key = tls.keyfile.read_bytes()
    if tls.keyfile_password is not None:
        found = load_pem_private_key(key, tls.keyfile_password.get_secret_value().encode())
        key = found.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    clients = tls.client_ca.read_bytes() if tls.client_ca is not None else None
    return grpc.ssl_server_credentials(
        [(key, tls.certfile.read_bytes())], root_certificates=clients, require_client_auth=clients is not None
    )
