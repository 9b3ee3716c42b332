"""pip-audit itself, against a stand-in of the advisory service on loopback."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from deployment.supply.lock import Unreadable
from deployment.supply.online import ask, layers
from tests.deployment.supply.documents import advisory, pin
from tests.support.receiver import Received, Receiver, unused_port

LOCKED = [pin(version="2.0.0", marker="python_version < '3.13'"), pin("other"), pin(version="2.1")]


def answer(handler: BaseHTTPRequestHandler, request: Received) -> None:
    asked = json.loads(request.body)
    hit = asked == {"package": {"name": "some-package", "ecosystem": "PyPI"}, "version": "2.0.0"}
    content = json.dumps({"vulns": [advisory(name="some-package")]} if hit else {}).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture
def service() -> Iterator[Receiver]:
    receiver = Receiver(answer=answer)
    yield receiver
    receiver.close()


def options(url: str) -> list[str]:
    return ["-s", "osv", "--osv-url", url, "--timeout", "5"]


def test_each_pin_is_asked_for_whatever_its_marker_says(service: Receiver) -> None:
    (finding,) = ask(LOCKED, options(service.url))
    assert (finding.package, finding.version, finding.id) == ("some-package", "2.0.0", "PYSEC-2026-7")
    assert finding.aliases == ("CVE-2026-1234", "GHSA-aaaa-bbbb-cccc")
    assert finding.fixed_in == ("2.0.1",)
    asked: list[dict[str, Any]] = [json.loads(request.body) for request in service.received]
    assert sorted((one["package"]["name"], one["version"]) for one in asked) == [
        ("other", "2.0.0"),
        ("some-package", "2.0.0"),
        ("some-package", "2.1"),
    ]


def test_a_service_that_is_away_does_not_look_like_a_clean_lock() -> None:
    with pytest.raises(Unreadable, match="could not"):
        ask([pin()], options(f"http://127.0.0.1:{unused_port()}/v1/query"))


def test_a_service_that_fails_does_not_look_like_a_clean_lock() -> None:
    failing = Receiver(script=[500])
    try:
        with pytest.raises(Unreadable, match="could not"):
            ask([pin()], options(failing.url))
    finally:
        failing.close()


def test_what_markers_pin_twice_is_asked_for_apart() -> None:
    assert [[(one.name, one.version) for one in layer] for layer in layers(LOCKED)] == [
        [("some-package", "2.0.0"), ("other", "2.0.0")],
        [("some-package", "2.1")],
    ]
