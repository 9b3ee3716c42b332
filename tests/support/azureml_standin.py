"""A stand-in for Azure Machine Learning: the part of its REST interface that `AzureMlRunner` calls, in memory.

It is no emulator: written after the published definitions (Microsoft.MachineLearningServices 2024-04-01), it shows that
our requests have their shape (fields, types, required ones, names), not that Azure agrees. A job's command is run as a
process of this machine; its environment's image is not looked at.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

SUBSCRIPTION, GROUP, WORKSPACE = "00000000-1111-2222-3333-444444444444", "test-rg", "my-aml-workspace"
TOKEN = "stand-in-token"  # noqa: S105 - of no service
COMPUTES = ("cpu-cluster", "gpu-cluster")
PAGE = 5
_ROOT = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
)
_JOB_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}")
_TIMEOUT = re.compile(r"PT(\d+)S")
_PATIENCE_S = 30.0
# What a CommandJob may have, by type; the first three are required.
_COMMAND_JOB: Mapping[str, type] = {
    "jobType": str,
    "command": str,
    "environmentId": str,
    "codeId": str,
    "computeId": str,
    "componentId": str,
    "description": str,
    "displayName": str,
    "distribution": dict,
    "environmentVariables": dict,
    "experimentName": str,
    "identity": dict,
    "inputs": dict,
    "isArchived": bool,
    "limits": dict,
    "notificationSetting": dict,
    "outputs": dict,
    "properties": dict,
    "queueSettings": dict,
    "resources": dict,
    "services": dict,
    "tags": dict,
}
_ENVIRONMENT: Mapping[str, type] = {
    "image": str,
    "osType": str,
    "isAnonymous": bool,
    "isArchived": bool,
    "description": str,
    "tags": dict,
    "properties": dict,
    "condaFile": str,
    "build": dict,
    "inferenceConfig": dict,
    "autoRebuild": str,
    "stage": str,
}
_OVER = frozenset({"Completed", "Failed", "Canceled"})


@dataclass
class Job:
    name: str
    properties: dict[str, Any]
    number: int
    created_at: str
    status: str = "Queued"
    process: "subprocess.Popen[bytes] | None" = None
    cancelled: bool = False
    output: bytes = b""

    def shown(self) -> dict[str, Any]:
        return {
            "id": f"{_ROOT}/jobs/{self.name}",
            "name": self.name,
            "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": {**self.properties, "status": self.status, "services": {}},
            "systemData": {"createdAt": self.created_at, "createdBy": "stand-in", "createdByType": "User"},
        }


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message


@dataclass
class AzureMlStandIn:
    """One workspace on a port of the loopback; a context manager.

    Attributes
    ----------
    calls : method and first part of the path of each request, e.g. `PUT jobs`.
    refuse : such a call -> (status, error code) to answer instead.
    executed_but_late : calls that are carried out, and answered only after `late_s`.
    hold : jobs stay queued.
    """

    folder: Path
    calls: list[str] = field(default_factory=list)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    executed_but_late: set[str] = field(default_factory=set)
    late_s: float = 5.0
    hold: bool = False
    jobs: dict[str, Job] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __enter__(self) -> "AzureMlStandIn":
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"standin": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.environments["sklearn/3"] = {"properties": {"image": "sklearn"}}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        for job in self.jobs.values():
            if job.process is not None and job.process.poll() is None:
                os.killpg(job.process.pid, signal.SIGKILL)

    def answer(self, method: str, path: str, query: Mapping[str, str], token: str, body: bytes) -> tuple[int, Any]:
        if token != f"Bearer {TOKEN}":
            raise Refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-preview)?", query.get("api-version", "")):
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if not path.startswith(f"{_ROOT}/"):
            raise Refused(404, "ResourceNotFound", "The workspace was not found.")
        words = path.removeprefix(f"{_ROOT}/").split("/")
        call = f"{method} {words[-1] if words[-1] == 'cancel' else words[0]}"
        self.calls.append(call)
        if call in self.refuse:
            status, code = self.refuse[call]
            raise Refused(status, code, "refused by the stand-in")
        with self._lock:
            found = self._carry_out(method, words, query, body)
        if call in self.executed_but_late:
            time.sleep(self.late_s)
        return found

    def _carry_out(self, method: str, words: list[str], query: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        match method, words:
            case "GET", ["computes"]:
                return 200, {"value": [_compute(name) for name in COMPUTES]}
            case "GET", ["jobs"]:
                return 200, self._list(query)
            case "GET", ["jobs", name] if name in self.jobs:
                return 200, self.jobs[name].shown()
            case "PUT", ["jobs", name]:
                return self._create(name, _checked(body, _COMMAND_JOB, required=3))
            case "POST", ["jobs", name, "cancel"] if name in self.jobs:
                return self._cancel(self.jobs[name])
            case "GET", ["environments", name, "versions", version] if f"{name}/{version}" in self.environments:
                return 200, self.environments[f"{name}/{version}"]
            case "PUT", ["environments", name, "versions", version]:
                made = {"properties": _checked(body, _ENVIRONMENT, required=0)}
                self.environments[f"{name}/{version}"] = made
                return 201, made
        raise Refused(404, "UserError", "not found")

    def _list(self, query: Mapping[str, str]) -> dict[str, Any]:
        tag = query.get("tag")
        found = [job for job in self.jobs.values() if tag is None or tag in job.properties.get("tags", {})]
        found.sort(key=lambda job: -job.number)
        begin = int(query.get("$skip", "0"))
        page: dict[str, Any] = {"value": [job.shown() for job in found[begin : begin + PAGE]]}
        if len(found) > begin + PAGE:
            more = "&".join(f"{quote(key)}={quote(value)}" for key, value in query.items() if key != "$skip")
            page["nextLink"] = f"{self.url}{_ROOT}/jobs?{more}&$skip={begin + PAGE}"
        return page

    def _create(self, name: str, properties: dict[str, Any]) -> tuple[int, Any]:
        if not _JOB_NAME.fullmatch(name):
            raise Refused(400, "UserError", "The job's name is not valid.")
        if name in self.jobs:
            return 200, self.jobs[name].shown()
        if properties["jobType"] != "Command" or not properties["command"]:
            raise Refused(400, "UserError", "jobType must be Command, and command not empty.")
        if "${{" in properties["command"]:
            raise Refused(400, "UserError", "The command refers to an input that is not there.")
        compute = properties.get("computeId", "").rpartition("/")[2]
        if properties.get("computeId") != f"{_ROOT}/computes/{compute}" or compute not in COMPUTES:
            raise Refused(400, "UserError", f"The compute {compute} was not found.")
        where = re.fullmatch(re.escape(_ROOT) + r"/environments/([^/]+)/versions/([^/]+)", properties["environmentId"])
        if where is None or f"{where[1]}/{where[2]}" not in self.environments:
            raise Refused(400, "UserError", "The environment was not found.")
        limits = properties.get("limits", {"jobLimitsType": "Command", "timeout": "PT1S"})
        if limits.get("jobLimitsType") != "Command" or not _TIMEOUT.fullmatch(limits.get("timeout", "")):
            raise Refused(400, "UserError", "limits is no CommandJobLimits.")
        strings = [*properties.get("environmentVariables", {}).values(), *properties.get("tags", {}).values()]
        if not all(isinstance(value, str) for value in strings):
            raise Refused(400, "UserError", "Values of environmentVariables and tags are strings.")
        job = Job(name, properties, len(self.jobs), datetime.now(UTC).isoformat())
        self.jobs[name] = job
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return 201, job.shown()

    def _cancel(self, job: Job) -> tuple[int, Any]:
        if job.status in _OVER:
            raise Refused(400, "UserError", "The job is in a terminal state.")
        job.cancelled = True
        job.status = "CancelRequested"
        return 202, {}

    def _run(self, job: Job) -> None:
        """What a compute does with a command job, with a process for the container."""
        while job.status == "Queued" and self.hold:
            time.sleep(0.02)
        if job.status == "CancelRequested":
            job.status = "Canceled"
            return
        job.status = "Running"
        job.process = process = subprocess.Popen(
            ["sh", "-c", job.properties["command"]],
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(self.folder),
                **job.properties.get("environmentVariables", {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=lambda: setattr(job, "output", process.communicate()[0]), daemon=True).start()
        asked_at: float | None = None
        while process.poll() is None:
            if job.cancelled and asked_at is None:
                process.terminate()
                asked_at = time.monotonic()
            if asked_at is not None and time.monotonic() > asked_at + _PATIENCE_S:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.02)
        job.status = "Canceled" if job.cancelled else "Failed" if process.returncode else "Completed"


def _compute(name: str) -> dict[str, Any]:
    return {
        "id": f"{_ROOT}/computes/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": "westeurope",
        "properties": {
            "computeType": "AmlCompute",
            "provisioningState": "Succeeded",
            "properties": {
                "vmSize": "STANDARD_DS3_V2",
                "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT5M"},
                "nodeStateCounts": {"idleNodeCount": 1, "runningNodeCount": 1},
            },
        },
    }


def _checked(body: bytes, shape: Mapping[str, type], required: int) -> dict[str, Any]:
    """The properties in a body, if they have their shape."""
    try:
        properties = json.loads(body)["properties"]
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "UserError", "The body has no properties.") from None
    if set(json.loads(body)) != {"properties"}:
        raise Refused(400, "UserError", "The body has more than properties.")
    for name in list(shape)[:required]:
        if name not in properties:
            raise Refused(400, "UserError", f"{name} is required.")
    for name, value in properties.items():
        if name not in shape:
            raise Refused(400, "UserError", f"Could not find member {name}.")
        if not isinstance(value, shape[name]):
            raise Refused(400, "UserError", f"{name} has another type.")
    return dict(properties)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # Clients that hang up are no news; anything else shows in the test by the answer that is missing.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    standin: AzureMlStandIn
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, told = self.standin.answer(
                self.command, parts.path, query, self.headers.get("Authorization", ""), body
            )
        except Refused as exc:
            status, told = exc.status, {"error": {"code": exc.code, "message": exc.message, "details": []}}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = _serve  # noqa: N815 - the server's own names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        pass
