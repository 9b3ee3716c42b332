"""https as the local host serves it: the certificate, and what is asked of clients.

A fault is told by one sentence before anything is served; OpenSSL's own words (`PEM lib`) name neither file nor reason.
"""

import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from common.clock import SystemClock
from common.errors import SettingsError
from common.settings import TlsSettings, get_settings

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_EXPIRES_SOON = timedelta(days=14)


def serves_https(tls: TlsSettings) -> bool:
    """Whether a certificate was given.

    Raises
    ------
    SettingsError
        Only a part of what https needs was.
    """
    if (tls.keyfile is None) != (tls.certfile is None):
        raise SettingsError("TLS needs both --ssl-keyfile and --ssl-certfile (SSL_KEYFILE, SSL_CERTFILE)")
    if tls.certfile is None and tls.client_ca is not None:
        raise SettingsError("SSL_CLIENT_CA asks clients for certificates, which needs SSL_KEYFILE and SSL_CERTFILE")
    return tls.certfile is not None


def make_context(tls: TlsSettings) -> ssl.SSLContext:
    """The context of a server with a certificate.

    Raises
    ------
    SettingsError
        A file cannot be used, key and certificate do not belong together, no cipher is left.
    """
    assert tls.keyfile is not None and tls.certfile is not None  # noqa: S101, PT018 - `serves_https` was asked
    password = tls.keyfile_password.get_secret_value() if tls.keyfile_password else None
    _check_key(tls.keyfile, password)
    certificates_in(tls.certfile)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    # Nobody needs to begin anew within a connection; it costs the server more than the client.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # Without a function OpenSSL would ask whoever sits at the terminal.
        context.load_cert_chain(tls.certfile, tls.keyfile, lambda: password or "")
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"{tls.keyfile} is not the key of the certificate in {tls.certfile}") from None
        raise SettingsError(f"{tls.certfile} and {tls.keyfile} cannot be used: {exc.reason or exc}") from None
    if tls.ciphers is not None:
        try:
            context.set_ciphers(tls.ciphers)
        except ssl.SSLError:
            raise SettingsError(f"SSL_CIPHERS={tls.ciphers[:80]!r} leaves no cipher of TLS 1.2") from None
    if tls.client_ca is not None:
        certificates_in(tls.client_ca)
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["http/1.1"])
    return context


def uvicorn_context(_: object, __: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """`ssl_context_factory` of uvicorn, called in each of its processes."""
    return make_context(get_settings().tls)


def warning_about(certfile: Path, now: datetime | None = None) -> str | None:
    """What a person should know about the times of a certificate; it is served all the same."""
    now = now or SystemClock().now()
    first = certificates_in(certfile)[0]
    ends: datetime = first.not_valid_after_utc
    if now < first.not_valid_before_utc:
        return f"the certificate in {certfile} is valid only from {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if now > ends:
        return f"the certificate in {certfile} expired at {ends:%Y-%m-%d %H:%M} UTC; clients will refuse it"
    if ends - now < _EXPIRES_SOON:
        return f"the certificate in {certfile} expires at {ends:%Y-%m-%d %H:%M} UTC; renew it, and start anew"
    return None


def certificates_in(path: Path) -> list[Any]:
    """The certificates of a PEM file, at least one."""
    from cryptography import x509

    try:
        found: list[Any] = list(x509.load_pem_x509_certificates(_read(path)))
    except ValueError:
        found = []
    if not found:
        raise SettingsError(f"{path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    return found


def _check_key(path: Path, password: str | None) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path)
    try:
        load_pem_private_key(content, password.encode() if password else None)
    except TypeError:
        if password is None:
            raise SettingsError(f"the private key in {path} has a password; give it as SSL_KEYFILE_PASSWORD") from None
        # A password for a key that has none: OpenSSL does not mind.
    except (ValueError, UnsupportedAlgorithm):
        if b"PRIVATE KEY-----" not in content:
            raise SettingsError(f"{path} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)") from None
        told = "cannot be read with SSL_KEYFILE_PASSWORD" if password else "cannot be read"
        raise SettingsError(f"the private key in {path} {told}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path} is not a file") from None
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror}") from None
