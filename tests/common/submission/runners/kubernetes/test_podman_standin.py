"""The runner against the stand-in for Kubernetes that runs Jobs' containers with podman: images and memory are real."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.submission.runners.kubernetes.config import KubernetesConfig
from common.submission.runners.kubernetes.runner import KubernetesRunner
from common.submission.states import TaskState
from tests.common.submission.runners.kubernetes.conftest import NAMESPACE
from tests.common.submission.runners.kubernetes.tasks import collected, run, spec_of
from tests.support.k8s_standin import IMAGE, K8sStandIn, k8s_standin

TRAINS = """\
import csv, json, os, statistics, sys
parameters = json.load(open(os.environ["ATOLL_PARAMS"]))
with open(os.environ["ATOLL_DATASET"]) as file:
    rows = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
slope, intercept = statistics.linear_regression(*zip(*rows))
print("python", sys.version_info.major, "in", open("/etc/os-release").readline().strip())
with open(os.path.join(os.environ["ATOLL_OUTPUT_DIR"], "metrics.json"), "w") as file:
    json.dump({"slope": round(slope, 6), "rows": len(rows), "trees": parameters["n_estimators"]}, file)
"""
HUNGRY = "block = bytearray(400 << 20)\nfor at in range(0, len(block), 4096):\n    block[at] = 1\nprint('survived')\n"


@pytest.fixture(scope="module")
def podman() -> Iterator[K8sStandIn]:
    with k8s_standin("podman") as server:
        server.add_namespace(NAMESPACE)
        yield server


def runner_of(podman: K8sStandIn, **fields: Any) -> KubernetesRunner:
    given = {"name": "lab", "kubeconfig": str(podman.kubeconfig), "namespace": NAMESPACE, "default_image": IMAGE}
    return KubernetesRunner(KubernetesConfig.model_validate({**given, **fields}))


def test_podman_standin_a_script_is_trained_on_a_csv_in_its_image(podman: K8sStandIn) -> None:
    runner = runner_of(podman)
    data = "x,y\n" + "".join(f"{x},{3 * x + 1}\n" for x in range(50))
    spec = spec_of(parameters={"n_estimators": 2}, dataset="line", memory_bytes=256 << 20)
    known, seen = run(runner, spec, {"main.py": TRAINS, "datasets/line.csv": data})
    log = runner.read_log(known, 0, 10_000).content
    assert seen.state is TaskState.SUCCEEDED, log
    assert log.startswith(b"python 3 in PRETTY_NAME=")
    assert collected(runner, known)["output/metrics.json"] == b'{"slope": 3.0, "rows": 50, "trees": 2}'


def test_podman_standin_a_program_over_its_memory_is_out_of_memory(podman: K8sStandIn) -> None:
    runner = runner_of(podman)
    known, seen = run(runner, spec_of(memory_bytes=64 << 20), {"main.py": HUNGRY})
    assert (seen.state, seen.reason, seen.signal) == (TaskState.OUT_OF_MEMORY, "OOMKilled", 9)
    assert b"survived" not in runner.read_log(known, 0, 10_000).content
