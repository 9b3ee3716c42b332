"""https by the local host itself: certificates, versions, clients' certificates, and what is said of faults."""

import datetime
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from tests.support.servers import Server, run_host

QUICK = {"SERVICE_MODEL": "sample"}
PASSWORD = b"correct horse"


class Files:
    """A certificate for 127.0.0.1 of an authority of its own, with its key, in files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("127.0.0.1")
        self.chain, self.key, self.ca = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
        self.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.authority.cert_pem.write_to_path(str(self.ca))

    @property
    def env(self) -> dict[str, str]:
        return {**QUICK, "SSL_CERTFILE": str(self.chain), "SSL_KEYFILE": str(self.key)}

    @property
    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def self_signed(
    folder: Path, *, days: int = 2, since: int = -1, encryption: KeySerializationEncryption | None = None
) -> dict[str, str]:
    """Variables for a certificate whose times, and whose key's encryption, are given."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=since))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "self.pem", folder / "self-key.pem"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
    return {**QUICK, "SSL_CERTFILE": str(chain), "SSL_KEYFILE": str(private)}


def test_https_is_served_with_a_certificate_of_ones_own(start_server: Callable[..., Server], files: Files) -> None:
    server = start_server(
        "--ssl-certfile", str(files.chain), "--ssl-keyfile", str(files.key), env=QUICK, verify=files.trusted
    )
    assert server.url.startswith("https://")
    answer = server.post("/sample_model/predict", json={"requiredField": "you"})
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{server.url}/", trust_env=False)


def test_settings_do_as_the_options_do_in_each_of_several_processes(
    start_server: Callable[..., Server], files: Files
) -> None:
    server = start_server(env={**files.env, "WORKERS": "2"}, verify=files.trusted)
    assert server.get("/health/live").status_code == 200


def test_a_key_with_a_password_is_read_with_it(start_server: Callable[..., Server], tmp_path: Path) -> None:
    env = self_signed(tmp_path, encryption=BestAvailableEncryption(PASSWORD))
    secret = tmp_path / "password"
    secret.write_bytes(PASSWORD + b"\n")
    server = start_server(env={**env, "SSL_KEYFILE_PASSWORD_FILE": str(secret)}, verify=False)
    assert server.get("/health/live").status_code == 200
    assert PASSWORD.decode() not in server.log


@pytest.mark.parametrize(("oldest", "taken"), [("1.2", True), ("1.3", False)])
def test_older_versions_of_tls_are_refused(
    start_server: Callable[..., Server], files: Files, oldest: str, taken: bool
) -> None:
    server = start_server(env={**files.env, "SSL_MIN_VERSION": oldest}, verify=files.trusted)
    assert handshake(server, files.trusted, ssl.TLSVersion.TLSv1_2) is taken
    assert handshake(server, files.trusted, ssl.TLSVersion.TLSv1_3)


def handshake(server: Server, context: ssl.SSLContext, version: ssl.TLSVersion) -> bool:
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, version
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 443)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=url.host):
                return True
        except ssl.SSLError:
            return False


def test_with_an_authority_of_clients_only_their_certificates_are_taken(
    start_server: Callable[..., Server], files: Files
) -> None:
    mine = files.trusted
    files.authority.issue_cert("client.example").configure_cert(mine)
    server = start_server(env={**files.env, "SSL_CLIENT_CA": str(files.ca)}, verify=mine)
    assert server.get("/health/live").status_code == 200
    stranger = files.trusted
    trustme.CA().issue_cert("client.example").configure_cert(stranger)
    for context in (files.trusted, stranger):
        with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.TransportError):
            client.get(f"{server.url}/health/live")


def test_who_speaks_no_tls_is_turned_away_and_the_others_go_on(
    start_server: Callable[..., Server], files: Files
) -> None:
    server = start_server(env=files.env, verify=files.trusted)
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 443), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(100)
    assert server.get("/health/live").status_code == 200


def test_a_certificate_that_has_expired_is_told_at_the_start(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server(env=self_signed(tmp_path, since=-9, days=-1), verify=False)
    assert server.wait_for_log(r"warning +the certificate in \S+ expired at [\d-]+ [\d:]+ UTC; clients will refuse it")


def test_a_start_with_files_that_cannot_be_used_says_why(tmp_path: Path, files: Files) -> None:
    other, garbage, missing = tmp_path / "other.pem", tmp_path / "garbage.pem", tmp_path / "none.pem"
    other.write_bytes(trustme.CA().issue_cert("x").private_key_pem.bytes())
    garbage.write_text("nothing of use\n")
    locked = self_signed(tmp_path, encryption=BestAvailableEncryption(PASSWORD))
    faults: list[tuple[dict[str, str], str]] = [
        ({"SSL_KEYFILE": str(other)}, "other.pem is not the key of the certificate in"),
        ({"SSL_KEYFILE": str(garbage)}, "garbage.pem holds no private key in PEM"),
        ({"SSL_CERTFILE": str(garbage)}, "garbage.pem holds no certificate in PEM"),
        ({"SSL_CERTFILE": str(missing)}, "none.pem is not a file"),
        ({"SSL_KEYFILE": ""}, "TLS needs both --ssl-keyfile and --ssl-certfile (SSL_KEYFILE, SSL_CERTFILE)"),
        ({"SSL_CLIENT_CA": str(garbage)}, "garbage.pem holds no certificate in PEM"),
        ({"SSL_CIPHERS": "NOPE"}, "SSL_CIPHERS='NOPE' leaves no cipher"),
        (locked, "has a password; give it as SSL_KEYFILE_PASSWORD"),
        ({**locked, "SSL_KEYFILE_PASSWORD": "wrong password"}, "cannot be read with SSL_KEYFILE_PASSWORD"),
    ]
    for number, (env, told) in enumerate(faults):
        run = run_host(tmp_path / f"state{number}", env={**files.env, **env})
        assert run.returncode == 1, run.stderr
        assert told in run.stderr
        assert "Traceback" not in run.stderr
        assert "wrong password" not in run.stderr
