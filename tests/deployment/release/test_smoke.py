"""The questions after a release, to a real Atoll and to nobody."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from deployment.release.smoke import Answer, ask, problems, wrong_with_api, wrong_with_prediction
from tests.support.servers import CHECKOUT, Server, free_port


def test_an_atoll_that_serves_passes(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample", "ATOLL_ROLES": "http"})
    assert problems(server.url, key="", patience_s=0) == []


def test_nobody_at_the_address_is_a_failure_that_says_so() -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "deployment/release/smoke.py", f"http://127.0.0.1:{free_port()}"],
        env={"PATH": os.defpath, "SMOKE_PATIENCE_S": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "/health/ready is not 200" in done.stderr


def test_an_address_that_is_none_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "deployment/release/smoke.py", "atoll.example.org"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2


def test_another_page_than_a_description_of_models_does_not_pass() -> None:
    assert wrong_with_api(Answer(200, b"<html>welcome to nginx</html>"))
    assert wrong_with_api(Answer(200, b'{"paths": {"/health/live": {}}}'))
    assert wrong_with_api(Answer(502, b'{"paths": {"/x/predict": {}}}'))
    assert wrong_with_api(Answer(200, b'{"paths": {"/x/predict": {}}}')) is None


def test_another_answer_than_that_of_the_readme_does_not_pass() -> None:
    wrong = Answer(200, b'{"resp1": "Hello"}')
    right = Answer(200, b'{"resp1": "Hello Atoll"}')
    assert wrong_with_prediction(wrong, with_key=True, served=True)
    assert wrong_with_prediction(right, with_key=True, served=True) is None


def test_being_refused_is_right_without_a_key_and_wrong_with_one() -> None:
    refused = Answer(401, b"{}")
    assert wrong_with_prediction(refused, with_key=False, served=True) is None
    assert wrong_with_prediction(refused, with_key=True, served=True)


def test_a_key_goes_to_the_given_address_only() -> None:
    asked = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = ask(f"http://127.0.0.1:{server.server_port}/here", key="secret")
        server.shutdown()
    assert (answer.status, asked) == (302, ["/here"])
