"""The inference protocol over gRPC, by a real server: keys, limits, health, reflection, TLS, and its end."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from common.host.grpc import open_inference_pb2 as pb
from tests.support.plugins import write_plugin
from tests.support.servers import Server, free_port, run_host, wait_for
from tests.system.test_tls import Files, files

__all__ = ["files"]

SERVICE = "inference.GRPCInferenceService"
ADMIN = "a" * 40
TENSORS = Path(__file__).parents[1] / "common" / "serving" / "oip" / "plugins"
BASE = {"SERVICE_MODEL": "sample,tensors", "ATOLL_PLUGIN_PATH": str(TENSORS)}


def method(channel: grpc.Channel, name: str) -> Callable[..., Any]:
    asked, answered = getattr(pb, f"{name}Request"), getattr(pb, f"{name}Response")
    found: Callable[..., Any] = channel.unary_unary(
        f"/{SERVICE}/{name}", request_serializer=asked.SerializeToString, response_deserializer=answered.FromString
    )
    return found


def echo(*values: int, model: str = "echo-int8") -> Any:
    made = pb.ModelInferRequest(model_name=model)
    made.inputs.add(name="X", datatype="INT8", shape=[1, len(values)]).contents.int_contents.extend(values)
    return made


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("grpc"), env=BASE | {"GRPC_PORT": str(port)})
    yield started
    started.stop()


@pytest.fixture
def channel(server: Server, port: int) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened


@pytest.fixture(scope="module")
def closed_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, closed_port: int) -> Iterator[Server]:
    """A server that asks for keys, allows two requests a second, and answers for one name alone."""
    env = {"ANONYMOUS_SCOPES": "none", "ATOLL_ADMIN_KEY": ADMIN, "RATE_LIMIT_PER_S": "0.5", "RATE_LIMIT_BURST": "3"}
    env |= BASE | {"GRPC_PORT": str(closed_port), "ALLOWED_HOSTS": "*.example.org,127.0.0.1"}
    started = Server(tmp_path_factory.mktemp("closed"), env=env, ready=False)
    yield started
    started.stop()


def test_tensors_are_answered_in_the_way_they_were_sent(channel: grpc.Channel) -> None:
    answer, call = method(channel, "ModelInfer").with_call(echo(1, 2), metadata=[("x-request-id", "mine")])  # type: ignore[attr-defined]  # of gRPC's callables
    assert list(answer.outputs[0].contents.int_contents) == [1, 2]
    assert not answer.raw_output_contents
    assert ("x-request-id", "mine") in [(key, value) for key, value in call.trailing_metadata()]
    raw = pb.ModelInferRequest(model_name="echo-fp16", raw_input_contents=[np.array([0.5], "<f2").tobytes()])
    raw.inputs.add(name="X", datatype="FP16", shape=[1, 1])
    assert method(channel, "ModelInfer")(raw).raw_output_contents == raw.raw_input_contents


def test_the_answer_is_that_of_the_route(server: Server, channel: grpc.Channel) -> None:
    told = method(channel, "ModelMetadata")(pb.ModelMetadataRequest(name="linear", version="2"))
    direct = server.get("/v2/models/linear/versions/2").json()
    assert [(item.name, item.datatype, list(item.shape)) for item in told.outputs] == [
        (item["name"], item["datatype"], item["shape"]) for item in direct["outputs"]
    ]
    assert list(told.versions) == direct["versions"]
    assert method(channel, "ServerMetadata")(pb.ServerMetadataRequest()).name == "atoll"
    names = [item.name for item in method(channel, "RepositoryIndex")(pb.RepositoryIndexRequest()).models]
    assert names == server.get("/v2/models").json()["models"]


def test_errors_say_what_to_send(channel: grpc.Channel) -> None:
    infer = method(channel, "ModelInfer")
    wrong = refused(lambda: infer(echo(1, model="linear")))
    assert wrong.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wrong.details() == "X: is INT8; send FP32"
    for model in ("nope", "a%2Fb", "..", "é"):
        assert refused(lambda model=model: infer(echo(1, model=model))).code() is grpc.StatusCode.NOT_FOUND  # type: ignore[misc]  # mypy does not infer a default's type
    for model in ("", "a/b", "x/versions/1"):
        found = refused(lambda model=model: infer(echo(1, model=model)))  # type: ignore[misc]  # as above
        assert found.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_beyond_the_limit_of_bodies_is_refused(channel: grpc.Channel) -> None:
    raw = pb.ModelInferRequest(model_name="echo-int8", raw_input_contents=[bytes(11_000_000)])
    raw.inputs.add(name="X", datatype="INT8", shape=[1, 11_000_000])
    assert refused(lambda: method(channel, "ModelInfer")(raw)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_call_ends_at_its_deadline_and_its_work_is_given_up(server: Server, channel: grpc.Channel) -> None:
    asked = pb.ModelInferRequest(model_name="slow")
    asked.inputs.add(name="X", datatype="BOOL", shape=[1]).contents.bool_contents.append(True)
    before = server.get("/tensors/given-up").json()
    found = refused(lambda: method(channel, "ModelInfer")(asked, timeout=0.3))
    assert found.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_for(lambda: server.get("/tensors/given-up").json() == before + 1, "the inference to be given up")


def test_health_is_told_by_grpcs_own_service(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", SERVICE):
        wait_for(
            lambda name=name: stub.Check(health_pb2.HealthCheckRequest(service=name)).status == serving,  # type: ignore[misc]  # mypy does not infer a default's type
            "the service to be healthy",
        )
    found = refused(lambda: stub.Check(health_pb2.HealthCheckRequest(service="other")))
    assert found.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_lists_the_service_and_its_messages(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    listed, described = stub.ServerReflectionInfo(iter(asked))
    assert SERVICE in [item.name for item in listed.list_services_response.service]
    assert b"ModelInferRequest" in described.file_descriptor_response.file_descriptor_proto[0]


def test_calls_are_counted_and_logged_like_requests(server: Server, channel: grpc.Channel) -> None:
    method(channel, "ModelInfer")(echo(1))
    counted = 'method="POST",route="/v2/models/{model}/infer"'
    wait_for(lambda: counted in server.get("/metrics").text, "the call to be counted")
    assert '"path": "/v2/models/echo-int8/infer"' in server.log


def test_keys_and_scopes_count_as_over_http(closed: Server, closed_port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{closed_port}") as channel:
        infer = method(channel, "ModelInfer")
        unknown = refused(lambda: infer(echo(1)))
        assert unknown.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "Authorization" in unknown.details()
        wrong = refused(lambda: infer(echo(1), metadata=[("authorization", "Bearer nonsense")]))
        assert wrong.code() is grpc.StatusCode.UNAUTHENTICATED
        # Health is for everybody.
        assert method(channel, "ServerLive")(pb.ServerLiveRequest()).live
        for metadata in ([("authorization", f"Bearer {ADMIN}")], [("x-api-key", ADMIN)]):
            answer = infer(echo(1), metadata=metadata)
            assert list(answer.outputs[0].contents.int_contents) == [1]


def test_who_asks_too_often_is_told_to_wait(closed: Server, closed_port: int) -> None:
    made = closed.post(
        "/keys",
        json={"name": "t", "scopes": ["predict"]},
        headers={"Authorization": f"Bearer {ADMIN}"},
    )
    if made.status_code == 429:
        time.sleep(int(made.headers["retry-after"]))
        made = closed.post(
            "/keys", json={"name": "t", "scopes": ["predict"]}, headers={"Authorization": f"Bearer {ADMIN}"}
        )
    key = made.json()["key"]
    with grpc.insecure_channel(f"127.0.0.1:{closed_port}") as channel:
        infer = method(channel, "ModelInfer")

        def many() -> None:
            for _ in range(10):
                infer(echo(1), metadata=[("x-api-key", key)])

        found = refused(many)
    assert found.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert int(dict(found.trailing_metadata())["retry-after"]) >= 1


def test_a_certificate_counts_for_grpc_too(start_server: Callable[..., Server], files: Files) -> None:
    port = free_port()
    env = files.env | {"GRPC_PORT": str(port)}
    server = start_server(env=env, verify=files.trusted)
    assert "gRPC" in server.log
    credentials = grpc.ssl_channel_credentials(files.ca.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        assert method(channel, "ServerLive")(pb.ServerLiveRequest(), timeout=20).live
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        found = refused(lambda: method(channel, "ServerLive")(pb.ServerLiveRequest(), timeout=5))
        assert found.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_without_its_port_there_is_no_grpc_and_nothing_of_it_is_loaded(start_server: Callable[..., Server]) -> None:
    server = start_server(env={"SERVICE_MODEL": "sample"})
    assert "gRPC" not in server.log
    loaded = {file.path for file in psutil.Process(server.process.pid).memory_maps()}
    assert not any("cygrpc" in path for path in loaded)


def test_several_processes_share_the_port(start_server: Callable[..., Server]) -> None:
    port = free_port()
    server = start_server(env=BASE | {"GRPC_PORT": str(port), "WORKERS": "2"})
    wait_for(
        lambda: len([line for line in server.log.splitlines() if '"event": "gRPC"' in line]) == 2, "both to listen"
    )
    for _ in range(8):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert method(channel, "ServerReady")(pb.ServerReadyRequest(), timeout=20).ready


def test_a_call_under_way_is_answered_before_the_server_ends(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    port = free_port()
    source = """
        import asyncio
        from pathlib import Path
        from fastapi import APIRouter
        from common.plugins import BaseDefinition, param

        router = APIRouter()
        here = Path(__file__).parent

        class Question(BaseDefinition):
            x: int = param(title="x")

        @router.post("/predict")
        async def predict(body: Question) -> int:
            (here / "begun").touch()
            await asyncio.sleep(2)
            return body.x
    """
    folder = write_plugin(tmp_path / "plugins", "later", source)
    env = {"SERVICE_MODEL": "later", "ATOLL_PLUGIN_PATH": str(folder), "GRPC_PORT": str(port)}
    server = start_server(env=env)
    asked = pb.ModelInferRequest(model_name="later")
    asked.inputs.add(name="x", datatype="INT64", shape=[1]).contents.int64_contents.append(7)
    answers: list[Any] = []

    def ask() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answers.append(method(channel, "ModelInfer")(asked, timeout=30))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: (folder / "later" / "begun").exists(), "the call to begin")
    server.interrupt()
    thread.join(30)
    assert list(answers[0].outputs[0].contents.int64_contents) == [7]
    server.wait()


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"GRPC_PORT": "70000"}, "GRPC_PORT"),
        ({"PORT": "{free}", "GRPC_PORT": "{free}"}, "give each its own"),
        ({"GRPC_PORT": "{taken}"}, "cannot listen on 127.0.0.1"),
        ({"GRPC_PORT": "{free}", "SSL_MIN_VERSION": "1.3"}, "SSL_MIN_VERSION"),
        ({"GRPC_PORT": "{free}", "SSL_CIPHERS": "ECDHE+AESGCM"}, "SSL_CIPHERS"),
    ],
)
def test_a_start_that_cannot_be_says_why_in_a_sentence(
    server: Server, port: int, files: Files, tmp_path: Path, env: dict[str, str], told: str
) -> None:
    places = {"free": str(free_port()), "taken": str(port)}
    settings = {name: value.format(**places) for name, value in env.items()}
    more = files.env if any(name.startswith("SSL") for name in env) else {}
    run = run_host(tmp_path / "state", env=more | settings)
    assert run.returncode != 0
    assert told in run.stderr
    assert "Traceback" not in run.stderr
    assert json.dumps(str(files.key)) not in run.stderr
