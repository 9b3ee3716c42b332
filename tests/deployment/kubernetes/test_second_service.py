"""A second service from `service_gen.py` to its answers: manifests, the lab's API server, hosts, and an nginx between.

The API server is the stand-in of ../shared/lab, which stores Deployments and does not run them; `Ingress` is made
known to it by `crds/ingress.yaml`. What runs is started here, with the environment that the manifests give: hosts and a
worker of Atoll on one PostgreSQL and one Redis, and nginx with the rules of the Ingress.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from common.settings import CHECKOUT
from tests.deployment.kubernetes.ingress_nginx import ingress_nginx
from tests.deployment.kubernetes.manifests import KUBERNETES, Json, build, kubectl, name_of, variables
from tests.support import backends
from tests.support.k8s_standin import K8sStandIn, k8s_standin
from tests.support.redis_server import redis_server
from tests.support.servers import Server, run_python

CRDS = Path(__file__).with_name("crds")
SECOND = ("second-service", "--model", "models/housing", "--model", "models/hosted", "--memory-limit", "1Gi")
HOUSE = {
    "MedInc": 8.3252,
    "HouseAge": 41,
    "AveRooms": 6.98,
    "AveBedrms": 1.02,
    "Population": 322,
    "AveOccup": 2.56,
    "Latitude": 37.88,
    "Longitude": -122.23,
}


@dataclass(frozen=True)
class Cluster:
    """What stands in for one.

    Parameters
    ----------
    tree : a copy of the manifests, to change.
    api : the lab's stand-in for an API server, with the namespace.
    outside : variables by which pods find what is outside of them: database, cache, share, keys.
    """

    tree: Path
    api: K8sStandIn
    outside: dict[str, str]

    def generate(self, *words: str) -> str:
        command = [sys.executable, "-m", "deployment.service_gen", "--root", str(self.tree), *words]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kubectl(self, *words: str) -> str:
        return kubectl(self.api.kubeconfig, *words)

    def apply(self, *words: str) -> str:
        # On the server's side: a client would patch an Ingress, built into Kubernetes, in a way that the stand-in does
        # not know for a kind that it was told of.
        return self.kubectl("apply", "--server-side", *words, "-k", str(self.tree / "overlays" / "local"))

    def stored(self, kind: str) -> list[Json]:
        """The objects of a kind that the API server has."""
        items: list[Json] = yaml.safe_load(self.kubectl("-n", "atoll", "get", kind, "-o", "json"))["items"]
        return items

    def environment(self, template: Json) -> dict[str, str]:
        """A pod's variables as Kubernetes puts them together, but for places, which are elsewhere on this machine."""
        (container,) = template["spec"]["containers"]
        maps = {name_of(found): found["data"] for found in self.stored("configmap")}
        given: dict[str, str] = {}
        for source in container["envFrom"]:
            given |= maps[source["configMapRef"]["name"]]
        return given | variables(container) | self.outside


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    tree = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, tree)
    with backends.postgresql() as database, redis_server() as redis, k8s_standin() as api:
        for name, text in (("database-url", f"{database}/postgres"), ("admin-key", "0123456789abcdef" * 4)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o600)
        share = tmp_path / "share"
        share.mkdir()
        made = Cluster(
            tree,
            api,
            {
                "HOST": "127.0.0.1",
                "PORT": "0",
                "REDIS_URL": redis.url,
                "DATABASE_URL_FILE": str(tmp_path / "database-url"),
                "ATOLL_ADMIN_KEY_FILE": str(tmp_path / "admin-key"),
                "FILE_SHARE": str(share),
            },
        )
        made.kubectl("apply", "-f", str(CRDS), "-f", str(tree / "base" / "namespace.yaml"))
        yield made


def test_a_second_service_answers_under_its_paths_and_is_gone_after_remove(
    cluster: Cluster, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    before = _contents(cluster.tree)
    assert "wrote services/second-service.yaml" in cluster.generate(*SECOND)
    objects = build(cluster.tree / "overlays" / "local")
    dry = cluster.apply("--dry-run=server", "--validate=strict")
    assert len(re.findall(r"\(server dry run\)", dry)) == len(objects)
    cluster.apply("--validate=strict")

    hosts = _start_hosts(cluster, start_server, tmp_path)
    ids = {name: _id(server.client) for name, server in hosts.items()}
    assert len(set(ids.values())) == 2
    addresses = {(name, 8000): server.url.partition("//")[2] for name, server in hosts.items()}
    (ingress,) = cluster.stored("ingress")
    with ingress_nginx(ingress, addresses) as client:
        _check_paths(client, ingress)
        assert _id(client) == ids["second-service"]
        prices = [client.post(f"{prefix}/predict", json=HOUSE) for prefix in ("/housing", "/lab")]
        assert [answer.status_code for answer in prices] == [200, 200], prices[0].text
        assert prices[0].json() == prices[1].json()
        loved = client.post("/project/predict", json={"text": ["I love it"]})
        assert (loved.status_code, loved.headers["X-Service"]) == (200, "atoll"), loved.text
        _check_a_queued_prediction(client, cluster, tmp_path, prices[0].json())

    said = cluster.generate("second-service", "--remove").splitlines()
    assert _contents(cluster.tree) == before
    cluster.apply("--validate=strict")
    # What it says is left to do.
    (deletion,) = [line.removeprefix("kubectl ") for line in said if line.startswith("kubectl ")]
    cluster.kubectl(*deletion.split())
    kinds = ("deployment", "service", "pdb", "scaledjob", "scaledobject")
    assert [name for kind in kinds for name in map(name_of, cluster.stored(kind)) if "second" in name] == []
    (ingress,) = cluster.stored("ingress")
    with ingress_nginx(ingress, {("atoll", 8000): addresses["atoll", 8000]}) as client:
        assert _id(client) == ids["atoll"]
        assert client.post("/lab/predict", json=HOUSE).json() == prices[0].json()


def _start_hosts(cluster: Cluster, start_server: Callable[..., Server], folder: Path) -> dict[str, Server]:
    """A host for each service of the API, as its deployment says."""
    deployments = {name_of(found): found["spec"]["template"] for found in cluster.stored("deployment")}
    hosts = {}
    for found in cluster.stored("service"):
        if found["spec"]["selector"].get("app.kubernetes.io/component") == "api":
            name = name_of(found)
            state = {"ATOLL_STATE": str(folder / name), "HOME": str(folder / name)}
            hosts[name] = start_server(env={**cluster.environment(deployments[name]), **state})
    served = {name: {model["name"] for model in server.get("/models").json()} for name, server in hosts.items()}
    assert set(served) == {"atoll", "second-service"}
    assert served["second-service"] == {"housing", "hosted"} < served["atoll"]
    return hosts


def _check_paths(client: httpx.Client, ingress: Json) -> None:
    own = {"/housing", "/lab", "/hosted", "/api", "/help"}
    led = {path["path"]: _led(client, path["path"]) for path in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert {path for path, service in led.items() if service == "second-service"} == own
    assert {service for path, service in led.items() if path not in own} == {"atoll"}
    # Part by part: /lab is no beginning of /laboratory. What belongs to no model is the default service's.
    for path in ("/laboratory", "/apiary/x", "/jobs", "/docs", "/health/ready", "/registry", "/v2/models/housing"):
        assert _led(client, path) == "atoll", path
    # nginx looks with slashes merged, and hands on what was asked for: an old prefix of two has its answer.
    origin = f"http://127.0.0.1:{client.base_url.port}"
    answers = [client.get(f"{origin}{path}") for path in ("/preload/nobody", "//preload/nobody")]
    assert ["no model 'nobody' is known" in answer.json()["detail"] for answer in answers] == [True, True]
    assert [answer.headers["X-Service"] for answer in answers] == ["atoll", "atoll"]
    assert _led(client, f"{origin}//lab/predict") == "second-service"


def _check_a_queued_prediction(client: httpx.Client, cluster: Cluster, folder: Path, wanted: Json) -> None:
    """Taken by the second service, run by a worker of its ScaledJob, told by the default service."""
    taken = client.post("/lab/predict", json=HOUSE, headers={"Prefer": "respond-async"})
    assert (taken.status_code, taken.headers["X-Service"]) == (202, "second-service"), taken.text
    place = httpx.URL(taken.headers["Location"]).path
    admin = {"Authorization": f"Bearer {(folder / 'admin-key').read_text()}"}
    assert client.get(place, headers=admin).json()["state"] == "queued"

    (job,) = [found for found in cluster.stored("scaledjob") if name_of(found) == "second-service-prediction-cpu"]
    template = job["spec"]["jobTargetRef"]["template"]
    program, *words = template["spec"]["containers"][0]["command"]
    state = {"ATOLL_STATE": str(folder / "worker"), "HOME": str(folder / "worker")}
    worked = run_python(words, folder / "worker", {**cluster.environment(template), **state})
    assert (program, worked.returncode) == ("python", 0), worked.stderr

    answer = client.get(f"{place}/result", headers=admin)
    assert (answer.status_code, answer.headers["X-Service"]) == (200, "atoll")
    assert answer.json() == wanted


def _contents(tree: Path) -> dict[Path, bytes]:
    return {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def _id(client: httpx.Client) -> str:
    """The id of the host that answers."""
    answer = client.post("/hosted/host", json={"data": 1})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def _led(client: httpx.Client, path: str) -> str:
    return client.get(path).headers["X-Service"]
