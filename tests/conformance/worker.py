"""The host's side of the conversation with a worker process."""

import base64
import json
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "http://localhost:7071"
_PROCESS = Path(__file__).with_name("worker_process.py")


@dataclass(frozen=True)
class Answer:
    """What the host would send to the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Sequence[Mapping[str, Any]]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Call:
    """One HTTP request as a client sends it to the host."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class QueueMessage:
    """A message as the host hands it on: its text, decoded, and what the storage account tells about it."""

    body: str
    id: str = "9c1d0c0a-4a3f-4b5e-8f0e-3f5f0f1b2a10"
    dequeue_count: int = 1
    pop_receipt: str = "AgAAAAMAAAAAAAAA8jS1Y1vZ2gE="
    insertion_time: str = "2026-01-02T03:04:05+00:00"
    # Atoll's messages never expire.
    expiration_time: str = "9999-12-31T23:59:59+00:00"
    next_visible_time: str = "2026-01-02T03:04:35+00:00"

    def metadata(self) -> dict[str, Any]:
        """The trigger metadata: the host sends text as it is and anything else as JSON."""
        texts = {"QueueTrigger": self.body, "Id": self.id, "PopReceipt": self.pop_receipt}
        others = {
            "DequeueCount": self.dequeue_count,
            "InsertionTime": self.insertion_time,
            "ExpirationTime": self.expiration_time,
            "NextVisibleTime": self.next_visible_time,
        }
        told: dict[str, Any] = {name: {"string": text} for name, text in texts.items()}
        return told | {name: {"json": json.dumps(value)} for name, value in others.items()}


class Worker:
    """A worker process; `index` or `specialise` it first, then invoke its functions.

    Parameters
    ----------
    python : an interpreter that has the worker library and Atoll's requirements.
    env : its whole environment.
    folder : its working folder, where its log goes too.
    """

    def __init__(self, python: Path, env: Mapping[str, str], folder: Path) -> None:
        self._log = folder / f"worker-{uuid.uuid4().hex[:8]}.log"
        self.functions: list[dict[str, Any]] = []
        with self._log.open("wb") as log:
            # Isolated: neither this folder nor the checkout may be importable by accident.
            self._process = subprocess.Popen(
                [python, "-I", _PROCESS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=dict(env),
                text=True,
                encoding="utf-8",
            )

    def close(self) -> None:
        self._process.communicate(timeout=60)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, *contents: dict[str, Any]) -> list[dict[str, Any]]:
        """Send all messages at once; the answers in the same order."""
        assert self._process.stdin
        assert self._process.stdout
        ids = [uuid.uuid4().hex for _ in contents]
        for request_id, content in zip(ids, contents, strict=True):
            self._process.stdin.write(json.dumps({"request_id": request_id, **content}) + "\n")
        self._process.stdin.flush()
        answers: dict[str, dict[str, Any]] = {}
        while len(answers) < len(ids):
            line = self._process.stdout.readline()
            if not line:
                raise AssertionError(f"the worker process ended:\n{self.log[-5000:]}")
            answer = json.loads(line)
            answers[answer.pop("request_id")] = answer
        return [answers[request_id] for request_id in ids]

    def index(self, package: Path) -> dict[str, Any]:
        """Start with `package`, as a dedicated plan or `func start` does, and load its functions."""
        (answer,) = self.ask({"worker_init_request": {"host_version": "4", "function_app_directory": str(package)}})
        started: dict[str, Any] = _succeeded(answer["worker_init_response"])
        self._load(package)
        return started

    def specialise(self, placeholder: Path, package: Path, env: Mapping[str, str]) -> None:
        """Start empty, then become the app of `package`, as a consumption plan does."""
        (answer,) = self.ask({"worker_init_request": {"host_version": "4", "function_app_directory": str(placeholder)}})
        _succeeded(answer["worker_init_response"])
        reload = {"environment_variables": dict(env), "function_app_directory": str(package)}
        (answer,) = self.ask({"function_environment_reload_request": reload})
        _succeeded(answer["function_environment_reload_response"])
        self._load(package)

    def _load(self, package: Path) -> None:
        (answer,) = self.ask({"functions_metadata_request": {"function_app_directory": str(package)}})
        self.functions = _succeeded(answer["function_metadata_response"])["function_metadata_results"]
        loads = [{"function_load_request": {"function_id": known["function_id"]}} for known in self.functions]
        for answer in self.ask(*loads):
            _succeeded(answer["function_load_response"])

    @property
    def triggers(self) -> dict[str, dict[str, Any]]:
        """The trigger of each function, by the function's name."""
        bindings = {known["name"]: [json.loads(raw) for raw in known["raw_bindings"]] for known in self.functions}
        return {
            name: next(binding for binding in found if binding["type"].endswith("Trigger"))
            for name, found in bindings.items()
        }

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        (answer,) = self.call_together(Call(method, path, headers, body))
        return answer

    def call_json(self, method: str, path: str, value: object, **headers: str) -> Answer:
        return self.call(method, path, json.dumps(value).encode(), content_type="application/json", **headers)

    def call_together(self, *calls: Call) -> list[Answer]:
        """Send all requests before any is answered."""
        answers = self.ask(*(self.http_invocation(call) for call in calls))
        return [_answer(answer["invocation_response"]) for answer in answers]

    def deliver(self, queue: str, *messages: QueueMessage) -> list[str]:
        """Hand all messages to the function of `queue` before any is handled.

        Returns why each failed; the host deletes a message whose function succeeded, for which there is an empty text.
        """
        answers = self.ask(*(self.queue_invocation(queue, message) for message in messages))
        return [_failure(answer["invocation_response"]) for answer in answers]

    def tick(self) -> None:
        """Invoke the timer's function."""
        timer = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
        (answer,) = self.ask(self._invocation("tick", "timer", {"json": json.dumps(timer)}))
        _succeeded(answer["invocation_response"])

    def queue_invocation(self, queue: str, message: QueueMessage) -> dict[str, Any]:
        return self._invocation(queue, "message", {"string": message.body}, message.metadata())

    def http_invocation(self, call: Call) -> dict[str, Any]:
        headers = {name.replace("_", "-").lower(): value for name, value in call.headers.items()}
        http: dict[str, Any] = {
            "method": call.method,
            "url": HOST + call.path,
            "headers": {"host": "localhost:7071", "x-forwarded-for": "203.0.113.7:4711"} | headers,
            "query": {name: ",".join(values) for name, values in parse_qs(urlsplit(call.path).query).items()},
        }
        if call.body:
            http["headers"]["content-length"] = str(len(call.body))
            http["body"] = {"bytes": base64.b64encode(call.body).decode()}
        return self._invocation("http", "req", {"http": http})

    def _invocation(
        self, name: str, argument: str, data: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        (function,) = [known for known in self.functions if known["name"] == name]
        return {
            "invocation_request": {
                "invocation_id": str(uuid.uuid4()),
                "function_id": function["function_id"],
                "input_data": [{"name": argument, "data": data}],
                "trigger_metadata": metadata or {},
                "trace_context": {"trace_parent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"},
            }
        }


def _succeeded(response: dict[str, Any]) -> Any:
    assert not _failure(response), _failure(response)
    return response


def _failure(response: dict[str, Any]) -> str:
    """Why it failed; empty if it did not."""
    result = response["result"]
    exception = result.get("exception", {"message": "", "stack_trace": ""})
    return "" if result["status"] == "Success" else f"{exception['stack_trace']}\n{exception['message']}"


def _answer(response: dict[str, Any]) -> Answer:
    http = _succeeded(response)["return_value"]["http"]
    return Answer(
        status=int(http["status_code"]),
        headers=http["headers"],
        body=base64.b64decode(http["body"]["bytes"]),
        cookies=http["cookies"],
    )
