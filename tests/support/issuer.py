"""A real issuer of tokens on loopback: RSA and EC keys, discovery, key set; with rotation, outage and delay."""

import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "api://atoll"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


@lru_cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key for each number, made once for all tests of the process: making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@lru_cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **members: Any) -> dict[str, Any]:
    """The public part of a key as an issuer publishes it."""
    public: dict[str, Any]
    if isinstance(key, rsa.RSAPrivateKey):
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    public.pop("key_ops", None)
    return {"use": "sig", **public, **members}


def pem(key: rsa.RSAPrivateKey) -> bytes:
    """The public part of a key as a text that an attacker may sign with."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(
    claims: dict[str, Any],
    *,
    key: Any = None,
    kid: str | None = "first",
    algorithm: str = "RS256",
    headers: dict[str, Any] | None = None,
) -> str:
    """A token of these claims, whatever they are."""
    named = {} if kid is None else {"kid": kid}
    signer = rsa_key() if key is None else key
    return PyJWS().encode(json.dumps(claims).encode(), signer, algorithm, headers={**named, **(headers or {})})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


@dataclass
class Issuer:
    """Serves at once, until closed.

    Parameters
    ----------
    keys : what `/keys` answers, as JWKs; at first one RSA key that is called `first`.
    status : of every answer; 503 is an outage.
    delay_s : before every answer.
    body : in the place of the key set.
    described : members of the discovery document that are other than they should be.
    fetches : paths that were asked for.
    authority : signs the certificate of `localhost`; without one it is plain http.
    """

    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(rsa_key(), kid="first", alg="RS256")])
    status: int = 200
    delay_s: float = 0.0
    body: bytes | None = None
    described: dict[str, Any] = field(default_factory=dict)
    fetches: list[str] = field(default_factory=list)
    port: int = 0
    authority: trustme.CA | None = None

    def __post_init__(self) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self)

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self.authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert("localhost").configure_cert(context)
            self._server.socket = context.wrap_socket(self._server.socket, True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}" if self.authority is None else f"https://localhost:{self.port}"

    @property
    def jwks_url(self) -> str:
        return self.url + JWKS

    @property
    def key_fetches(self) -> int:
        with self._lock:
            return self.fetches.count(JWKS)

    def claims(self, *, now_s: float | None = None, **more: Any) -> dict[str, Any]:
        """Claims of a good token, but for `more`; one that is None is left out."""
        at_s = int(time.time() if now_s is None else now_s)
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "iat": at_s,
            "nbf": at_s,
            "exp": at_s + 3600,
            "roles": ["Atoll.Predict"],
            **more,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        *,
        now_s: float | None = None,
        key: Any = None,
        kid: str | None = "first",
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A good token, but for what is given."""
        return sign(self.claims(now_s=now_s, **claims), key=key, kid=kid, algorithm=algorithm, headers=headers)

    def rotate(self, kid: str, number: int, *, keep: bool = False) -> None:
        """Publish another RSA key, beside those so far or in their place."""
        self.keys = [*(self.keys if keep else []), jwk(rsa_key(number), kid=kid, alg="RS256")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.fetches.append(handler.path)
        time.sleep(self.delay_s)
        if handler.path == JWKS:
            body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        else:
            body = json.dumps({"issuer": self.url, "jwks_uri": self.jwks_url, **self.described}).encode()
        handler.send_response(self.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
