"""Asks a deployment the few questions that tell whether it serves: `python smoke.py URL`. Needs Python only.

It waits for `/health/ready` (a first start takes a while), then wants the description of the API, and the answer of the
model `sample_model` that the README shows. `ATOLL_KEY` is sent where it is set; where it is not, a deployment that asks
for a key is as it should be. `SMOKE_PATIENCE_S` (300) is how long it waits.
Exit code: 0 it serves, 1 it does not, 2 wrong usage.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

_TIMEOUT_S = 30.0
_PAUSE_S = 2.0
_QUESTION = {"requiredField": "Atoll"}
_ANSWER = {"resp1": "Hello Atoll"}
_SHOWN = 500


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: the key is meant for the address that was given, and for no other."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay)


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 where nothing did, and the reason as body."""

    status: int
    body: bytes

    def told(self) -> str:
        return f"{self.status or 'no answer'}: {self.body[:_SHOWN].decode(errors='replace')}"


def ask(url: str, body: object = None, *, key: str = "") -> Answer:
    """GET, or POST of a body as JSON."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    # Whoever runs this names the address, and main() has seen that it is http.
    request = urllib.request.Request(url, data, headers)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as reply:
            return Answer(reply.status, reply.read())
    except urllib.error.HTTPError as exc:
        return Answer(exc.code, exc.read())
    except (OSError, http.client.HTTPException) as exc:
        return Answer(0, str(exc).encode())


def wait_until_ready(base: str, patience_s: float) -> str | None:
    """None once `/health/ready` answers 200, or what it said last."""
    until = time.monotonic() + patience_s
    while True:
        answer = ask(f"{base}/health/ready")
        if answer.status == 200:
            return None
        if time.monotonic() >= until:
            return f"/health/ready is not 200 after {patience_s:g} s; {answer.told()}"
        time.sleep(_PAUSE_S)


def wrong_with_api(answer: Answer) -> str | None:
    """Whether it is a description of the API that has routes of models."""
    try:
        paths = json.loads(answer.body)["paths"] if answer.status == 200 else {}
    except (ValueError, TypeError, KeyError):
        paths = {}
    if any(path.endswith("/predict") for path in paths):
        return None
    return f"/openapi.json tells of no model; {answer.told()}"


def wrong_with_prediction(answer: Answer, *, with_key: bool, served: bool) -> str | None:
    """Whether a model answers, or refuses somebody without a key."""
    if not served:
        return None
    if not with_key and answer.status in (401, 403):
        return None
    try:
        right = answer.status == 200 and json.loads(answer.body) == _ANSWER
    except ValueError:
        right = False
    return None if right else f"/sample_model/predict does not say {json.dumps(_ANSWER)}; {answer.told()}"


def problems(base: str, *, key: str, patience_s: float) -> list[str]:
    """What is wrong, in the order in which it was asked."""
    late = wait_until_ready(base, patience_s)
    if late:
        return [late]
    described = ask(f"{base}/openapi.json", key=key)
    served = b'"/sample_model/predict"' in described.body
    predicted = ask(f"{base}/sample_model/predict", _QUESTION, key=key)
    # Where the description itself asks for a key, nothing more can be told without one.
    closed = not key and described.status in (401, 403)
    found = [
        None if closed else wrong_with_api(described),
        wrong_with_prediction(predicted, with_key=bool(key), served=served or closed),
    ]
    return [problem for problem in found if problem]


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "https://")):
        sys.stderr.write("usage: smoke.py http(s)://ADDRESS\n")
        return 2
    base = sys.argv[1].rstrip("/")
    patience_s = float(os.environ.get("SMOKE_PATIENCE_S", "300"))
    found = problems(base, key=os.environ.get("ATOLL_KEY", ""), patience_s=patience_s)
    for problem in found:
        sys.stderr.write(f"smoke: {base}: {problem}\n")
    if not found:
        sys.stdout.write(f"smoke: {base} serves\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
