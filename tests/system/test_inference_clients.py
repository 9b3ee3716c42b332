"""The protocol's own clients, as their makers publish them, against a server; none of them knows Atoll."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments import python_with
from tests.support.servers import Server, free_port

SCRIPTS = Path(__file__).parent / "inference_clients"
TRITON = "tritonclient[http,grpc]==2.73.0"
KSERVE = "kserve==0.21.0"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, grpc_port: int) -> Iterator[Server]:
    env = {"SERVICE_MODEL": "sample,housing", "GRPC_PORT": str(grpc_port)}
    started = Server(tmp_path_factory.mktemp("clients"), env=env)
    yield started
    started.stop()


def run(python: str, script: str, address: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, str(SCRIPTS / script), address],
        # Nothing of Atoll's: neither its packages nor its folder.
        env={"PATH": os.defpath, "HOME": os.environ.get("HOME", "/")},
        cwd=SCRIPTS.anchor,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def check(server: Server, found: dict[str, Any], *, status: str) -> None:
    """What a client found is what the routes themselves answer."""
    assert (found["live"], found["ready"], found["model_ready"]) == (True, True, [True, True, False])
    row = {"MedInc": 8.3252, "HouseAge": 41.0, "AveRooms": 6.98, "AveBedrms": 1.02, "Population": 322.0}
    row |= {"AveOccup": 2.56, "Latitude": 37.88, "Longitude": -122.23}
    direct = server.post("/housing/predict", json=row).json()["prediction"]
    for kind in {"binary", "json", "all_outputs", "async"} & found.keys():
        assert found[kind] == [direct] * 3, kind
    assert {found[name] for name in ("binary_id", "json_id") if name in found} == {"a-7"}
    assert found["text"] == ["Hello a", "Hello é"]
    assert found["error"][0] == status
    assert found["error"][1].startswith("MedInc: is missing; the inputs are")
    if "index" in found:
        assert {"sample", "housing"} <= set(found["index"])
        assert (found["server"], found["inputs"]) == ("atoll", ["requiredField", "optionalField"])


def test_tritons_http_client_works_unchanged(server: Server) -> None:
    found = run(python_with("triton", TRITON), "triton_http.py", server.url.removeprefix("http://"))
    assert {"binary", "json", "all_outputs", "async"} <= found.keys()
    check(server, found, status="422")


def test_tritons_grpc_client_works_unchanged(server: Server, grpc_port: int) -> None:
    found = run(python_with("triton", TRITON), "triton_grpc.py", f"127.0.0.1:{grpc_port}")
    assert {"binary", "all_outputs"} <= found.keys()
    check(server, found, status="StatusCode.INVALID_ARGUMENT")


def test_kserves_rest_client_works_unchanged(server: Server) -> None:
    found = run(python_with("kserve", KSERVE), "kserve_rest.py", server.url)
    assert {"binary", "json"} <= found.keys()
    check(server, found, status="422")
