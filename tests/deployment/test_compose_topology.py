"""The services of compose.yaml's profile prod together, without Docker Compose: containers of the image with the
environment and secrets that the file gives them, behind a real nginx, with a real PostgreSQL, Azurite and Redis.

What Compose itself does is not shown: names are replaced by addresses, since all share this machine's network.
"""

import re
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.deployment.test_compose import SERVICES, secrets
from tests.support import backends
from tests.support.containers import Container, command, engine
from tests.support.nginx import Nginx, nginx
from tests.support.redis_server import redis_server
from tests.support.servers import free_port, wait_for


class Project:
    """Three hosts, a worker, and the proxy.

    Attributes
    ----------
    client : of the proxy, by https, with the key of the administrator.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.stack = stack
        database = stack.enter_context(backends.postgresql())
        with psycopg.connect(f"{database}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE atoll")
        self.addresses = {
            "AzureWebJobsStorage": stack.enter_context(backends.azurite()),
            "REDIS_URL": stack.enter_context(redis_server()).url,
            "TRUSTED_PROXIES": "127.0.0.1",
            "HOST": "127.0.0.1",
        }
        self.secrets = secrets(folder)
        (self.secrets / "database_url").write_text(f"{database}/atoll\n", encoding="utf-8")
        self.share = folder / "share"
        self.share.mkdir()
        # The container's user is another one.
        self.share.chmod(0o777)
        self.ports = [free_port() for _ in range(4)]
        self.hosts = [self._start("atoll", port) for port in self.ports[:3]]
        self.worker = self._start("worker", self.ports[3])
        for container in (*self.hosts, self.worker):
            wait_for(container.healthy, "a healthy container", lambda: None)
        certificate = (self.secrets / "tls.crt", self.secrets / "tls.key")
        proxy = stack.enter_context(nginx("prod", [f"127.0.0.1:{port}" for port in self.ports[:3]], certificate))
        key = (self.secrets / "admin_key").read_text(encoding="utf-8").strip()
        self.client = self._client(proxy, headers={"Authorization": f"Bearer {key}"})
        self.stranger = self._client(proxy)
        proxy.wait(self.client)

    def _start(self, name: str, port: int) -> Container:
        service = SERVICES[name]
        # What nobody has set is as the file says: ${NAME:-default}.
        env = {key: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)) for key, value in service["environment"].items()}
        assert self.addresses.keys() - {"HOST"} <= env.keys()
        own = {"PORT": str(port), "MODEL_HOSTS": ",".join(f"127.0.0.1:{port}" for port in self.ports[:3])}
        volumes = [f"{self.secrets / secret}:/run/secrets/{secret}:ro" for secret in service["secrets"]]
        container = Container(
            env=env | self.addresses | own, network="host", volumes=[*volumes, f"{self.share}:/share"]
        )
        self.stack.callback(container.remove)
        return container

    def _client(self, proxy: Nginx, **more: Any) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=str(self.secrets / "tls.crt"))
        return self.stack.enter_context(proxy.client("https", verify=trusted, **more))

    def ids(self, count: int) -> Counter[str]:
        """Who answered so many requests."""
        answers = [self.client.post("/hosted/host", json={"data": 1}) for _ in range(count)]
        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
        return Counter(answer.json()["id"] for answer in answers)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    engine()
    with ExitStack() as stack:
        yield Project(tmp_path, stack)


def test_hosts_behind_https_share_their_work_a_worker_runs_jobs_and_a_dead_host_goes_unnoticed(
    project: Project,
) -> None:
    refused = project.stranger.post("/sample_model/predict", json={"requiredField": "Atoll"})
    assert refused.status_code == 401

    hello = project.client.post("/sample_model/predict", json={"requiredField": "Atoll"})
    assert hello.json() == {"resp1": "Hello Atoll"}
    assert len(project.ids(12)) == 3

    queued = project.client.post(
        "/sample_model/predict", json={"requiredField": "Atoll"}, headers={"Prefer": "respond-async"}
    )
    assert queued.status_code == 202, queued.text
    job = f"/jobs/{queued.json()['id']}"
    wait_for(lambda: project.client.get(job).json()["state"] == "succeeded", "the worker", lambda: None)
    assert project.client.get(f"{job}/result").json() == {"resp1": "Hello Atoll"}

    command("kill", project.hosts[1].name)
    # Nobody knows yet: who is sent there first goes to the next one.
    assert len(project.ids(12)) == 2
