"""Where an identity provider signs people in, on loopback: it takes everybody, and checks the rest (RFC 7636)."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT_ID = "11111111-2222-3333-4444-555555555555"


@dataclass
class AuthorizationServer:
    """Serves at once, until closed. `/authorize` sends the browser straight back; `/token` gives a token for its code.

    Parameters
    ----------
    token : makes the access token.
    client_secret : must be sent with a code, if it is set.
    answer : what a browser is sent back with in the place of a code: `{"error": "access_denied"}`.
    asked : what `/authorize` was asked for.
    """

    token: Callable[[], str]
    client_secret: str | None = None
    answer: dict[str, str] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._authorize(self)

            def do_POST(self) -> None:
                provider._exchange(self)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._codes: dict[str, dict[str, str]] = {}
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def described(self) -> dict[str, str]:
        """Members of the issuer's discovery document."""
        return {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _authorize(self, handler: BaseHTTPRequestHandler) -> None:
        asked = dict(parse_qsl(urlsplit(handler.path).query))
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self._codes[code] = asked
        back = {**(self.answer or {"code": code}), "state": asked["state"]}
        handler.send_response(302)
        handler.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _exchange(self, handler: BaseHTTPRequestHandler) -> None:
        form = dict(parse_qsl(handler.rfile.read(int(handler.headers["Content-Length"])).decode()))
        # A code is good once.
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        is_good = (
            asked is not None
            and form.get("grant_type") == "authorization_code"
            and form.get("client_id") == asked["client_id"] == CLIENT_ID
            and form.get("redirect_uri") == asked["redirect_uri"]
            and asked["code_challenge_method"] == "S256"
            and base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
            and form.get("client_secret") == self.client_secret
        )
        body = json.dumps({"access_token": self.token()} if is_good else {"error": "invalid_grant"}).encode()
        handler.send_response(200 if is_good else 400)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
