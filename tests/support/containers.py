"""Images of `deployment/Dockerfile` that were built before, run by podman or docker.

Building takes minutes, so tests do not: they use `ATOLL_IMAGE`, by default `atoll:slim`. Where there is no program or
no image they skip and say how to make one; with `ATOLL_IMAGE` set they fail.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import pytest

# Where the official image's name stands for Debian's Python, this file lets podman run without systemd.
_LAB = Path(__file__).resolve().parents[3] / "shared/lab/containers/containers.conf"

NAME = os.environ.get("ATOLL_IMAGE", "atoll:slim")


def missing(message: str) -> NoReturn:
    if "ATOLL_IMAGE" in os.environ:
        pytest.fail(message)
    pytest.skip(message)


@lru_cache(maxsize=1)
def engine() -> str:
    """The program that runs containers: docker or podman, whichever has the image."""
    programs = [found for name in ("docker", "podman") if (found := shutil.which(name))]
    if not programs:
        missing("neither docker nor podman is installed")
    for program in programs:
        if _run(program, "image", "inspect", NAME).returncode == 0:
            return program
    missing(f"there is no image {NAME}: docker build -f deployment/Dockerfile --target slim -t {NAME} .")


def command(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the program with these arguments."""
    done = _run(engine(), *arguments)
    assert not check or done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"
    return done


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ)
    if _LAB.exists():
        env.setdefault("CONTAINERS_CONF", str(_LAB))
    return subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=120, check=False)


class Container:
    """A container of the image, as Kubernetes would run it: nothing writable but /tmp and /state, no capabilities."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        network: str = "none",
        volumes: Sequence[str] = (),
    ) -> None:
        self.name = f"atoll-test-{uuid.uuid4().hex[:12]}"
        options = ["--name", self.name, "--network", network, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]  # noqa: S108
        options += [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
        options += [part for volume in ("/state", *volumes) for part in ("--volume", volume)]
        command("run", "--detach", *options, NAME, *arguments)

    @property
    def log(self) -> str:
        done = command("logs", self.name)
        return done.stdout + done.stderr

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python within."""
        return command("exec", self.name, "python", "-c", code, *arguments, check=False)

    def healthy(self) -> bool:
        return command("exec", self.name, "python", "/app/healthcheck.py", check=False).returncode == 0

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        command("stop", "--time", "60", self.name)
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return int(command("wait", self.name).stdout.strip())

    def remove(self) -> None:
        # One that does not hear SIGTERM would be waited for.
        command("kill", self.name, check=False)
        command("rm", "--force", "--volumes", self.name, check=False)
