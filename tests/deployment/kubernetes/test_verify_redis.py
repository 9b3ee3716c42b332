"""The init containers of Istio's overlay, run for real: they wait for Redis' name, and for Redis itself.

As processes of this machine they look at another address than `redis-service:6379`, which nobody has here. In
containers of the image (docker or podman, no Kubernetes) they run unchanged, with the rights and limits that the
manifests give.
"""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deployment.kubernetes.manifests import Json, name_of, of_kind, overlay
from tests.support import backends, containers
from tests.support.redis_server import RedisServer, redis_server
from tests.support.servers import wait_for

DNS, READY = "verify-redis-dns", "verify-redis-ready"
ADDRESS = '"redis-service", 6379'


class Program:
    """Something that runs beside the test.

    Attributes
    ----------
    log : what it has said until now.
    """

    def __init__(self, command: list[str], log_file: Path, environment: dict[str, str] | None = None) -> None:
        self._log_file = log_file
        with log_file.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)

    @property
    def log(self) -> str:
        return self._log_file.read_text()

    def wait_for_word(self, word: str) -> None:
        wait_for(lambda: word in self.log, f"{word!r}", lambda: None if self.process.poll() is None else self.log)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts programs and ends them after the test."""
    started: list[Program] = []

    def one(command: list[str], environment: dict[str, str] | None = None) -> Program:
        program = Program(command, tmp_path / f"log{len(started)}", environment)
        started.append(program)
        return program

    yield one
    for program in started:
        program.end()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis that runs, on a port of its own."""
    with redis_server() as server:
        yield server


def init_container(name: str) -> Json:
    """As the pods of the default service have it."""
    (api,) = [found for found in of_kind(overlay("istio"), "Deployment") if name_of(found) == "atoll"]
    (found,) = [one for one in api["spec"]["template"]["spec"]["initContainers"] if one["name"] == name]
    assert found["command"] == ["python", "-c"]
    return dict(found)


def here(name: str, host: str, port: int = 6379) -> list[str]:
    """Its command, for this machine."""
    (code,) = init_container(name)["args"]
    assert ADDRESS in code
    return [sys.executable, "-c", code.replace(ADDRESS, f'"{host}", {port}')]


def test_a_pod_waits_until_redis_answers(start: Start, redis: RedisServer) -> None:
    redis.stop()
    waiting = start(here(READY, "127.0.0.1", redis.port))
    waiting.wait_for_word("refused")
    redis.start()
    assert waiting.process.wait(60) == 0, waiting.log


def test_a_redis_that_takes_connections_and_says_nothing_is_not_ready(start: Start, redis: RedisServer) -> None:
    redis.freeze()
    waiting = start(here(READY, "127.0.0.1", redis.port))
    waiting.wait_for_word("timed out")
    redis.thaw()
    assert waiting.process.wait(60) == 0, waiting.log


@pytest.mark.parametrize(
    ("name", "host", "told"),
    [(DNS, "redis-service.invalid", "has no address"), (READY, "127.0.0.1", "does not answer")],
)
def test_after_its_last_attempt_it_says_which_of_the_two_is_missing(
    start: Start, redis: RedisServer, name: str, host: str, told: str
) -> None:
    redis.stop()
    program, flag, code = here(name, host, redis.port)
    assert "range(60)" in code
    waiting = start([program, flag, code.replace("range(60)", "range(2)")])
    assert waiting.process.wait(60) == 1
    assert waiting.log.splitlines()[-1] == f"redis-service {told}"
    assert len(waiting.log.splitlines()) == 3


def test_a_name_that_is_known_is_enough_for_the_first_of_them(start: Start) -> None:
    waiting = start(here(DNS, "localhost"))
    assert waiting.process.wait(60) == 0, waiting.log


@pytest.fixture
def pod(tmp_path: Path) -> Iterator["Pod"]:
    made = Pod(tmp_path)
    yield made
    made.remove()


class Pod:
    """A network of its own, as the containers of a pod share one; held open by a container that does nothing else.

    Attributes
    ----------
    hosts : the file in which its containers look up names.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"atoll-pod-{uuid.uuid4().hex[:12]}"
        self.hosts = folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")
        hold = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
        quiet = ["--no-healthcheck", "--network", "none"]
        containers.command(
            "run", "--detach", "--name", self.name, *quiet, "--entrypoint", "python", containers.SLIM.name, "-c", hold
        )

    def command(self, name: str) -> list[str]:
        """Starts an init container in it."""
        given = init_container(name)
        limits, security = given["resources"]["limits"], given["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        cpus = int(limits["cpu"].removesuffix("m")) / 1000
        bounds = ["--memory", f"{limits['memory'].removesuffix('Mi')}m", "--cpus", str(cpus)]
        rights = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "10001"]
        place = ["--network", f"container:{self.name}", "--volume", f"{self.hosts}:/etc/hosts:ro", "--no-healthcheck"]
        program, flag = given["command"]
        run = [
            containers.engine(),
            "run",
            "--name",
            f"{self.name}-{name}",
            *place,
            *rights,
            *bounds,
            "--entrypoint",
            program,
            containers.SLIM.name,
        ]
        return [*run, flag, *given["args"]]

    def redis(self) -> list[str]:
        """Starts a Redis in its network, on the port that the manifests name."""
        server, enter = shutil.which("redis-server"), shutil.which("nsenter")
        if server is None or enter is None or os.geteuid() != 0:
            backends.missing("redis-server and nsenter are not installed, or this is not root: no Redis in a pod")
        pid = containers.command("inspect", self.name, "--format", "{{.State.Pid}}").stdout.strip()
        own = ["--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return [enter, "--target", pid, "--net", server, *own]

    def remove(self) -> None:
        for name in (f"{self.name}-{DNS}", f"{self.name}-{READY}", self.name):
            containers.command("rm", "--force", name, check=False)


def test_in_containers_a_pod_begins_once_redis_has_a_name_and_answers(start: Start, pod: Pod) -> None:
    named = start(pod.command(DNS), containers.environment())
    named.wait_for_word("redis-service: ")
    with pod.hosts.open("a") as hosts:
        hosts.write("127.0.0.1 redis-service\n")
    assert named.process.wait(120) == 0, named.log

    answered = start(pod.command(READY), containers.environment())
    answered.wait_for_word("refused")
    start(pod.redis())
    assert answered.process.wait(120) == 0, answered.log
