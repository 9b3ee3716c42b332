"""A stand-in for a Kubernetes API server, from ../shared/lab: no Kubernetes, though client and schemas are real.

It runs Jobs as processes of this machine (`process`) or with podman; its own header says what it cannot do. Where
../shared is missing, tests skip and say so. `FaultProxy` stands before it and answers as a server in trouble does.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.settings import CHECKOUT
from tests.support import lab_images
from tests.support.backends import missing
from tests.support.servers import free_port

LAB = CHECKOUT.parent / "shared" / "lab"
TOKEN = "lab-token"  # noqa: S105 - the stand-in's, the same for everybody
IMAGE = "lab-python:1"
VERSION = "1.32"
_UP_S = 180


class K8sStandIn:
    """A running stand-in.

    Attributes
    ----------
    kubeconfig, endpoint, ca_file : how it is reached.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.port = free_port()
        self.start()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def _folder(self) -> Path:
        return Path(os.environ.get("TMPDIR", "/tmp")) / "lab-k8s" / str(self.port)  # noqa: S108 - the lab's own

    @property
    def kubeconfig(self) -> Path:
        return self._folder / "kubeconfig"

    @property
    def ca_file(self) -> Path:
        return self._folder / "tls.crt"

    def start(self) -> None:
        """Start it, empty."""
        command = [str(LAB / "k8s" / "up.sh"), str(self.port), self.mode]
        # What it starts lives on: with pipes, one would wait for that.
        with tempfile.TemporaryFile() as told:
            done = subprocess.run(command, stdout=told, stderr=told, timeout=_UP_S, check=False)
            told.seek(0)
            assert done.returncode == 0, f"the stand-in did not start: {told.read().decode()[-2000:]}"

    def stop(self) -> None:
        subprocess.run([str(LAB / "k8s" / "down.sh"), str(self.port)], check=True, capture_output=True, timeout=60)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request to it, past the runner."""
        with httpx.Client(verify=_context(self.ca_file), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            answer = client.request(method, self.endpoint + path, json=body)
            answer.raise_for_status()
            return answer.json()

    def add_namespace(self, name: str) -> None:
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def _context(ca_file: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(ca_file))


@contextlib.contextmanager
def k8s_standin(mode: str = "process") -> Iterator[K8sStandIn]:
    """A new stand-in; skips where it cannot run."""
    if not LAB.is_dir():
        pytest.skip("the stand-in for Kubernetes is not in ../shared/lab/k8s")
    if shutil.which("openssl") is None:
        missing("openssl is not installed, which the stand-in for Kubernetes needs")
    if mode == "podman":
        lab_images.make(IMAGE)
    server = K8sStandIn(mode)
    try:
        yield server
    finally:
        server.close()


def complaints(manifests: Sequence[dict[str, Any]], folder: Path) -> list[str]:
    """What the published schemas find wrong, unknown fields included; skips where they are not there."""
    if not LAB.is_dir():
        pytest.skip("the schemas of Kubernetes are not in ../shared/lab/k8s")
    file = folder / "manifests.yaml"
    # JSON is YAML.
    file.write_text("\n---\n".join(json.dumps(manifest) for manifest in manifests))
    command = [str(LAB / "k8s" / "validate.py"), VERSION, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_UP_S, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) >= len(manifests), f"not all were checked: {done.stdout} {done.stderr}"
    wrong = [line for line in lines if not line.endswith(": ok")]
    assert done.returncode == (1 if wrong else 0), done.stderr
    return wrong


@dataclass
class Fault:
    """What happens to the next requests that fit.

    Parameters
    ----------
    status : answered instead; None cuts the connection.
    text : the body of the answer, instead of a `Status`.
    forwarded : the server gets the request all the same, and only the answer is lost.
    """

    method: str
    path: str
    status: int | None = None
    reason: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes | None = None
    times: int = 1
    forwarded: bool = False
    hang_s: float = 0.0

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method == method and re.search(self.path, path) is not None

    def body(self) -> bytes:
        if self.text is not None:
            return self.text
        status = {"kind": "Status", "status": "Failure", "reason": self.reason, "message": self.message}
        return json.dumps({**status, "code": self.status}).encode()


class FaultProxy:
    """Hands requests on to the stand-in, but for those that a fault is meant for; a context manager.

    Attributes
    ----------
    faults : those to come.
    calls : method and path of every request that came.
    """

    def __init__(self, behind: K8sStandIn) -> None:
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self._behind = httpx.Client(base_url=behind.endpoint, verify=_context(behind.ca_file), timeout=30)
        proxy = self

        class Handler(_Handler):
            state = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._behind.close()

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        return self._behind.request(method, path, headers=headers, content=body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FaultProxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.state.calls.append(f"{self.command} {self.path}")
        fault = next((one for one in self.state.faults if one.fits(self.command, self.path)), None)
        if fault is not None:
            fault.times -= 1
            time.sleep(fault.hang_s)
        if fault is None or fault.forwarded:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            answer = self.state.forward(self.command, self.path, kept, body)
        if fault is None:
            self._answer(answer.status_code, answer.content, {"Content-Type": "application/json"})
        elif fault.status is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._answer(fault.status, fault.body(), {"Content-Type": "application/json", **fault.headers})

    do_GET = do_POST = do_DELETE = do_PATCH = _handle  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
